"""The face alignment network (Bulat & Tzimiropoulos, ICCV 2017) with one hourglass (Newell et al., ECCV 2016)."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.core import DATA_AXIS
from lgan_jax.nn.convolution import Conv
from lgan_jax.nn.initialisers import kaiming_normal
from lgan_jax.ops.pooling import max_pool

SMALLEST_MAP = 4  # pixels on a side at the bottom of the hourglass


class NormActivation(nn.Module):
    """Batch normalisation, statistics over all devices while training, then ReLU."""

    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "*shape channels"], train: bool) -> Float[Array, "*shape channels"]:
        x = nn.BatchNorm(
            use_running_average=not train,
            momentum=0.9,
            epsilon=1e-5,
            dtype=self.dtype,
            axis_name=DATA_AXIS if train else None,
            name="norm",
        )(x)
        return nn.relu(x)


class ResidualBlock(nn.Module):
    """Three 3×3 convolutions, each after norm and ReLU, whose outputs (1/2, 1/4, 1/4 of the channels) are joined.

    The shortcut is x, or a 1×1 convolution after norm and ReLU where the number of channels changes.
    """

    features: int
    dtype: Any = None

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"], train: bool
    ) -> Float[Array, "batch height width features"]:
        parts, y = [], x
        for i, share in enumerate((2, 4, 4)):
            y = NormActivation(self.dtype, name=f"norm_{i}")(y, train)
            y = self._conv(self.features // share, 3, f"conv_{i}")(y)
            parts.append(y)
        if x.shape[-1] != self.features:
            x = NormActivation(self.dtype, name="shortcut_norm")(x, train)
            x = self._conv(self.features, 1, "shortcut")(x)
        return x + jnp.concatenate(parts, -1)

    def _conv(self, features: int, size: int, name: str) -> Conv:
        return Conv(features, size, use_bias=False, dtype=self.dtype, kernel_init=kaiming_normal, name=name)


class Hourglass(nn.Module):
    """Residual blocks at `depth` + 1 sizes, each half the one above: down by maximum pooling, up by repetition."""

    depth: int
    features: int
    dtype: Any = None

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"], train: bool
    ) -> Float[Array, "batch height width channels"]:
        def block(name: str) -> ResidualBlock:
            return ResidualBlock(self.features, self.dtype, name=name)

        upper = block("upper")(x, train)
        lower = block("down")(max_pool(x), train)
        if self.depth > 1:
            lower = Hourglass(self.depth - 1, self.features, self.dtype, name="inside")(lower, train)
        else:
            lower = block("bottom")(lower, train)
        lower = block("up")(lower, train)
        return upper + jnp.repeat(jnp.repeat(lower, 2, axis=1), 2, axis=2)


class FaceAlignmentNetwork(nn.Module):
    """One heatmap for each landmark, a quarter of the picture's size: float32 `(batch, H/4, W/4, points)`, no softmax.

    A 7×7 convolution of stride 2, a residual block, maximum pooling, two residual blocks, one hourglass, one more
    block, and 1×1 convolutions. Differs from the published FAN in pooling by the maximum where that averages. Takes
    pictures in [0, 1].

    Attributes:
      points: how many landmarks.
      width: channels in the hourglass, a multiple of 4; a quarter of it after the first convolution.
      depth: how often the hourglass halves its map; fewer times where that would go below 4×4 pixels.
      dtype: what to compute in.
    """

    points: int
    width: int = 256
    depth: int = 4
    dtype: Any = None

    @nn.compact
    def __call__(
        self, image: Float[Array, "batch height width 3"], train: bool
    ) -> Float[Array, "batch rows columns points"]:
        width, dtype = self.width, self.dtype

        def norm(name: str) -> NormActivation:
            return NormActivation(dtype, name=name)

        def block(features: int, name: str) -> ResidualBlock:
            return ResidualBlock(features, dtype, name=name)

        def conv(features: int, size: int, name: str, **options: Any) -> Conv:
            return Conv(features, size, kernel_init=kaiming_normal, name=name, **{"dtype": dtype, **options})

        x = conv(width // 4, 7, "stem", strides=2, padding=3)(image)
        x = norm("stem_norm")(x, train)
        x = block(width // 2, "block_0")(x, train)
        x = max_pool(x)
        x = block(width // 2, "block_1")(x, train)
        x = block(width, "block_2")(x, train)
        depth = min(self.depth, max(1, (min(x.shape[1:3]) // SMALLEST_MAP).bit_length() - 1))
        x = Hourglass(depth, width, dtype, name="hourglass")(x, train)
        x = block(width, "top")(x, train)
        x = norm("top_norm")(conv(width, 1, "top_conv")(x), train)
        return conv(self.points, 1, "heatmaps", dtype=jnp.float32)(x)
