import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from lgan_jax.ops import dsnt


def gauss(target, height, width, sigma):
    """A normalised Gaussian by a direct double loop over pixels, in float64."""
    maps = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            x, y = (2 * column + 1 - width) / width, (2 * row + 1 - height) / height
            dx, dy = (x - target[0]) * width / 2, (y - target[1]) * height / 2
            maps[row, column] = np.exp(-(dx**2 + dy**2) / (2 * sigma**2))
    return maps / maps.sum()


def some_heatmaps(shape=(2, 5, 7, 3)):
    return dsnt.spatial_softmax(jax.random.normal(jax.random.key(0), shape))


def test_coordinates_are_those_of_the_paper():
    np.testing.assert_allclose(dsnt.pixel_coordinates(3), [-2 / 3, 0, 2 / 3], atol=1e-7)
    np.testing.assert_allclose(dsnt.pixel_coordinates(4), [-3 / 4, -1 / 4, 1 / 4, 3 / 4])


def test_mean_position_worked_by_hand():
    heatmap = jnp.zeros((2, 3, 1)).at[0, 0, 0].set(0.25).at[1, 2, 0].set(0.75)
    np.testing.assert_allclose(dsnt.dsnt(heatmap), [[1 / 3, 1 / 4]], atol=1e-7)
    np.testing.assert_allclose(dsnt.to_landmarks(dsnt.dsnt(heatmap)), [[2 / 3, 5 / 8]], atol=1e-7)


def test_one_pixel_is_its_centre_in_the_librarys_frame():
    heatmap = jnp.zeros((4, 5, 1)).at[3, 1, 0].set(1)
    np.testing.assert_allclose(dsnt.to_landmarks(dsnt.dsnt(heatmap)), [[1.5 / 5, 3.5 / 4]], atol=1e-7)


def test_frames_undo_each_other():
    points = jax.random.uniform(jax.random.key(1), (4, 3, 2))
    np.testing.assert_allclose(dsnt.to_landmarks(dsnt.from_landmarks(points)), points, atol=1e-7)


def test_gradient_through_softmax():
    """d mean_x / d logit_k = p_k (x_k − mean_x)."""
    logits = jax.random.normal(jax.random.key(2), (4, 6, 1))
    p = np.asarray(dsnt.spatial_softmax(logits), np.float64)
    x = np.asarray(dsnt.pixel_coordinates(6), np.float64)[None, :, None]
    expected = p * (x - (p * x).sum())
    gradient = jax.grad(lambda z: dsnt.dsnt(dsnt.spatial_softmax(z))[0, 0])(logits)
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_softmax_is_float32_whatever_comes_in():
    heatmaps = dsnt.spatial_softmax(jnp.ones((1, 3, 4, 2), jnp.bfloat16))
    assert heatmaps.dtype == jnp.float32
    np.testing.assert_allclose(heatmaps, 1 / 12, rtol=1e-6)


def test_euclidean_loss_and_its_gradient_where_points_agree():
    target = jnp.array([[0.1, 0.2], [0.5, 0.5]])
    found = target + jnp.array([[0.3, -0.4], [0.0, 0.0]])
    np.testing.assert_allclose(dsnt.euclidean_loss(found, target), [0.5, 0], atol=1e-6)
    gradient = jax.grad(lambda x: dsnt.euclidean_loss(x, target).sum())(found)
    np.testing.assert_allclose(gradient, [[0.6, -0.8], [0, 0]], atol=1e-6)


@pytest.mark.parametrize("target", [(0.1, -0.4), (-0.9, 0.8)])
def test_divergences_against_scipy(target):
    heatmaps = some_heatmaps()
    points = jnp.broadcast_to(jnp.array(target), (2, 3, 2))
    expected = gauss(target, 5, 7, 1.3).ravel()
    js, kl = (f(heatmaps, points, 1.3) for f in (dsnt.js_regulariser, dsnt.kl_regulariser))
    for example in range(2):
        for point in range(3):
            own = np.asarray(heatmaps[example, :, :, point], np.float64).ravel()
            assert js[example, point] == pytest.approx(jensenshannon(own, expected) ** 2, rel=1e-4)
            assert kl[example, point] == pytest.approx(entropy(own, expected), rel=1e-4)


