"""The face alignment network (Bulat & Tzimiropoulos, ICCV 2017): hourglasses (Newell et al., ECCV 2016), stacked."""

from __future__ import annotations

from typing import Any, Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.nn.layers import Conv, batch_norm
from lgan_jax.ops.resample import max_pool

Pool = Literal["max", "mean"]  # of every 2×2 pixels

SMALLEST_MAP = 4  # size in pixels of the smallest feature map of an hourglass


class NormActivation(nn.Module):
    """Batch normalisation, statistics over all devices while training, then ReLU."""

    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "*shape channels"], train: bool) -> Float[Array, "*shape channels"]:
        return nn.relu(batch_norm(train, self.dtype, "norm")(x))


class ResidualBlock(nn.Module):
    """Three 3×3 convolutions, each after batch norm and ReLU; concatenated outputs (1/2, 1/4, 1/4 of the channels).

    The shortcut is x, or a 1×1 convolution after normalisation and ReLU if the number of channels changes.
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
        return Conv(features, size, use_bias=False, dtype=self.dtype, name=name)


class Hourglass(nn.Module):
    """Residual blocks at `depth` + 1 resolutions: downsampling by pooling, nearest-neighbour upsampling."""

    depth: int
    features: int
    dtype: Any = None
    pool: Pool = "max"

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"], train: bool
    ) -> Float[Array, "batch height width channels"]:
        def block(name: str) -> ResidualBlock:
            return ResidualBlock(self.features, self.dtype, name=name)

        upper = block("upper")(x, train)
        lower = block("down")(_halved(x, self.pool), train)
        if self.depth > 1:
            lower = Hourglass(self.depth - 1, self.features, self.dtype, self.pool, name="inside")(lower, train)
        else:
            lower = block("bottom")(lower, train)
        lower = block("up")(lower, train)
        return upper + jnp.repeat(jnp.repeat(lower, 2, axis=1), 2, axis=2)


class FaceAlignmentNetwork(nn.Module):
    """FAN: one heatmap per landmark at a quarter of the image's size, float32 `(batch, H/4, W/4, points)`, no softmax.

    A 7×7 convolution of stride 2, a residual block, pooling, two residual blocks; then `stacks` times an hourglass, one
    more block, and 1×1 convolutions. Every stack but the last adds its features and heatmaps, each after a 1×1
    convolution, to its input, as the next stack's input; the last heatmaps are returned. Takes images in [0, 1].

    The authors' published FAN has four stacks and mean pooling.

    Attributes:
      points: number of landmarks.
      width: channels in the hourglass, a multiple of 8; a quarter of it after the first convolution.
      depth: number of downsamplings of an hourglass; fewer if a map would be smaller than `smallest_map`.
      dtype: dtype of computations.
      stacks: number of hourglasses.
      pool: kind of 2×2 pooling.
      smallest_map: size in pixels.
    """

    points: int
    width: int = 256
    depth: int = 4
    dtype: Any = None
    stacks: int = 1
    pool: Pool = "max"
    smallest_map: int = SMALLEST_MAP

    @nn.compact
    def __call__(
        self, image: Float[Array, "batch height width 3"], train: bool = False
    ) -> Float[Array, "batch rows columns points"]:
        width, dtype = self.width, self.dtype

        def block(features: int, name: str) -> ResidualBlock:
            return ResidualBlock(features, dtype, name=name)

        x = self._conv(width // 4, 7, "stem", strides=2, padding=3)(image)
        x = NormActivation(dtype, name="stem_norm")(x, train)
        x = block(width // 2, "block_0")(x, train)
        x = _halved(x, self.pool)
        x = block(width // 2, "block_1")(x, train)
        x = block(width, "block_2")(x, train)
        for i in range(self.stacks):
            after = f"_{i}" if i else ""
            features, heatmaps = self._stack(x, train, after)
            if i < self.stacks - 1:
                x = x + self._conv(width, 1, f"features_back{after}")(features)
                x = x + self._conv(width, 1, f"heatmaps_back{after}")(heatmaps)
        return heatmaps

    def _stack(self, x: Array, train: bool, after: str) -> tuple[Array, Array]:
        """The features and heatmaps of one hourglass; names of its layers end in `after`."""
        width, dtype = self.width, self.dtype
        depth = min(self.depth, max(1, (min(x.shape[1:3]) // self.smallest_map).bit_length() - 1))
        x = Hourglass(depth, width, dtype, self.pool, name=f"hourglass{after}")(x, train)
        x = ResidualBlock(width, dtype, name=f"top{after}")(x, train)
        x = self._conv(width, 1, f"top_conv{after}")(x)
        x = NormActivation(dtype, name=f"top_norm{after}")(x, train)
        return x, self._conv(self.points, 1, f"heatmaps{after}", dtype=jnp.float32)(x)

    def _conv(self, features: int, size: int, name: str, **options: Any) -> Conv:
        return Conv(features, size, name=name, **{"dtype": self.dtype, **options})


def _halved(x: Float[Array, "batch height width channels"], pool: Pool) -> Float[Array, "batch rows columns channels"]:
    return max_pool(x) if pool == "max" else nn.avg_pool(x, (2, 2), (2, 2))
