"""StyleGAN2 by NVIDIA's names gives the twin's images and logits."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax import interop
from lgan_jax.methods.projection import networks

torch = pytest.importorskip("torch", reason="PyTorch is not installed; pip install 'lgan_jax[torch]'")
import twin_stylegan2 as twin  # noqa: E402  after the skip
from twins import arrays  # noqa: E402

CHANNELS = (7, 6, 5, 4, 3)  # at 4 … 64 pixels
LARGE = {256: (7, 6, 5, 4, 3, 2, 2), 1024: (5, 4, 3, 2, 2, 2, 1, 1, 1)}


def latents(count, length=10):
    return np.random.default_rng(count).normal(size=(count, length)).astype(np.float32)


def noise_maps(channels, count):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(count, side, side)).astype(np.float32) for side in networks.noise_sides(channels)]


def one_hot(count, classes):
    return np.eye(classes, dtype=np.float32)[np.arange(count) % classes]


def tensors(x):
    return None if x is None else torch.tensor(x)


def compare(made, expected):
    """To 1e-3 of the range."""
    expected = expected.detach().numpy()
    assert np.ptp(expected) > 0.02
    assert made.shape == expected.shape
    np.testing.assert_allclose(made, expected, atol=1e-3 * np.ptp(expected), rtol=0)


def pictures(size, count):
    """Of different colors and contrasts."""
    rng = np.random.default_rng(size)
    colours, contrast = rng.uniform(-3, 3, (count, 1, 1, 3)), rng.uniform(0, 3, (count, 1, 1, 1))
    return (colours + contrast * rng.normal(size=(count, size, size, 3))).astype(np.float32)


@pytest.fixture(scope="module")
def generator():
    """A twin at 64 pixels and ours."""
    theirs = twin.drawn(twin.Generator(CHANNELS, labels=4, layers=3, clamp=0.5))
    return theirs, interop.network("stylegan2", arrays(theirs) | {"conv_clamp": np.float32(0.5)})


def test_truncation_labels_noise_and_limits(generator):
    """The limit is reached."""
    theirs, network = generator
    z, labels, noise = latents(3), one_hot(3, 4), noise_maps(CHANNELS, 3)
    assert network.module == networks.Generator(CHANNELS, 10, 12, 4, 3, clamp=0.5)
    made = jax.jit(network.module.apply)(network.variables, z, labels, 0.7, noise)
    with torch.no_grad():
        expected = theirs(tensors(z), tensors(labels), 0.7, [torch.tensor(x) for x in noise])
        theirs.synthesis.b64.conv1.clamp = None
        unlimited = theirs(tensors(z), tensors(labels), 0.7, [torch.tensor(x) for x in noise])
    assert (expected - unlimited).abs().max() > 0.1
    theirs.synthesis.b64.conv1.clamp = 0.5
    compare(made, expected.permute(0, 2, 3, 1))


@pytest.mark.parametrize("size", LARGE)
def test_images_of_large_sizes_with_the_networks_own_noise(size):
    channels = LARGE[size]
    theirs = twin.drawn(twin.Generator(channels, layers=2), size)
    network = interop.network("stylegan2", arrays(theirs))
    assert network.module.size == size
    z = latents(1)
    made = jax.jit(network.module.apply)(network.variables, z)
    with torch.no_grad():
        compare(made, theirs(torch.tensor(z)).permute(0, 2, 3, 1))


def test_a_style_for_each_place(generator):
    """The colors' place is the next block's first one."""
    theirs, network = generator
    styles = np.random.default_rng(5).normal(size=(2, network.module.places, 12)).astype(np.float32)
    draw = jax.jit(lambda variables, styles: network.module.apply(variables, styles, method="draw"))
    with torch.no_grad():
        compare(draw(network.variables, styles), theirs.synthesis(torch.tensor(styles)).permute(0, 2, 3, 1))


def test_the_layers_of_high_resolution_can_be_of_less_precision():
    theirs = twin.drawn(twin.Generator(CHANNELS[:3], layers=1))
    network = interop.network("stylegan2", arrays(theirs))
    reduced = network.module.clone(reduced=2)
    exact, made = (jax.jit(m.apply)(network.variables, latents(2)) for m in (network.module, reduced))
    assert made.dtype == jnp.float32
    difference = np.abs(exact - made).max() / np.ptp(exact)
    assert 1e-6 < difference < 0.05


@pytest.mark.parametrize(("labels", "count"), [(0, 6), (3, 2), (0, 8)])
def test_discriminator(labels, count):
    """Groups of 2 images (of 6), 2 (a small batch) and 4."""
    group = 2 if count == 6 else 4
    theirs = twin.drawn(twin.Discriminator(CHANNELS[:3], labels, layers=2, group=group, clamp=4.0))
    network = interop.network("stylegan2-discriminator", arrays(theirs) | {"conv_clamp": np.float32(4)})
    module, image = network.module.clone(group=group), pictures(16, count)
    given = (image, one_hot(count, labels)) if labels else (image,)
    made = jax.jit(module.apply)(network.variables, *given)
    with torch.no_grad():
        compare(made, theirs(torch.tensor(image).permute(0, 3, 1, 2), *map(torch.tensor, given[1:])))


def test_what_the_networks_cannot_be_called_with(generator):
    def call(network, *given, **how):
        jax.eval_shape(
            lambda variables, *given: network.module.apply(variables, *given, **how), network.variables, *given
        )

    network, z, labels = generator[1], latents(2), one_hot(2, 4)
    with pytest.raises(ValueError, match="needs labels of 4 classes"):
        call(network, z)
    with pytest.raises(ValueError, match="9 styles are given, but there are 10 places"):
        call(network, np.zeros((2, 9, 12), np.float32), method="draw")
    with pytest.raises(ValueError, match="noise maps must have sides of 4, 8, 8, 16"):
        call(network, z, labels, 1.0, noise_maps(CHANNELS[:-1], 2))
    plain = interop.network("stylegan2-discriminator", arrays(twin.drawn(twin.Discriminator(CHANNELS[:2]))))
    with pytest.raises(ValueError, match="this network has no classes"):
        call(plain, pictures(8, 2), labels)
    with pytest.raises(ValueError, match="images are 16 pixels wide; this discriminator takes 8"):
        call(plain, pictures(16, 2))
    with pytest.raises(ValueError, match="a batch of 6 cannot be split into groups of 4"):
        call(plain, pictures(8, 6))


def one_line(kind, source):
    with pytest.raises(ValueError, match=re.escape(kind)) as caught:
        interop.load(kind, source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_missing_extra_or_misshapen_parameter_is_named():
    for kind, network in (
        ("stylegan2", twin.Generator(CHANNELS[:3], layers=2)),
        ("stylegan2-discriminator", twin.Discriminator(CHANNELS[:3])),
    ):
        weights = arrays(network)
        names = [name for name in weights if not name.endswith("resample_filter")]
        for name in (names[1], names[len(names) // 2]):
            assert f"missing: {name}" in one_line(kind, {k: v for k, v in weights.items() if k != name})
            broken = {**weights, name: np.full_like(weights[name], np.nan)}
            assert f"not finite: {name}" in one_line(kind, broken)
        assert "not part of it: surplus" in one_line(kind, {**weights, "surplus": np.zeros(3)})
        other = next(name for name in weights if name.endswith("resample_filter"))
        assert f"{other} is not the filter [1, 3, 3, 1]" in one_line(kind, {**weights, other: np.ones((4, 4)) / 16})


def test_networks_of_other_kinds_and_resolutions_are_said():
    weights = arrays(twin.Generator(CHANNELS[:3], layers=2))
    assert "it is a network of StyleGAN3" in one_line("stylegan2", weights | {"synthesis.input.freqs": np.zeros(3)})
    without = {name: values for name, values in weights.items() if ".b8." not in name}
    assert "its blocks are of 4, 16 pixels" in one_line("stylegan2", without)
    other = {**weights, "synthesis.b16.conv1.noise_const": np.zeros((24, 24), np.float32)}
    assert "misshapen: synthesis.b16.conv1.noise_const (24, 24), expected (16, 16)" in one_line("stylegan2", other)
    for size in (4, 48):
        with pytest.raises(ValueError, match=f"images of 8, 16, 32 … pixels, not of {size}"):
            networks.channels(size)
    assert networks.channels(1024) == (512, 512, 512, 512, 512, 256, 128, 64, 32)


def test_the_full_sizes_are_those_of_the_release():
    """FFHQ's networks at 1,024 pixels have 30,370,060 and 29,012,513 parameters (NVIDIA's own count of training)."""
    full = networks.channels(1024)
    with torch.device("meta"):
        sources = {"stylegan2": twin.Generator(full, 512, 512), "stylegan2-discriminator": twin.Discriminator(full)}
    counts = {}
    for kind, module in sources.items():
        shapes = {name: tuple(values.shape) for name, values in module.state_dict().items()}
        zeros = {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()}
        filters = {name: np.outer((1, 3, 3, 1), (1, 3, 3, 1)) / 64 for name in zeros if name.endswith("_filter")}
        params = interop.load(kind, zeros | filters)["params"]
        counts[kind] = sum(p.size for p in jax.tree.leaves(params))
        assert counts[kind] == sum(p.numel() for p in module.parameters())
    assert counts == {"stylegan2": 30_370_060, "stylegan2-discriminator": 29_012_513}