def test_js_of_maps_without_overlap_is_log_2():
    heatmap = jnp.zeros((40, 40, 1)).at[0, 0, 0].set(1)
    value = dsnt.js_regulariser(heatmap, jnp.array([[0.9, 0.9]]), 1.0)
    np.testing.assert_allclose(value, np.log(2), rtol=1e-5)


@pytest.mark.parametrize("name", dsnt.REGULARISERS)
def test_values_and_gradients_stay_finite_when_the_target_is_off_the_map(name):
    def total(logits):
        return dsnt.REGULARISERS[name](dsnt.spatial_softmax(logits), jnp.array([[[30.0, -30.0]]]), 1.0).sum()

    value, gradient = jax.value_and_grad(total)(jax.random.normal(jax.random.key(3), (1, 6, 5, 1)))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize(("sigma", "expected"), [(0.5, 0.0625), (1.0, 0.75**2 + 1), (2.0, 3.75**2 + 16)])
def test_variance_worked_by_hand(sigma, expected):
    """Two of four columns share the only row: a variance of 1/4 pixel² in x and 0 in y, against σ² for each."""
    heatmap = jnp.zeros((1, 4, 1)).at[0, 1:3, 0].set(0.5)
    found = dsnt.variance_regulariser(heatmap, jnp.zeros((1, 2)), sigma)
    np.testing.assert_allclose(found, [expected], atol=1e-5)


def test_variance_of_a_map_that_is_not_square():
    """A quarter of the mass on each corner of 3 × 5 pixels: 4 pixels² in x and 1 in y, whatever their number."""
    heatmap = jnp.zeros((3, 5, 1)).at[::2, ::4, 0].set(0.25)
    found = dsnt.variance_regulariser(heatmap, jnp.zeros((1, 2)), 1.5)
    np.testing.assert_allclose(found, [(4 - 2.25) ** 2 + (1 - 2.25) ** 2], rtol=1e-5)


def test_the_other_distances_are_means_over_x_and_y():
    target = jnp.array([[0.1, 0.2], [0.5, 0.5]])
    found = target + jnp.array([[0.3, -0.4], [0.0, 0.2]])
    np.testing.assert_allclose(dsnt.l1_loss(found, target), [0.35, 0.1], atol=1e-6)
    np.testing.assert_allclose(dsnt.mse_loss(found, target), [0.125, 0.02], atol=1e-6)


def test_the_average_leaves_out_what_the_mask_does():
    losses = jnp.array([[1.0, jnp.nan, 4.0], [jnp.inf, 7.0, jnp.nan]])
    mask = jnp.array([[True, False, True], [False, True, False]])
    assert float(dsnt.average(losses, mask)) == 4.0
    assert float(dsnt.average(losses, jnp.zeros((2, 3), bool))) == 0.0
    assert float(dsnt.average(jnp.array([[1.0, 2.0, 6.0]]))) == 3.0
    gradient = jax.grad(lambda x: dsnt.average(jnp.sqrt(x), x > 0))(jnp.array([0.0, 4.0, 1.0]))
    assert np.isfinite(gradient[1:]).all()


def test_the_average_over_devices_counts_landmarks_not_devices():
    """Three landmarks on one device and one on the other: 2.5 = (1 + 2 + 3 + 4) / 4, not (2 + 4) / 2."""
    losses = jnp.array([[1.0, 2.0, 3.0], [4.0, 9.0, 9.0]])
    mask = jnp.array([[True, True, True], [True, False, False]])
    shares = jax.vmap(lambda *of_one: dsnt.average(*of_one, "data"), axis_name="data")(losses, mask)
    np.testing.assert_allclose(shares.mean(), 2.5)


def test_variance_of_the_right_gaussian_is_small():
    heatmap = jnp.asarray(gauss((0.1, -0.2), 30, 40, 2.0), jnp.float32)[..., None]
    assert dsnt.variance_regulariser(heatmap, jnp.zeros((1, 2)), 2.0)[0] < 1e-4
    np.testing.assert_allclose(dsnt.variance_regulariser(heatmap, jnp.zeros((1, 2)), 4.0), 2 * 12**2, rtol=1e-3)
