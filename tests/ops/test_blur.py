"""The filter against checkerboards, by hand."""

import jax.numpy as jnp
import numpy as np

from lgan_jax.ops.blur import binomial_blur


def test_a_checkerboard_becomes_a_constant_and_a_constant_stays():
    rows, columns = np.indices((6, 8))
    board = np.stack([(-1.0) ** (rows + columns), (-1.0) ** rows, np.full((6, 8), 3.0)], -1)[None].astype(np.float32)
    filtered = np.asarray(binomial_blur(jnp.asarray(board)))
    np.testing.assert_allclose(filtered[0, 1:-1, 1:-1, :2], 0, atol=1e-6)
    np.testing.assert_allclose(filtered[..., 2], 3)


def test_a_pixel_is_spread_over_its_neighbors_and_the_border_is_repeated():
    point = np.zeros((1, 4, 5, 1), np.float32)
    point[0, 1, 2] = 16
    spread = np.asarray(binomial_blur(jnp.asarray(point)))[0, ..., 0]
    np.testing.assert_allclose(spread, [[0, 1, 2, 1, 0], [0, 2, 4, 2, 0], [0, 1, 2, 1, 0], [0, 0, 0, 0, 0]])
    corner = np.zeros((1, 3, 3, 1), np.float32)
    corner[0, 0, 0] = 16
    np.testing.assert_allclose(binomial_blur(jnp.asarray(corner))[0, ..., 0], [[9, 3, 0], [3, 1, 0], [0, 0, 0]])
