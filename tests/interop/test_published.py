"""Published weights give what the originals give: against PyTorch twins with the published names."""

import re

import jax
import numpy as np
import pytest

from lgan_jax import interop
from lgan_jax.interop import landmarkgan
from lgan_jax.nn import stacked, vgg
from lgan_jax.ops import dsnt

torch = pytest.importorskip("torch", reason="PyTorch is not installed; pip install 'lgan_jax[torch]'")
import twins  # noqa: E402  after the skip
from twin_inception import Inception  # noqa: E402

WIDTH = 1 / 64  # of the generator
EXACT = {"atol": 1e-4, "rtol": 0}
INNER = 65  # of 98 points, which come first in the published order


def theirs(landmarks):
    """Landmarks `(batch, N, 2)` of ours in the published frame and order, flat."""
    centres = (64 * landmarks - 0.5) / 63
    if landmarks.shape[1] == 98:
        centres = np.concatenate([centres[:, 33:], centres[:, :33]], 1)
    return torch.tensor(centres.reshape(len(centres), -1), dtype=torch.float32)


def ours(flat):
    """The other way."""
    landmarks = (63 * flat.detach().numpy().reshape(len(flat), -1, 2) + 0.5) / 64
    return np.concatenate([landmarks[:, INNER:], landmarks[:, :INNER]], 1) if landmarks.shape[1] == 98 else landmarks


def reordered(flat):
    """A latent in our order of points: its frame stays."""
    latent = flat.detach().numpy().reshape(len(flat), -1, 2)
    return np.concatenate([latent[:, INNER:], latent[:, :INNER]], 1) if latent.shape[1] == 98 else latent


def landmarks(points, count=3):
    return np.random.default_rng(points).uniform(0, 1, (count, points, 2)).astype(np.float32)


def pictures(size, count=2):
    return np.random.default_rng(size).uniform(0, 1, (count, size, size, 3)).astype(np.float32)


def nchw(x):
    return torch.tensor(np.moveaxis(x, -1, 1).copy())


def nhwc(x):
    return np.moveaxis(x.detach().numpy(), 1, -1)


def apply(network, x):
    return jax.jit(network.module.apply)(network.variables, x)


@pytest.mark.parametrize("points", [98, 7])
def test_encoder(points):
    twin, x = twins.drawn(twins.Encoder(points, 24)), landmarks(points)
    made = apply(interop.network("landmarkgan/encoder", twins.arrays(twin)), x)
    np.testing.assert_allclose(made, reordered(twin(theirs(x))), **EXACT)


@pytest.mark.parametrize("points", [98, 7])
def test_decoders_of_all_identities(points):
    twin, latent = twins.drawn(twins.Decoder(points, 24, identities=2)), landmarks(points)
    network = interop.network("landmarkgan/decoder", twins.arrays(twin))
    for identity in range(2):
        one = network._replace(variables=stacked.pick(network.variables, identity))
        expected = ours(twin(torch.tensor(latent.reshape(3, -1)), identity))
        np.testing.assert_allclose(apply(one, reordered(torch.tensor(latent))), expected, **EXACT)


@pytest.mark.parametrize(("points", "blocks", "size"), [(98, 3, 64), (7, 5, 256)])
def test_generator(points, blocks, size):
    twin, x = twins.drawn(twins.Generator(points, WIDTH, blocks)), landmarks(points, 2)
    network = interop.network("landmarkgan/generator", twins.arrays(twin))
    made = apply(network, x)
    assert made.shape == (2, size, size, 3)
    assert np.ptp(made) > 0.5
    np.testing.assert_allclose((made + 1) / 2, nhwc(twin(theirs(x))), **EXACT)


def test_discriminator_and_its_features():
    twin, image = twins.drawn(twins.Discriminator(6)), pictures(24)
    logits, features = apply(interop.network("landmarkgan/discriminator", twins.arrays(twin)), image)
    expected_logits, expected_features = twin(nchw(image))
    np.testing.assert_allclose(logits, nhwc(expected_logits), **EXACT)
    np.testing.assert_allclose(features, nhwc(expected_features), **EXACT)


def test_discriminator_for_signed_images():
    twin, image = twins.drawn(twins.Discriminator(6)), pictures(24)
    network = interop.network("landmarkgan/discriminator", twins.arrays(twin))
    signed = {"params": landmarkgan.for_signed_images(network.variables["params"])}
    logits, _ = apply(network._replace(variables=signed), 2 * image - 1)
    np.testing.assert_allclose(logits, nhwc(twin(nchw(image))[0]), **EXACT)


