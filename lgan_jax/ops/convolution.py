"""Two-dimensional convolution, NHWC with HWIO kernels."""

from __future__ import annotations

import jax
from jaxtyping import Array, Float

Pads = tuple[tuple[int, int], tuple[int, int]]


def convolve(
    image: Float[Array, "batch height width channels"],
    kernel: Float[Array, "rows columns channels features"],
    stride: int = 1,
    padding: Pads = ((0, 0), (0, 0)),
) -> Float[Array, "batch out_height out_width features"]:
    """Cross-correlation (what networks call a convolution) with `padding` zeros before and after each side."""
    return jax.lax.conv_general_dilated(
        image, kernel, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
