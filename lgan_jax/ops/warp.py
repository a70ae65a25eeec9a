"""Resampling images. Positions (x, y) in [0, 1] from edge to edge, pixel centers at (i + 0.5) / size."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def pixel_centers(height: int, width: int) -> Float[Array, "{height} {width} 2"]:
    """The identity grid: the position of every pixel's center."""
    x = (jnp.arange(width, dtype=jnp.float32) + 0.5) / width
    y = (jnp.arange(height, dtype=jnp.float32) + 0.5) / height
    return jnp.stack(jnp.meshgrid(x, y), -1)


def sample(
    image: Float[Array, "height width channels"], positions: Float[Array, "*points 2"]
) -> Float[Array, "*points channels"]:
    """The image at `positions`, bilinear between pixel centers, the border's color beyond them.

    Differentiable in both. Takes one image: `jax.vmap` it over a batch.
    """
    height, width = image.shape[:2]
    return _bilinear(image, positions[..., 0] * width - 0.5, positions[..., 1] * height - 0.5)


def _bilinear(image: Array, x: Array, y: Array) -> Array:
    """`image` at columns `x` and rows `y`, whole numbers at the pixels' centers."""
    height, width = image.shape[:2]

    def at(row: Array, column: Array) -> Array:
        return image.at[row, column].get(mode="promise_in_bounds")  # without it, every pixel is tested for an overrun

    x, y = _within(x, width), _within(y, height)
    left = jnp.clip(jnp.floor(x), 0, max(width - 2, 0)).astype(jnp.int32)
    top = jnp.clip(jnp.floor(y), 0, max(height - 2, 0)).astype(jnp.int32)
    right, bottom = jnp.minimum(left + 1, width - 1), jnp.minimum(top + 1, height - 1)
    a, b = (x - left)[..., None], (y - top)[..., None]
    upper = at(top, left) * (1 - a) + at(top, right) * a
    lower = at(bottom, left) * (1 - a) + at(bottom, right) * a
    return upper * (1 - b) + lower * b


def _within(x: Array, size: int) -> Array:
    """Brought to the nearest pixel. The derivative is 1 up to and including the border (`jnp.clip` has 1/2 there)."""
    return jnp.where(x < 0, 0, jnp.where(x > size - 1, size - 1, x))


def warp(
    image: Float[Array, "batch height width channels"], flow: Float[Array, "batch height width 2"]
) -> Float[Array, "batch height width channels"]:
    """Every pixel of the result is the image's at its own place plus `flow`: Eq. 3 of DFT-Net.

    `flow` (x, y) is in image widths and heights; where it is zero the pixel is exactly the image's own. Bilinear,
    the border's color beyond the border; differentiable in both.
    """
    height, width = image.shape[1:3]
    rows = jnp.arange(height, dtype=jnp.float32)[None, :, None] + flow[..., 1] * height
    columns = jnp.arange(width, dtype=jnp.float32)[None, None, :] + flow[..., 0] * width
    return jax.vmap(_bilinear)(image, columns, rows)


def affine_points(
    points: Float[Array, "*batch 2"], matrix: Float[Array, "2 2"], shift: Float[Array, " 2"]
) -> Float[Array, "*batch 2"]:
    """`matrix` about the image's center (0.5, 0.5), then `shift`, of positions."""
    middle = jnp.full((1,) * (points.ndim - 1) + (2,), 0.5)
    moved = jnp.einsum("ij,...j->...i", matrix, points - middle)
    return moved + middle + shift.reshape(middle.shape)


def affine_image(
    image: Float[Array, "height width channels"],
    matrix: Float[Array, "2 2"],
    shift: Float[Array, " 2"],
    mirror_borders: bool = False,
) -> Float[Array, "height width channels"]:
    """The image in which what was at p is at `affine_points(p, matrix, shift)`; `matrix` must be invertible.

    Beyond its borders the image has their color, or with `mirror_borders` its mirror image.
    """
    (a, b), (c, d) = matrix
    inverse = jnp.array([[d, -b], [-c, a]]) / (a * d - b * c)
    grid = pixel_centers(*image.shape[:2]) - shift.reshape(1, 1, 2)
    positions = affine_points(grid, inverse, jnp.zeros(2))
    return sample(image, 1 - jnp.abs(1 - jnp.mod(positions, 2)) if mirror_borders else positions)
