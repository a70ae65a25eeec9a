import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.losses.adversarial import ADVERSARIAL

REAL, MADE = jnp.array([2.0, 0.5]), jnp.array([[-3.0], [0.0], [1.0]])


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def test_hinge_worked_by_hand():
    """Real: max(0, 1 − 2), max(0, 1 − 0.5) → 0.25; made: 0, 1, 2 → 1."""
    assert ADVERSARIAL["hinge"].discriminator(REAL, MADE) == pytest.approx(1.25)
    assert ADVERSARIAL["hinge"].generator(MADE) == pytest.approx(2 / 3)
    of_real, of_made = jax.grad(ADVERSARIAL["hinge"].discriminator, (0, 1))(REAL, jnp.array([[-3.0], [0.5], [1.0]]))
    np.testing.assert_allclose(of_real, [0, -0.5])
    np.testing.assert_allclose(of_made[:, 0], [0, 1 / 3, 1 / 3], rtol=1e-6)
    np.testing.assert_allclose(jax.grad(ADVERSARIAL["hinge"].generator)(MADE), -1 / 3, rtol=1e-6)


def test_minimax_is_equation_6():
    value = np.log(sigmoid(REAL)).mean() + np.log(1 - sigmoid(MADE)).mean()
    assert ADVERSARIAL["minimax"].discriminator(REAL, MADE) == pytest.approx(-value, rel=1e-5)
    assert ADVERSARIAL["minimax"].generator(MADE) == pytest.approx(np.log(1 - sigmoid(MADE)).mean(), rel=1e-5)
    gradient = jax.grad(ADVERSARIAL["minimax"].generator)(MADE)
    np.testing.assert_allclose(gradient, -sigmoid(MADE) / 3, rtol=1e-5)


def test_non_saturating():
    assert ADVERSARIAL["non_saturating"].generator(MADE) == pytest.approx(-np.log(sigmoid(MADE)).mean(), rel=1e-5)
    gradient = jax.grad(ADVERSARIAL["non_saturating"].generator)(MADE)
    np.testing.assert_allclose(gradient, (sigmoid(MADE) - 1) / 3, rtol=1e-5)


@pytest.mark.parametrize("kind", ADVERSARIAL)
def test_finite_where_the_discriminator_is_sure(kind):
    sure = jnp.array([1e4, -1e4])
    assert np.isfinite(ADVERSARIAL[kind].discriminator(sure, sure))
    assert np.isfinite(jax.grad(ADVERSARIAL[kind].generator)(sure)).all()
