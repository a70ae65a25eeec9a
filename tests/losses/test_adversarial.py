import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.losses.adversarial import ADVERSARIAL, gradient_penalty, relativistic

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


def test_relativistic_compares_partners():
    """Each logit with its partner's: what is added to both says nothing."""
    better, worse = jnp.array([2.0, 0.5, 1.0]), jnp.array([-3.0, 0.0, 1.0])
    expected = -np.log(sigmoid([5.0, 0.5, 0.0])).mean()
    assert relativistic(better, worse) == pytest.approx(expected, rel=1e-5)
    assert relativistic(better + 7, worse + 7) == pytest.approx(expected, rel=1e-5)
    of_better, of_worse = jax.grad(relativistic, (0, 1))(better, worse)
    np.testing.assert_allclose(of_better, (sigmoid([5.0, 0.5, 0.0]) - 1) / 3, rtol=1e-4)
    np.testing.assert_allclose(of_worse, -of_better, rtol=1e-6)


@pytest.mark.parametrize("kind", ADVERSARIAL)
def test_finite_where_the_discriminator_is_sure(kind):
    sure = jnp.array([1e4, -1e4])
    assert np.isfinite(ADVERSARIAL[kind].discriminator(sure, sure))
    assert np.isfinite(jax.grad(ADVERSARIAL[kind].generator)(sure)).all()


def test_wasserstein_worked_by_hand():
    """Real: mean 1.25; made: mean -2/3."""
    kind = ADVERSARIAL["wasserstein"]
    assert kind.discriminator(REAL, MADE) == pytest.approx(-2 / 3 - 1.25)
    assert kind.generator(MADE) == pytest.approx(2 / 3)
    of_real, of_made = jax.grad(kind.discriminator, (0, 1))(REAL, MADE)
    np.testing.assert_allclose(of_real, -0.5)
    np.testing.assert_allclose(of_made, 1 / 3, rtol=1e-6)


def weighed(pictures):
    """A critic whose answers are weighted sums of the image and of its square, one of each."""
    return jnp.stack([jnp.sum(2.0 * pictures, (1, 2, 3)), jnp.sum(pictures**2, (1, 2, 3))], 1)


def test_gradient_penalty_worked_by_hand():
    """One pixel of one colour: x̃ is 0.25·4 + 0.75·0 = 1, D = (2x + x²) / 2, its slope 1 + x = 2, (2 − 1)² = 1.

    By the real pixel r it is (r / 4)², so its derivative at 4 is r / 8 = 0.5.
    """
    real, made = jnp.full((1, 1, 1, 1), 4.0), jnp.zeros((1, 1, 1, 1))

    def penalty(real):
        return gradient_penalty(weighed, real, made, jnp.array([0.25]))

    assert float(penalty(real)) == pytest.approx(1)
    assert float(jax.grad(penalty)(real)[0, 0, 0, 0]) == pytest.approx(0.5)


def test_gradient_penalty_of_the_sum_over_the_map():
    """The same x̃ = 1: D = 2x + x², its slope 2 + 2x = 4, (4 − 1)² = 9."""
    real, made = jnp.full((1, 1, 1, 1), 4.0), jnp.zeros((1, 1, 1, 1))
    assert float(gradient_penalty(weighed, real, made, jnp.array([0.25]), "sum")) == pytest.approx(9)


def test_gradient_penalty_of_each_image_is_its_own():
    real, made = jax.random.normal(jax.random.key(0), (2, 5, 4, 3, 2))
    share = jnp.linspace(0.1, 0.9, 5)
    alone = [gradient_penalty(weighed, *(x[i : i + 1] for x in (real, made, share))) for i in range(5)]
    assert np.ptp(alone) > 0.1
    assert float(gradient_penalty(weighed, real, made, share)) == pytest.approx(np.mean(alone), rel=1e-5)


def test_gradient_penalty_where_the_critic_is_flat():
    def flat(pictures):
        return jnp.sum(0 * pictures, (1, 2, 3))

    pictures = jnp.ones((2, 1, 1, 1))
    value, gradient = jax.value_and_grad(lambda x: gradient_penalty(flat, x, x, jnp.array([0.5, 0.5])))(pictures)
    assert float(value) == 1
    assert np.isfinite(gradient).all()
