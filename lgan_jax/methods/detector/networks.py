"""The detector Ω: a face alignment network with softmax heatmaps, as input of DSNT."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.nn.fan import SMALLEST_MAP, FaceAlignmentNetwork
from lgan_jax.nn.layers import Conv
from lgan_jax.ops.dsnt import spatial_softmax


class HeatmapDetector(nn.Module):
    """Images in [0, 1] to one heatmap per landmark, float32 `(batch, H/4, W/4, points)`, each with sum 1.

    Attributes: see `FaceAlignmentNetwork`; a 1×1 convolution without bias and a softmax follow.
    """

    points: int
    width: int = 256
    depth: int = 4
    dtype: Any = None
    smallest_map: int = SMALLEST_MAP

    @nn.compact
    def __call__(
        self, image: Float[Array, "batch height width 3"], train: bool = False
    ) -> Float[Array, "batch rows columns points"]:
        fan = FaceAlignmentNetwork(
            self.points, self.width, self.depth, self.dtype, smallest_map=self.smallest_map, name="fan"
        )
        mix = Conv(self.points, 1, use_bias=False, dtype=jnp.float32, name="mix")
        return spatial_softmax(mix(fan(image, train)))
