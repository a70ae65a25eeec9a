import jax
import jax.numpy as jnp
import numpy as np
from scipy.ndimage import map_coordinates

from lgan_jax.ops.blur import gaussian_blur
from lgan_jax.ops.heatmaps import gaussians
from lgan_jax.ops.warp import affine_image, affine_points, pixel_centres, sample


def picture(height=6, width=9, channels=2):
    return jax.random.normal(jax.random.key(0), (height, width, channels))


def test_identity_grid_gives_the_picture():
    np.testing.assert_allclose(sample(picture(), pixel_centres(6, 9)), picture(), atol=1e-5)


def test_sampling_agrees_with_scipy_inside_and_clamps_outside():
    positions = jax.random.uniform(jax.random.key(1), (4, 11, 2), minval=-0.3, maxval=1.3)
    found = sample(picture(), positions)
    x, y = np.asarray(positions[..., 0]) * 9 - 0.5, np.asarray(positions[..., 1]) * 6 - 0.5
    for channel in range(2):
        expected = map_coordinates(np.asarray(picture()[..., channel]), [y, x], order=1, mode="nearest")
        np.testing.assert_allclose(found[..., channel], expected, atol=1e-4)


def test_gradients_in_position_and_picture():
    """Halfway in y between rows 1 and 2 at column 3: the picture's slope in x is that of columns 3 to 4."""
    image = picture()
    position = jnp.array([(3 + 0.5 + 0.25) / 9, 2 / 6])
    rows = np.asarray(image[1:3, :, 0]).mean(0)
    gradient = jax.grad(lambda p: sample(image, p)[0])(position)
    np.testing.assert_allclose(gradient[0], 9 * (rows[4] - rows[3]), rtol=1e-3)
    weights = jax.grad(lambda i: sample(i, position)[0])(image)[..., 0]
    np.testing.assert_allclose(weights[1:3, 3:5], [[0.375, 0.125]] * 2, atol=1e-5)
    np.testing.assert_allclose(weights.sum(), 1, atol=1e-5)


def test_picture_and_points_move_together():
    matrix, shift = jnp.array([[0.8, -0.3], [0.25, 1.1]]), jnp.array([0.05, -0.08])
    point = jnp.array([[0.4, 0.6]])
    moved = affine_image(gaussians(point, 48, 64, 2.0), matrix, shift)[..., 0]
    weight = np.asarray(moved) / float(moved.sum())
    centre = (weight[..., None] * np.asarray(pixel_centres(48, 64))).sum((0, 1))
    np.testing.assert_allclose(affine_points(point, matrix, shift)[0], centre, atol=2e-3)


def test_blur_keeps_constants_and_spreads_a_point_like_a_gaussian():
    np.testing.assert_allclose(gaussian_blur(jnp.full((5, 7, 2), 0.3), 1.7), 0.3, rtol=1e-5)
    np.testing.assert_allclose(gaussian_blur(picture(), 0.0), picture(), atol=1e-6)
    spread = gaussian_blur(jnp.zeros((21, 31, 1)).at[10, 15].set(1), 2.0)[..., 0]
    np.testing.assert_allclose(spread[12, 18] / spread[10, 15], np.exp(-(4 + 9) / 8), rtol=1e-4)
    np.testing.assert_allclose(spread.sum(), 1, rtol=1e-3)
