"""A very small synthesizer of expressions, and batches for it."""

import jax
import jax.numpy as jnp
import numpy as np
from small_methods import ADAM

from lgan_jax.core import FaceInfo
from lgan_jax.interop.names import Network
from lgan_jax.landmarks import IBUG68
from lgan_jax.methods.expression.phases import SynthesizerPhase
from lgan_jax.nn.vgg import VGG

FACES = FaceInfo(IBUG68, 32, ("Ada", "Grace", "Mary"))
SMALL = {
    **{"steps": 20, "batch_size": 6, "optimizer": ADAM, "discriminator_optimizer": ADAM},
    **{"width": 3, "units": 2, "discriminator_width": 2},
}


def small_synthesizer(info=FACES, dtype=jnp.float32, pretrained=None, **options):
    return SynthesizerPhase(SynthesizerPhase.Settings(**{**SMALL, **options}), info, dtype, {}, pretrained)


def small_vgg():
    module = VGG((2, 2), 5, "conv1_2")
    return {"vgg19": Network(module, jax.jit(module.init)(jax.random.key(3), jnp.zeros((1, 8, 8, 3))))}


def couples(count, size=32):
    """Images with smooth noise, two of a person, the second lighter, with landmarks and different expressions."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(-0.8, 0.6, (count, 1, size // 8, size // 8, 3)) + np.array([0, 0.2]).reshape(1, 2, 1, 1, 1)
    first = rng.integers(0, 8, count)
    return {
        "image": coarse.repeat(8, 2).repeat(8, 3).astype(np.float32),
        "landmarks": rng.uniform(0.2, 0.8, (count, 2, 68, 2)).astype(np.float32),
        "expression": np.stack([first, (first + 3) % 8], 1).astype(np.int32),
    }
