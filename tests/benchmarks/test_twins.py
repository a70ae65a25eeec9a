"""PyTorch's side of the benchmark computes what the library does, or its times would mean nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.sizes import Sizes
from lgan_jax.methods.detector.networks import HeatmapDetector
from lgan_jax.methods.landmarkgan import losses
from lgan_jax.methods.landmarkgan.networks import LandmarkToFace
from lgan_jax.nn.patch_discriminator import PatchDiscriminator

torch = pytest.importorskip("torch", reason="PyTorch is not installed; pip install 'lgan_jax[torch]'")
from benchmarks import landmarkgan  # noqa: E402  after the skip
from benchmarks import torch_landmarkgan as twin  # noqa: E402
from benchmarks.timing import TOLERANCE, disagreement  # noqa: E402
from benchmarks.torch_weights import load  # noqa: E402

SIZES = Sizes(size=64, points=5, width=1 / 64, discriminator_width=6, detector_width=16, detector_depth=2)


def random_weights(module, *inputs):
    """Variables with nothing at its initial 0 or 1, and positive variances."""
    random = np.random.default_rng(0)
    variables = jax.eval_shape(module.init, jax.random.key(0), *inputs)

    def draw(p):
        scale = 1 if len(p.shape) == 1 else np.prod(p.shape[:-1]) ** -0.5
        return (scale * random.uniform(0.2 if len(p.shape) == 1 else -1.5, 1.5, p.shape)).astype(np.float32)

    return jax.tree.map(draw, variables)


def to_torch(x):
    return torch.tensor(np.asarray(x)).movedim(-1, 1)


def agree(ours, theirs):
    np.testing.assert_allclose(ours, theirs.detach().movedim(1, -1).numpy(), atol=1e-4, rtol=1e-4)


def test_generator():
    landmarks = jax.random.uniform(jax.random.key(2), (2, 5, 2))
    module, other = LandmarkToFace(64, 1 / 64), twin.LandmarkToFace(SIZES)
    variables = random_weights(module, landmarks)
    load(other, variables)
    made = jax.jit(module.apply)(variables, landmarks)
    assert float(made.std()) > 0.01
    agree(made, other(torch.tensor(np.asarray(landmarks))))


def test_discriminator():
    image = jax.random.uniform(jax.random.key(2), (2, 64, 64, 3), minval=-1)
    module, other = PatchDiscriminator(6), twin.PatchDiscriminator(SIZES)
    variables = random_weights(module, image)
    load(other, variables)
    for ours, theirs in zip(jax.jit(module.apply)(variables, image), other(to_torch(image)), strict=True):
        agree(ours, theirs)


def test_detector_and_its_loss():
    image = jax.random.uniform(jax.random.key(2), (2, 64, 64, 3))
    module, other = HeatmapDetector(5, 16, 2), twin.HeatmapDetector(SIZES).eval()
    variables = random_weights(module, image)
    load(other, variables)
    heatmaps = jax.jit(module.apply)(variables, image)
    agree(heatmaps, other(to_torch(image)))
    landmarks, weights = jax.random.uniform(jax.random.key(3), (2, 5, 2)), jnp.arange(1.0, 6.0)
    theirs = twin.i2l(to_torch(heatmaps), torch.tensor(np.asarray(landmarks)), torch.tensor(np.asarray(weights)))
    np.testing.assert_allclose(
        jax.jit(losses.i2l, static_argnums=3)(heatmaps, landmarks, weights, 1.0), theirs, rtol=1e-5
    )


def test_weights_that_are_missing_are_an_error():
    with pytest.raises(ValueError, match=r"layer_0\.bias"):
        load(twin.LandmarkToFace(SIZES), {"params": {"head": {"kernel": np.zeros((5, 5, 2, 3), np.float32)}}})


def test_both_sides_take_the_same_steps():
    """The losses of the second step are those of weights that the first has changed."""
    sizes = Sizes(32, width=1 / 32, discriminator_width=4, detector_width=8)
    batch = landmarkgan.example(32, 1, 2)
    mine, variables = landmarkgan.ours(sizes, batch)
    other = landmarkgan.theirs(sizes, batch, variables)
    assert disagreement(mine["forward"](), other["forward"]()) <= TOLERANCE
    for _ in range(2):
        ours, theirs = mine["training step"](), other["training step"]()
        np.testing.assert_allclose([ours[name] for name in theirs], list(theirs.values()), rtol=2e-3)
