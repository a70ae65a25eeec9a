"""The projector, from its networks' files, against the published tool's loop in PyTorch from the same start."""

import math
from pathlib import Path

import jax
import numpy as np
import pytest

from lgan_jax.apps.project.networks import LICENCE
from lgan_jax.apps.project.networks import projector as made_projector
from lgan_jax.landmarks import IBUG68
from lgan_jax.methods.projection.losses import landmark_weights
from lgan_jax.methods.projection.networks import noise_sides
from lgan_jax.methods.projection.projector import Settings
from lgan_jax.nn import vgg

torch = pytest.importorskip("torch", reason="PyTorch is not installed; pip install 'lgan_jax[torch]'")
import torch.nn.functional as F  # noqa: E402  after the skip
import twin_stylegan2  # noqa: E402
import twins  # noqa: E402

CHANNELS = (7, 6, 5, 4, 3)  # at 4 … 64 pixels
STEPS = 100
KEY = jax.random.key(3)


def networks():
    """Generator, VGG16 with the linear weights of LPIPS, FAN."""
    torch.manual_seed(1)
    linear = [torch.rand(1, n, 1, 1) for n in (2, 4, 8, 16, 16)]
    generator = twin_stylegan2.drawn(twin_stylegan2.Generator(CHANNELS, layers=2))
    for name, values in generator.named_parameters():
        if name.endswith("torgb.weight"):
            values.data *= 0.3
    fan = twins.drawn(twins.FAN(68, 8, depth=1, stacks=1))
    return generator, twins.drawn(twins.VGG(vgg.VGG16, 2)), linear, fan


def saved(folder, generator, features, linear, fan):
    """The networks' files, in the order that `projector` takes them."""
    linear = {f"lin{i}.model.1.weight": x for i, x in enumerate(linear)}
    contents = {"n.pt": generator.state_dict(), "f.pt": fan.state_dict(), "v.pt": features.state_dict(), "l.pt": linear}
    for name, content in contents.items():
        torch.save(content, folder / name)
    return [folder / name for name in contents]


def perceived(features, linear, image):
    """What LPIPS compares of images in [0, 255]."""
    parts = []
    for end, weights in zip((4, 9, 16, 23, 30), linear):
        x = features(image / 255, end)
        x = x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)
        parts.append((x * weights.sqrt() / math.sqrt(x.shape[2] * x.shape[3])).flatten(1))
    return torch.cat(parts, 1)


def heatmaps(fan, image):
    image = F.interpolate(image, 256)
    image = image - image.min()
    return fan(image / image.max())


def resemblance(noise):
    total = 0.0
    for maps in noise:
        maps = maps[:, None]
        while True:
            total = total + sum((maps * torch.roll(maps, 1, axis)).mean() ** 2 for axis in (3, 2))
            if maps.shape[2] <= 8:
                break
            maps = F.avg_pool2d(maps, 2)
    return total


def published_loop(nets, look, landmarks, mean, deviation, noise, drawn, steps):
    """The losses before every update. `drawn` is what is added to the style at every step, before it is scaled."""
    generator, features, linear, fan = nets
    weights = torch.tensor(landmark_weights(IBUG68))[None, :, None, None]
    with torch.no_grad():
        target, wanted = perceived(features, linear, look), heatmaps(fan, landmarks)
    style = torch.tensor(mean)[None].requires_grad_()
    noise = [torch.tensor(maps).requires_grad_() for maps in noise]
    optimizer, losses = torch.optim.Adam([style, *noise], lr=0.1), []
    for step in range(steps):
        t = step / steps
        fall = 0.5 - 0.5 * math.cos(math.pi * min(1, (1 - t) / 0.25))
        optimizer.param_groups[0]["lr"] = 0.1 * fall * min(1, t / 0.05)
        shaken = style + torch.tensor(drawn[step]) * (deviation * 0.05 * max(0, 1 - t / 0.75) ** 2)
        image = (generator.synthesis(shaken[:, None].expand(-1, generator.places, -1), noise) + 1) * 127.5
        distance = (target - perceived(features, linear, image)).square().sum()
        apart = ((wanted - heatmaps(fan, image)) * weights).square().sum().sqrt()
        loss = distance + 0.1 * apart + 1e5 * resemblance(noise)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for maps in noise:
                maps -= maps.mean()
                maps *= maps.square().mean().rsqrt()
    return np.array(losses)


def curves(steps, folder):
    """Losses of the projector, made of files, and of the loop, before each update."""
    nets, said = networks(), []
    projector = made_projector(*saved(folder, *nets), {}, Settings(steps=steps, samples=600, every=1), said.append)
    assert said == [LICENCE]
    rng = np.random.default_rng(0)
    look, landmarks = (rng.uniform(-1, 1, (1, 8, 8, 3)).repeat(8, 1).repeat(8, 2).astype(np.float32) for _ in range(2))
    ours = []
    projector(look, landmarks, key=KEY, progress=lambda report: ours.append(float(report.loss[0])))
    sides = noise_sides(CHANNELS)
    keys = jax.random.split(jax.random.fold_in(KEY, 0), len(sides))
    noise = [np.array(jax.random.normal(key, (1, side, side))) for key, side in zip(keys, sides)]
    own = jax.random.fold_in(jax.random.fold_in(KEY, 1), 0)
    drawn = [np.array(jax.random.normal(jax.random.fold_in(own, step), (12,))) for step in range(steps)]
    in_bytes = [torch.tensor((x.transpose(0, 3, 1, 2) + 1) * 127.5) for x in (look, landmarks)]
    theirs = published_loop(nets, *in_bytes, projector.mean, projector.std, noise, drawn, steps)
    return np.array(ours[:steps]), theirs


def test_the_curve_of_the_loss_is_that_of_the_published_loop(tmp_path):
    ours, theirs = curves(STEPS, tmp_path)
    assert theirs.min() < 0.8 * theirs[0]
    np.testing.assert_allclose(ours, theirs, rtol=0.01)


def refused(files, error=ValueError):
    with pytest.raises(error) as caught:
        made_projector(*files, {}, Settings())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_files_that_are_the_wrong_ones_are_said(tmp_path):
    generator, features, linear, fan = networks()
    network, finder, vgg16, lpips = saved(tmp_path, generator, features, linear, fan)
    assert "--lpips is not given; it names the file of the lpips-vgg16" in refused(
        (network, finder, vgg16, None), FileNotFoundError
    )
    assert "--fan is nothing.zip, and there is no such file" in refused(
        (network, Path("nothing.zip"), vgg16, lpips), FileNotFoundError
    )
    assert "v.pt does not hold the weights of stylegan2" in refused((vgg16, finder, vgg16, lpips))
    torch.save(twin_stylegan2.Generator(CHANNELS[:4], layers=1).state_dict(), tmp_path / "small.pt")
    assert "generates images of 32 pixels; 64 or more are needed" in refused(
        (tmp_path / "small.pt", finder, vgg16, lpips)
    )
    torch.save(twins.drawn(twins.FAN(5, 8, depth=1, stacks=1)).state_dict(), tmp_path / "five.pt")
    assert "detects 5 landmarks; a network for iBUG's 68" in refused((network, tmp_path / "five.pt", vgg16, lpips))
