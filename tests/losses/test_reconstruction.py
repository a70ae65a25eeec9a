import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.landmarks import WFLW98
from lgan_jax.losses.reconstruction import feature_matching, l1, pixel_weights


def test_l1_worked_by_hand():
    a, b = jnp.array([[1.0, -1.0, 0.0]]), jnp.array([[0.5, 1.0, 0.2]])
    assert l1(a, b) == pytest.approx(2.7 / 3)
    np.testing.assert_allclose(jax.grad(l1, 1)(a, b), [[-1 / 3, 1 / 3, 1 / 3]], rtol=1e-6)


def test_pixels_near_inner_landmarks_count_more():
    """40 pixels wide, so σ is 1 pixel; the inner points all lie on the centre of column 10, row 20."""
    landmarks = np.full((3, 98, 2), 30.5 / 40, np.float32)
    landmarks[:, 33:] = (10.5 / 40, 20.5 / 40)
    weights = pixel_weights(jnp.asarray(landmarks), WFLW98, 40, 4.0)
    assert weights.shape == (3, 40, 40, 1)
    assert weights[1, 20, 10, 0] == pytest.approx(5)
    np.testing.assert_allclose(weights[2, 20, 14, 0], 1 + 4 * 65 * np.exp(-(4**2) / 2), rtol=1e-4)
    assert weights[0, 30, 30, 0] == pytest.approx(1)


def test_feature_matching_compares_spatial_means():
    """Channel means 2 against 5, and 1 against 1, wherever in the map they come from."""
    real = jnp.stack([jnp.array([[0.0, 4.0], [2.0, 2.0]]), jnp.ones((2, 2))], -1)[None]
    made = jnp.stack([jnp.array([[20.0, 0.0], [0.0, 0.0]]), jnp.ones((2, 2))], -1)[None]
    assert feature_matching(real, made) == pytest.approx(1.5)
    gradient = jax.grad(feature_matching, 1)(real, made)
    np.testing.assert_allclose(gradient[..., 0], 1 / 8, rtol=1e-6)
