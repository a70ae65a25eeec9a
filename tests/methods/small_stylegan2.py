"""A StyleGAN2 phase of 8 pixels."""

import jax.numpy as jnp

from lgan_jax.core import FaceInfo
from lgan_jax.landmarks import INNER49
from lgan_jax.methods.projection.stylegan2 import Settings, StyleGAN2Phase

FACES = FaceInfo(INNER49, 8, ("somebody",))
SMALL = {
    "channel_base": 24,
    "channel_max": 3,
    "z_dim": 5,
    "w_dim": 6,
    "mapping_layers": 1,
    "batch_size": 4,
    "mbstd_group_size": 4,
    "ema_rampup": 0.05,
}


def small_stylegan2(dtype=jnp.float32, **changes):
    return StyleGAN2Phase(Settings(steps=20, **SMALL | changes), FACES, dtype, {})