def test_detector_finds_in_our_frame_what_the_original_finds_in_its():
    twin, image = twins.drawn(twins.Detector(98, 16, depth=3)), pictures(256, 1)
    heatmaps = apply(interop.network("landmarkgan/detector", twins.arrays(twin)), image)
    with torch.no_grad():
        expected_maps, expected = twin(nchw(image))
    np.testing.assert_allclose(heatmaps[..., 33:], nhwc(expected_maps)[..., :INNER], **EXACT)
    np.testing.assert_allclose(dsnt.to_landmarks(dsnt.dsnt(heatmaps)), ours(expected.flatten(1)), **EXACT)


@pytest.mark.parametrize(("stacks", "depth"), [(1, 4), (3, 1)])
def test_fan_with_any_number_of_stacks(stacks, depth):
    twin, image = twins.drawn(twins.FAN(11, 16, depth, stacks)), pictures(4 * 2**depth)
    network = interop.network("fan", twins.arrays(twin))
    expected = nhwc(twin(nchw(image)))
    np.testing.assert_allclose(apply(network, image), expected, atol=1e-4 * np.abs(expected).max(), rtol=0)


def test_pooling_is_the_mean_in_one_and_the_maximum_in_the_other():
    kinds = {"fan": twins.FAN(5, 8, depth=1, stacks=1), "landmarkgan/detector": twins.Detector(5, 8, depth=1)}
    modules = {kind: interop.network(kind, twins.arrays(twins.drawn(twin))).module for kind, twin in kinds.items()}
    assert modules["fan"].pool == "mean"
    assert "pool" not in vars(modules["landmarkgan/detector"])


@pytest.mark.parametrize(("kind", "blocks", "layer", "count"), [
    ("vgg19", vgg.VGG19, "conv1_2", 3),
    ("vgg19", vgg.VGG19, "relu4_4", 27),
    ("vgg16", vgg.VGG16, "pool4", 24),
])  # fmt: skip
def test_vgg_up_to_a_layer(kind, blocks, layer, count):
    twin, image = twins.drawn(twins.VGG(blocks, 3)), pictures(32)
    found = jax.jit(vgg.features(*interop.network(kind, twins.arrays(twin)), layer))(2 * image - 1)
    with torch.no_grad():
        expected = nhwc(twin(nchw(image), count))
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max(), rtol=0)


def test_the_inception_of_fid():
    """Images become larger in one direction and smaller in the other."""
    twin = twins.drawn(Inception(2, 5))
    image = np.random.default_rng(0).uniform(0, 1, (2, 60, 110, 3)).astype(np.float32)
    network = interop.network("inception-fid", twins.arrays(twin))
    found = apply(network._replace(module=network.module.clone(side=75)), 2 * image - 1)
    with torch.no_grad():
        expected = twin(nchw(image), 75)
    assert [x.shape for x in found] == [(2, 128), (2, 5)]
    for ours, theirs in zip(found, expected):
        assert np.ptp(theirs, 0).max() > 1e-3
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs.numpy()).max(), rtol=0)


def full_size(module):
    return {name: np.broadcast_to(np.float32(0), tuple(values.shape)) for name, values in module.state_dict().items()}


def test_the_full_sizes_are_those_of_the_release():
    """44.3 million parameters a generator at 98 points, as the paper's authors' code has it.

    VGG19's convolutions have 20,024,384; torchvision's Inception-v3 has 23,834,568, and 2,049 for each more class.
    """
    with torch.device("meta"):
        sources = {
            "landmarkgan/encoder": twins.Encoder(98, 512),
            "landmarkgan/generator": twins.Generator(98, 1.0),
            "landmarkgan/discriminator": twins.Discriminator(64),
            "landmarkgan/detector": twins.Detector(98, 256, 4),
            "fan": twins.FAN(68, 256, 4, 4),
            "vgg16": twins.VGG(vgg.VGG16, 64).features,
            "vgg19": twins.VGG(vgg.VGG19, 64).features,
            "inception-fid": Inception(),
        }
    sizes = {}
    for kind, module in sources.items():
        prefix = "features." if kind.startswith("vgg") else ""
        variables = interop.load(kind, {prefix + name: values for name, values in full_size(module).items()})
        sizes[kind] = sum(p.size for p in jax.tree.leaves(variables["params"]))
        assert sizes[kind] == sum(p.numel() for p in module.parameters())
    assert round(sizes["landmarkgan/generator"] / 1e6, 1) == 44.3
    assert sizes["vgg19"] == 20_024_384
    assert sizes["inception-fid"] == 23_834_568 + 8 * 2049


