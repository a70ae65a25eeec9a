import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from lgan_jax.landmarks import INNER49, WFLW98
from lgan_jax.methods.landmarkgan import losses

ONE = jnp.ones(2)


def test_weights_of_points():
    weights = losses.point_weights(WFLW98, 2.5)
    assert weights.shape == (98,)
    np.testing.assert_array_equal(weights[:33], 1)
    np.testing.assert_array_equal(weights[33:], 2.5)
    np.testing.assert_array_equal(losses.point_weights(INNER49, 1.5), 1.5)


def test_equation_2_is_on_the_sigmoids_scale():
    image, made = jnp.full((2, 3, 4, 3), 1.0), jnp.full((2, 3, 4, 3), -1.0)
    assert losses.l2i(image, made) == pytest.approx(1)
    np.testing.assert_allclose(jax.grad(losses.l2i, 1)(image, made), -1 / (2 * 72), rtol=1e-5)
    assert losses.l2i(image, made, jnp.ones((2, 3, 4, 1)).at[1].set(3.0)) == pytest.approx(2)


def test_equation_3_worked_by_hand():
    """One-hot maps 10 wide, 8 high. The first point is 3 columns and 0 rows off (0.6 of 2), the second is met."""
    heatmaps = jnp.zeros((1, 8, 10, 2)).at[0, 2, 4, 0].set(1).at[0, 6, 1, 1].set(1)
    landmarks = jnp.array([[[7.5 / 10, 2.5 / 8], [1.5 / 10, 6.5 / 8]]])
    expected = []
    for point, (x, y), distance in ((0, (7, 2), 0.6), (1, (1, 6), 0.0)):
        rows, columns = np.mgrid[:8, :10]
        gauss = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 2)
        js = jensenshannon(np.asarray(heatmaps[0, ..., point]).ravel(), gauss.ravel() / gauss.sum()) ** 2
        expected.append(distance + js)
    value = losses.i2l(heatmaps, landmarks, jnp.array([1.0, 2.5]), 1.0)
    assert value == pytest.approx((expected[0] + 2.5 * expected[1]) / 2, rel=1e-4)


def test_equation_4_left_worked_by_hand():
    """Two faces of two points; distances 0.5 and 0, then 0.1 and 1: sums 0.5·1 and 0.1 + 3, mean 1.8."""
    landmarks = jnp.zeros((2, 2, 2))
    found = jnp.array([[[0.3, 0.4], [0.0, 0.0]], [[0.0, 0.1], [-1.0, 0.0]]])
    weights = jnp.array([1.0, 3.0])
    assert losses.l2l(landmarks, found, weights) == pytest.approx((0.5 + 0.1 + 3) / 2)
    assert losses.x_l2l(landmarks, found, weights) == pytest.approx(1.8)
    gradient = jax.grad(losses.l2l, 1)(landmarks, found, weights)
    np.testing.assert_allclose(gradient, [[[0.3, 0.4], [0, 0]], [[0, 0.5], [-1.5, 0]]], rtol=1e-5, atol=1e-7)


def test_equation_4_right_worked_by_hand():
    """‖L‖ = 2, so L′ = (0.6, 0), (0, 0.8): distances 0.6 and 0.8 from a latent of zeros, times 3.5."""
    landmarks, latent = jnp.array([[[1.2, 0.0], [0.0, 1.6]]]), jnp.zeros((1, 2, 2))
    assert losses.l2l_norm(landmarks, latent, 3.5 * ONE) == pytest.approx(4.9)
    of_latent = jax.grad(losses.l2l_norm, 1)(landmarks, latent, 3.5 * ONE)
    np.testing.assert_allclose(of_latent, [[[-3.5, 0], [0, -3.5]]], rtol=1e-5, atol=1e-6)


def test_the_unit_landmarks_are_not_detached():
    """The gradient in L is that of finite differences in float64."""
    rng = np.random.default_rng(0)
    landmarks, latent = rng.uniform(0.2, 0.8, (1, 3, 2)), rng.uniform(0.2, 0.8, (1, 3, 2))

    def value(x):
        return np.linalg.norm(x / np.linalg.norm(x) - latent[0], axis=-1).sum()

    expected = np.zeros((3, 2))
    for place in np.ndindex(3, 2):
        step = np.zeros((3, 2))
        step[place] = 1e-6
        expected[place] = (value(landmarks[0] + step) - value(landmarks[0] - step)) / 2e-6
    arrays = (jnp.asarray(x, jnp.float32) for x in (landmarks, latent))
    np.testing.assert_allclose(jax.grad(losses.l2l_norm)(*arrays, jnp.ones(3))[0], expected, atol=1e-4)


def test_gradients_are_zero_where_nothing_is_wrong():
    landmarks = jnp.array([[[0.6, 0.0], [0.0, 0.8]]])
    of_both = jax.grad(losses.l2l_norm, (0, 1))(landmarks, landmarks, ONE)
    np.testing.assert_allclose(of_both, np.zeros((2, 1, 2, 2)), atol=1e-6)


@pytest.mark.parametrize(("kind", "generator", "discriminator"), [("hinge", 1, 2), ("minimax", -1.313, 1.627)])
def test_equation_6(kind, generator, discriminator):
    """D(real) = 1, D(made) = ∓1: hinge −(−1) and 0 + 2; minimax log(1 − σ(1)), and −log σ(1) + that negated."""
    made = jnp.full((1, 2, 3, 1), -1.0 if kind == "hinge" else 1.0)
    assert losses.l2i_gan_generator(kind, made) == pytest.approx(generator, abs=1e-3)
    real = jnp.ones((1, 2, 3, 1))
    judged = losses.l2i_gan_discriminator(kind, real, jnp.ones((1, 2, 3, 1)))
    assert judged == pytest.approx(discriminator, abs=1e-3)


def test_equation_4_right_about_another_origin():
    """(0.1, 0.1) taken off gives the landmarks above."""
    landmarks, latent = jnp.array([[[1.3, 0.1], [0.1, 1.7]]]), jnp.zeros((1, 2, 2))
    assert losses.l2l_norm(landmarks, latent, 3.5 * ONE, 0.1) == pytest.approx(4.9)
