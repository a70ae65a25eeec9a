import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.losses.perceptual import perceptual


def test_perceptual_worked_by_hand():
    """Features are squares; the true image, whose features are 4 and 0, is given no gradient."""
    image, made = jnp.full((1, 1, 2, 1), 0.0).at[0, 0, 0].set(2.0), jnp.full((1, 1, 2, 1), 3.0)
    image, made = (jnp.broadcast_to(x, (1, 1, 2, 3)) for x in (image, made))
    assert float(perceptual(jnp.square, image, made)) == pytest.approx((5 + 9) / 2)
    of_true, of_made = jax.grad(lambda *x: perceptual(jnp.square, *x), (0, 1))(image, made)
    assert float(jnp.abs(of_true).max()) == 0
    np.testing.assert_allclose(of_made, 1.0)
