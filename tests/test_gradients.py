"""Every network of the library: gradients have the parameters' shapes, are finite, and reach every parameter and input.

Parameters are perturbed: heads that start at zero stop the gradients behind them.
"""

import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax import landmarks
from lgan_jax.core import DATA_AXIS
from lgan_jax.methods.began import networks as began
from lgan_jax.methods.detector.networks import HeatmapDetector
from lgan_jax.methods.dftnet import networks as dftnet
from lgan_jax.methods.expression import networks as expression
from lgan_jax.methods.landmarkgan import networks as landmarkgan
from lgan_jax.methods.projection import discriminator as stylegan2
from lgan_jax.methods.projection import networks as projection
from lgan_jax.metrics.expression_classifier import Network as ExpressionClassifier
from lgan_jax.nn import fan, lpips, patch_discriminator, vgg

_RNG = np.random.default_rng(0)
IMAGE = _RNG.uniform(-0.9, 0.9, (2, 32, 32, 3)).astype(np.float32)
LARGER = _RNG.uniform(-0.9, 0.9, (2, 64, 64, 3)).astype(np.float32)
LANDMARKS = _RNG.uniform(0.1, 0.9, (2, 68, 2)).astype(np.float32)
UNITS = _RNG.uniform(0, 1, (2, 17)).astype(np.float32)
LATENT = _RNG.normal(size=(2, 12)).astype(np.float32)
LABELS = jnp.array([1, 5])
KEYS = jax.random.split(jax.random.key(0), 2)
CLASSES = jnp.eye(3)[jnp.array([0, 2])]

# name → the network, the inputs that gradients reach too, further inputs, keyword arguments
NETWORKS = {
    "landmarkgan encoder and decoder": (landmarkgan.LandmarkMLP(10), (LANDMARKS,), (), {}),
    "landmarkgan generator": (landmarkgan.LandmarkToFace(32, 1 / 64), (LANDMARKS,), (), {}),
    "landmarkgan refiner": (landmarkgan.ReferenceRefiner(landmarks.IBUG68, 8), (IMAGE, -IMAGE, LANDMARKS), (), {}),
    "landmarkgan discriminator": (patch_discriminator.PatchDiscriminator(3), (IMAGE,), (), {}),
    "detector": (HeatmapDetector(5, 8, 1), (IMAGE,), (), {"train": True}),
    "face alignment network": (fan.FaceAlignmentNetwork(5, 8, 1), (IMAGE,), (), {"train": True}),
    "dftnet": (dftnet.DFTNetGenerator(3, 1), (IMAGE, UNITS), (), {}),
    "ganimation": (dftnet.GANimation(3, 1), (IMAGE, UNITS), (), {}),
    "dftnet discriminator": (dftnet.Discriminator(2), (LARGER,), (), {}),
    "expression generator": (expression.Generator(3, 2), (IMAGE, LANDMARKS), (LABELS, KEYS), {}),
    "expression discriminator": (expression.Discriminator(3), (LARGER, -LARGER, LANDMARKS), (), {}),
    "began autoencoder": (began.AutoEncoder(7, 16, 3), (IMAGE[:, :16, :16],), (), {}),
    "began generator": (began.Decoder(16, 3, skips=True), (LATENT,), (), {}),
    "began landmark generator": (began.LandmarkGenerator(9), (LATENT,), (), {}),
    "stylegan2 generator": (projection.Generator((6, 5, 4), 12, 10, 3, 2), (LATENT,), (CLASSES,), {}),
    "stylegan2 discriminator": (stylegan2.Discriminator((6, 5, 4), 3, 2), (IMAGE[:, :16, :16],), (CLASSES,), {}),
    "vgg": (vgg.VGG(width=2, last="conv3_1"), (IMAGE,), (), {}),
    "lpips": (lpips.LPIPS(2), (IMAGE,), (), {}),
    "expression classifier": (ExpressionClassifier(8), (IMAGE[..., :1],), (), {}),
}


def perturbed(path, leaf):
    """A kernel of gain 1, a scale or a variance of about 1, anything else of about 0: nowhere what it starts at."""
    place = jax.tree_util.keystr(path)
    drawn = np.random.default_rng(zlib.crc32(place.encode())).normal(size=leaf.shape).astype(np.float32)
    if path[-1].key == "kernel" and "['lin" in place:  # the square roots of LPIPS's weights are taken
        return np.abs(drawn)
    if path[-1].key == "kernel":
        return drawn / np.sqrt(np.prod(leaf.shape[:-1]))
    return 1 + 0.1 * np.abs(drawn) if path[-1].key in ("scale", "var") else 0.1 * drawn


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_reach_every_parameter_and_input(name):
    network, inputs, further, options = NETWORKS[name]
    abstract = jax.eval_shape(lambda *given: network.init(jax.random.key(0), *given, *further, **options), *inputs)
    variables = jax.tree_util.tree_map_with_path(perturbed, abstract)
    params, others = variables["params"], {key: value for key, value in variables.items() if key != "params"}

    def objective(params, inputs):
        outputs = network.apply({"params": params, **others}, *inputs, *further, **options, mutable=[*others] or False)
        leaves = jax.tree.leaves(outputs[0] if others else outputs)
        return sum(jnp.sum(jnp.sin(1.0 + jnp.arange(leaf.size)).reshape(leaf.shape) * leaf) for leaf in leaves)

    # Batch norm takes its statistics over the axis of devices, which has length 1 here.
    gradient = jax.vmap(jax.grad(objective, (0, 1)), (None, None), axis_name=DATA_AXIS, axis_size=1)
    gradients = jax.tree.map(lambda leaf: leaf[0], jax.jit(gradient)(params, inputs))
    assert jax.tree.map(jnp.shape, gradients) == jax.tree.map(jnp.shape, (params, inputs))
    for path, gradient in jax.tree_util.tree_leaves_with_path(gradients):
        assert np.isfinite(gradient).all(), jax.tree_util.keystr(path)
        assert np.any(gradient), jax.tree_util.keystr(path)
