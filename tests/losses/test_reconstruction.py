import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.losses.reconstruction import feature_matching, l1


def test_l1_worked_by_hand():
    a, b = jnp.array([[1.0, -1.0, 0.0]]), jnp.array([[0.5, 1.0, 0.2]])
    assert l1(a, b) == pytest.approx(2.7 / 3)
    np.testing.assert_allclose(jax.grad(l1, 1)(a, b), [[-1 / 3, 1 / 3, 1 / 3]], rtol=1e-6)


def test_feature_matching_compares_spatial_means():
    """Channel means 2 against 5, and 1 against 1, wherever in the map they come from."""
    real = jnp.stack([jnp.array([[0.0, 4.0], [2.0, 2.0]]), jnp.ones((2, 2))], -1)[None]
    made = jnp.stack([jnp.array([[20.0, 0.0], [0.0, 0.0]]), jnp.ones((2, 2))], -1)[None]
    assert feature_matching(real, made) == pytest.approx(1.5)
    gradient = jax.grad(feature_matching, 1)(real, made)
    np.testing.assert_allclose(gradient[..., 0], 1 / 8, rtol=1e-6)
