"""Resampling against its definition, halving against XLA's window reductions, the blur by hand."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.ops.resample import TAPS, binomial_blur, doubled, halved, max_pool, mean_pool, upfirdn


def by_definition(x, up, down, pads, gain):
    """One row of numbers."""
    wide = np.zeros(len(x) * up)
    wide[::up] = x
    wide = np.concatenate([np.zeros(max(pads[0], 0)), wide[max(-pads[0], 0) :], np.zeros(max(pads[1], 0))])
    wide = wide[: len(wide) + min(pads[1], 0)]
    return np.convolve(wide, np.array(TAPS) / 8 * gain**0.5, "valid")[::down]


@pytest.mark.parametrize(
    ("up", "down", "pads", "gain"),
    [(1, 1, (0, 0), 1.0), (2, 1, (2, 1), 4.0), (1, 2, (1, 1), 1.0), (2, 3, (3, -1), 2.0), (3, 1, (-2, 4), 1.0)],
)
def test_against_the_definition(up, down, pads, gain):
    """The filter is separable: of an outer product it makes the outer product of what it makes of each factor."""
    rng = np.random.default_rng(0)
    rows, columns = rng.normal(size=7), rng.normal(size=5)
    x = np.outer(rows, columns)[None, :, :, None].astype(np.float32) * np.array([1, -2, 3], np.float32)
    made = upfirdn(jnp.asarray(x), up, down, pads, gain)
    expected = np.outer(*(by_definition(v, up, down, pads, gain) for v in (rows, columns)))
    np.testing.assert_allclose(made[0], expected[..., None] * np.array([1, -2, 3]), atol=1e-5)


def test_a_constant_stays_one_inside():
    x = jnp.full((2, 6, 10, 3), 0.7)
    assert doubled(x).shape == (2, 12, 20, 3)
    assert halved(x).shape == (2, 3, 5, 3)
    np.testing.assert_allclose(doubled(x)[:, 2:-2, 2:-2], 0.7, rtol=1e-6)
    np.testing.assert_allclose(halved(x)[:, 1:-1, 1:-1], 0.7, rtol=1e-6)


def test_it_has_derivatives_of_every_kind():
    x = jnp.linspace(-1, 1, 2 * 3 * 5).reshape(1, 2, 3, 5)
    made, tangent = jax.jvp(doubled, (x,), (x,))
    np.testing.assert_allclose(made, tangent, atol=1e-6)
    twice = jax.grad(lambda x: jnp.sum(jax.grad(lambda y: jnp.sum(doubled(y) ** 3))(x) ** 2))(x)
    assert np.isfinite(twice).all()
    assert np.abs(twice).max() > 0


def window_mean(x):
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    return nn.avg_pool(x, (3, 3), strides=(2, 2))


def window_max(x):
    return nn.max_pool(x, (2, 2), strides=(2, 2))


@pytest.mark.parametrize(("ours", "theirs"), [(max_pool, window_max), (mean_pool, window_mean)])
@pytest.mark.parametrize("shape", [(2, 6, 10, 3), (1, 2, 4, 5)])
def test_pooling_agrees_with_window_reductions(ours, theirs, shape):
    x = jax.random.normal(jax.random.key(0), shape)
    weights = jax.random.normal(jax.random.key(1), (shape[0], shape[1] // 2, shape[2] // 2, shape[3]))
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-5, atol=1e-6)
    gradients = [jax.jit(jax.grad(lambda x, pool=pool: jnp.sum(weights * pool(x))))(x) for pool in (ours, theirs)]
    np.testing.assert_allclose(*gradients, rtol=1e-5, atol=1e-6)


def test_mean_worked_by_hand():
    x = jnp.asarray([[0.0, 9.0, 18.0, 27.0], [9.0, 0.0, 0.0, 0.0]]).reshape(1, 2, 4, 1)
    np.testing.assert_allclose(mean_pool(x)[0, :, :, 0], [[4.0, 6.0]], rtol=1e-6)


@pytest.mark.parametrize("pool", [max_pool, mean_pool])
def test_odd_maps_are_refused(pool):
    with pytest.raises(ValueError, match="side of 5 pixels cannot be halved"):
        pool(jnp.zeros((1, 6, 5, 2)))


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
