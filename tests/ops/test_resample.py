"""Resampling against its definition, a sum over taps written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.ops.resample import TAPS, doubled, halved, upfirdn


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
