"""Winograd's minimal filtering: a 3×3 convolution with 2.25 times fewer products.

F(2×2, 3×3) of Lavin & Gray (CVPR 2016, arXiv 1509.09308, section 4.1): every 2×2 pixels of the output are
Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A, with g the kernel and d the 4×4 pixels of the image that they see; summed over channels, the
products of all tiles are 16 matrix products. In float32 it rounds like any other order of the sums (2e-6 of the
largest output, as between two direct convolutions).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

_G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)


def convolve(
    image: Float[Array, "batch height width channels"], kernel: Float[Array, "3 3 channels features"], depth: int
) -> Float[Array, "batch out_height out_width features"]:
    """The convolution without padding, `depth` rows of the output after the other, so that they stay in the cache.

    Height and width must be even, and `depth` an even divisor of the output's height.
    """
    height = image.shape[1] - 2
    factors = jnp.einsum("ap,bq,pqio->abio", _G, _G, kernel)

    def strip(_: None, top: Array) -> tuple[None, Array]:
        return None, _strip(jax.lax.dynamic_slice_in_dim(image, top, depth + 2, 1), factors)

    _, rows = jax.lax.scan(strip, None, jnp.arange(0, height, depth))
    return jnp.moveaxis(rows, 0, 1).reshape(image.shape[0], height, image.shape[2] - 2, kernel.shape[3])


def _strip(image: Array, factors: Array) -> Array:
    batch, height, width, channels = image.shape
    rows, columns = height // 2 - 1, width // 2 - 1
    pairs = image.reshape(batch, rows + 1, 2, columns + 1, 2, channels)
    d = [
        [pairs[:, i // 2 : i // 2 + rows, i % 2, j // 2 : j // 2 + columns, j % 2] for j in range(4)] for i in range(4)
    ]
    seen = _both_ways(_bt, d)
    products = [[seen[i][j].reshape(-1, channels) @ factors[i, j] for j in range(4)] for i in range(4)]
    outputs = _both_ways(_at, products)
    tiles = jnp.stack([jnp.stack([p.reshape(batch, rows, columns, -1) for p in row], 3) for row in outputs], 2)
    return tiles.reshape(batch, 2 * rows, 2 * columns, -1)


def _both_ways(transform, grid):
    """`transform` applied to the columns of a grid of arrays, then to its rows."""
    along_columns = zip(*(transform(column) for column in zip(*grid, strict=True)), strict=True)
    return [transform(row) for row in along_columns]


def _bt(d):
    return d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]


def _at(m):
    return m[0] + m[1] + m[2], m[1] - m[2] - m[3]
