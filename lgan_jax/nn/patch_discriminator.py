"""FUNIT's patch discriminator (Liu et al., ICCV 2019), without normalisation."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.nn.layers import Conv
from lgan_jax.ops.resample import mean_pool

_SLOPE = 0.2


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions, each after a LeakyReLU(0.2), around a shortcut; reflect padding.

    If the number of channels changes, the shortcut is a 1×1 convolution of x without bias. Otherwise the shortcut is
    LeakyReLU(x), not x: in the published code the first activation overwrites its input, and published weights need
    this.
    """

    features: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "batch height width channels"]) -> Float[Array, "batch height width features"]:
        channels = x.shape[-1]
        hidden = min(channels, self.features)
        activated = nn.leaky_relu(x, _SLOPE)
        y = Conv(hidden, padding="reflect", dtype=self.dtype, name="conv_0")(activated)
        y = nn.leaky_relu(y, _SLOPE)
        y = Conv(self.features, padding="reflect", dtype=self.dtype, name="conv_1")(y)
        if channels == self.features:
            return activated + y
        shortcut = Conv(self.features, 1, use_bias=False, dtype=self.dtype, name="shortcut")
        return shortcut(x) + y


class PatchDiscriminator(nn.Module):
    """PatchGAN discriminator: 7×7 convolution, two residual blocks, 2×2 pooling, two residual blocks, 1×1 convolution.

    Returns the logits, float32 `(batch, H/2, W/2, 1)`, higher for real, and the features for feature matching,
    `(batch, H/2, W/2, 4·width)`, after the last LeakyReLU (which also overwrites its input in the published code).

    Attributes:
      width: channels after the first convolution; twice that after the first level, four times at the end.
      dtype: dtype of computations.
    """

    width: int = 64
    dtype: Any = None

    @nn.compact
    def __call__(
        self, image: Float[Array, "batch height width 3"]
    ) -> tuple[Float[Array, "batch rows columns 1"], Float[Array, "batch rows columns features"]]:
        width, dtype = self.width, self.dtype
        x = Conv(width, 7, padding="reflect", dtype=dtype, name="stem")(image)
        x = ResidualBlock(width, dtype, name="block_0")(x)
        x = ResidualBlock(2 * width, dtype, name="block_1")(x)
        x = mean_pool(x)
        x = ResidualBlock(2 * width, dtype, name="block_2")(x)
        x = ResidualBlock(4 * width, dtype, name="block_3")(x)
        features = nn.leaky_relu(x, _SLOPE)
        head = Conv(1, 1, dtype=jnp.float32, name="head")
        return head(features), features
