"""The networks of LandmarkGAN: Φ and Ψ_t, which convert landmarks, and Θ_t, which turns them into a face."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.nn.convolution import Conv
from lgan_jax.nn.initialisers import kaiming_normal
from lgan_jax.nn.upscale import UpscaleBlock

SLOPE = 0.1  # of LeakyReLU where x < 0
SIZES = (32, 64, 128, 256)  # of the pictures that a generator can make, in pixels
_CHANNELS = (512, 256, 128, 128, 128, 64)  # after each upscale block, at 8, 16 … 256 pixels


class LandmarkMLP(nn.Module):
    """Landmarks to landmarks through five fully connected layers: the encoder Φ, and a decoder Ψ_t.

    2N → width → width → width → width → 2N with LeakyReLU(0.1) between, so the latent has the landmarks' shape, as the
    second term of Eq. 4 needs. Computes in float32 unless given another dtype; returns float32.
    """

    width: int = 512
    dtype: Any = None

    @nn.compact
    def __call__(self, landmarks: Float[Array, "batch n 2"]) -> Float[Array, "batch n 2"]:
        x = landmarks.reshape(landmarks.shape[0], -1)
        features = (*(self.width,) * 4, x.shape[-1])
        for i, count in enumerate(features):
            x = nn.leaky_relu(x, SLOPE) if i else x
            x = nn.Dense(count, dtype=self.dtype, kernel_init=kaiming_normal, name=f"layer_{i}")(x)
        return x.astype(jnp.float32).reshape(landmarks.shape)


class LandmarkToFace(nn.Module):
    """Θ_t, the TL2F generator: landmarks in [0, 1] to a picture `(batch, size, size, 3)` in [-1, 1].

    2N → 1024, LeakyReLU(0.1) → 16384 → 4×4×1024 (row, column, channel) → upscale blocks to 512, 256, 128, 128, 128, 64
    channels, each but the first followed by a plain 3×3 convolution → 5×5 convolution to 3 → sigmoid s → 2s − 1. A
    picture smaller than 256 pixels needs fewer blocks.

    Attributes:
      size: the picture's side, one of `SIZES`.
      width: factor on all these channels.
      dtype: what to compute in; the last convolution is float32.
    """

    size: int
    width: float = 1.0
    dtype: Any = None

    @nn.compact
    def __call__(self, landmarks: Float[Array, "batch n 2"]) -> Float[Array, "batch size size 3"]:
        def features(full: int) -> int:
            return max(1, round(full * self.width))

        options = {"dtype": self.dtype, "kernel_init": kaiming_normal}
        count = landmarks.shape[0]
        x = nn.Dense(features(1024), name="layer_0", **options)(landmarks.reshape(count, -1))
        x = nn.Dense(16 * features(1024), name="layer_1", **options)(nn.leaky_relu(x, SLOPE))
        x = x.reshape(count, 4, 4, features(1024))
        for i in range(SIZES.index(self.size) + 3):
            x = UpscaleBlock(features(_CHANNELS[i]), self.dtype, name=f"upscale_{i}")(x)
            if i:
                x = Conv(features(_CHANNELS[i]), name=f"conv_{i}", **options)(x)
        x = Conv(3, 5, name="head", dtype=jnp.float32, kernel_init=kaiming_normal)(x)
        return 2 * nn.sigmoid(x) - 1
