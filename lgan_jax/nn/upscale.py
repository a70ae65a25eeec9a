"""2x upsampling by sub-pixel convolution (PixelShuffle; Shi et al., CVPR 2016)."""

from __future__ import annotations

from typing import Any

import dm_pix
import flax.linen as nn
from jaxtyping import Array, Float

from lgan_jax.nn.convolution import Conv


class UpscaleBlock(nn.Module):
    """3×3 convolution to four times the channels, LeakyReLU(0.1), PixelShuffle(2).

    Channel (2·i + j)·features + c of the convolution becomes channel c of the pixel in row i and column j of its 2×2
    square. PyTorch's PixelShuffle takes channel 4·c + 2·i + j instead: published weights need that permutation.

    Attributes:
      features: channels of the output.
      dtype: dtype of computations.
    """

    features: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "batch height width channels"]) -> Float[Array, "batch rows columns features"]:
        x = Conv(4 * self.features, dtype=self.dtype, name="conv")(x)
        return dm_pix.depth_to_space(nn.leaky_relu(x, 0.1), 2)