SMALL = {
    "landmarkgan/encoder": lambda: twins.Encoder(7, 24),
    "landmarkgan/decoder": lambda: twins.Decoder(7, 24, 3),
    "landmarkgan/generator": lambda: twins.Generator(7, WIDTH, 2),
    "landmarkgan/discriminator": lambda: twins.Discriminator(6),
    "landmarkgan/detector": lambda: twins.Detector(7, 8, 2),
    "fan": lambda: twins.FAN(7, 8, 2, 2),
    "vgg19": lambda: twins.VGG(vgg.VGG19, 2),
}


@pytest.fixture(scope="module", params=SMALL)
def kind_and_weights(request):
    return request.param, twins.arrays(twins.drawn(SMALL[request.param]()))


def one_line(kind, source):
    with pytest.raises(ValueError, match=re.escape(kind)) as caught:
        interop.load(kind, source)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_every_missing_extra_or_misshapen_parameter_is_named(kind_and_weights):
    kind, weights = kind_and_weights
    names = [name for name in weights if not name.endswith("num_batches_tracked")]
    for name in (names[0], names[len(names) // 2]):
        without = {other: values for other, values in weights.items() if other != name}
        assert f"missing: {name}" in one_line(kind, without)
        cut = {**weights, name: weights[name][:-1]}
        assert f"misshapen: {name} {cut[name].shape}, expected" in one_line(kind, cut)
        broken = {**weights, name: np.full_like(weights[name], np.nan)}
        assert one_line(kind, broken).endswith(f"not finite: {name}")
    assert one_line(kind, {**weights, "surplus.weight": np.zeros(3)}).endswith("not part of it: surplus.weight")


def test_where_half_of_the_parameters_disagree_all_are_named():
    weights = twins.arrays(twins.drawn(SMALL["fan"]()))
    single = {
        name: values for name, values in weights.items() if name in ("m0.b1_1.bn1.weight", "l0.weight", "l0.bias")
    }
    single["l0.bias"] = single["l0.bias"][:-1]
    assert "l0.bias (6,) and l0.weight (7, 8, 1, 1) do not fit together" in one_line("fan", single)


def test_prefixes_and_wrappers_come_off(kind_and_weights):
    kind, weights = kind_and_weights
    plain = interop.load(kind, weights)
    parallel = {f"module.{name}": values for name, values in weights.items()}
    for source in (parallel, {"state_dict": parallel, "epoch": 3}, {"model": {"state_dict": weights}, "optimizer": {}}):
        jax.tree.map(np.testing.assert_array_equal, interop.load(kind, source), plain)


def test_what_is_no_state_dict_or_no_kind_is_said():
    assert "lm_encoder.0" in one_line("landmarkgan/encoder", {})
    assert "step is no array of numbers" in one_line("landmarkgan/encoder", {"step": "ten"})
    with pytest.raises(ValueError, match="no published weights of the kind 'fun'; the kinds are landmarkgan/encoder, "):
        interop.load("fun", {})


def test_a_file_that_an_option_names(tmp_path):
    twin = twins.drawn(twins.VGG(vgg.VGG19, 2))
    torch.save(twin.state_dict(), tmp_path / "vgg19.pth")
    network = interop.required("vgg19", str(tmp_path / "vgg19.pth"), "--vgg19")
    jax.tree.map(np.testing.assert_array_equal, network.variables, interop.load("vgg19", twins.arrays(twin)))
    published = re.escape(vgg.PUBLISHED["vgg19"])
    with pytest.raises(FileNotFoundError, match=rf"--vgg19 is not given; .*the vgg19 weights, .* at {published}"):
        interop.required("vgg19", "", "--vgg19")
    with pytest.raises(FileNotFoundError, match=r"--vgg19 is nothing\.pth, and there is no such file; it names"):
        interop.required("vgg19", "nothing.pth", "--vgg19")
