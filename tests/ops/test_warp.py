import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.ndimage import map_coordinates

from lgan_jax.ops.augment import gaussian_blur
from lgan_jax.ops.heatmaps import gaussians
from lgan_jax.ops.warp import affine_image, affine_points, pixel_centers, sample, warp


def picture(height=6, width=9, channels=2):
    return jax.random.normal(jax.random.key(0), (height, width, channels))


def test_identity_grid_gives_the_picture():
    np.testing.assert_allclose(sample(picture(), pixel_centers(6, 9)), picture(), atol=1e-5)


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
    centre = (weight[..., None] * np.asarray(pixel_centers(48, 64))).sum((0, 1))
    np.testing.assert_allclose(affine_points(point, matrix, shift)[0], centre, atol=2e-3)


def test_blur_keeps_constants_and_spreads_a_point_like_a_gaussian():
    np.testing.assert_allclose(gaussian_blur(jnp.full((5, 7, 2), 0.3), 1.7), 0.3, rtol=1e-5)
    np.testing.assert_allclose(gaussian_blur(picture(), 0.0), picture(), atol=1e-6)
    spread = gaussian_blur(jnp.zeros((21, 31, 1)).at[10, 15].set(1), 2.0)[..., 0]
    np.testing.assert_allclose(spread[12, 18] / spread[10, 15], np.exp(-(4 + 9) / 8), rtol=1e-4)
    np.testing.assert_allclose(spread.sum(), 1, rtol=1e-3)


def random_flow(pixels, batch=2, height=6, width=9):
    """Offsets of up to so many pixels either way, x and y."""
    flow = jax.random.uniform(jax.random.key(2), (batch, height, width, 2), minval=-pixels, maxval=pixels)
    return flow / jnp.array([width, height], jnp.float32).reshape(1, 1, 1, 2)


def pictures():
    return jax.random.normal(jax.random.key(3), (2, 6, 9, 3))


def test_no_flow_gives_exactly_the_picture():
    np.testing.assert_array_equal(warp(pictures(), jnp.zeros((2, 6, 9, 2))), pictures())


@pytest.mark.parametrize("sign", [1, -1])
def test_whole_pixels_are_moved_exactly_and_the_border_is_repeated(sign):
    flow = jnp.full((2, 8, 16, 2), sign) * jnp.array([3 / 16, 2 / 8]).reshape(1, 1, 1, 2)  # exact in binary
    image = jax.random.normal(jax.random.key(3), (2, 8, 16, 3))
    rows = np.clip(np.arange(8) + 2 * sign, 0, 7)
    columns = np.clip(np.arange(16) + 3 * sign, 0, 15)
    np.testing.assert_array_equal(warp(image, flow), np.asarray(image)[:, rows][:, :, columns])


def test_warping_agrees_with_scipy():
    flow = random_flow(4.0)
    y, x = np.meshgrid(np.arange(6), np.arange(9), indexing="ij")
    made = warp(pictures(), flow)
    for i in range(2):
        places = [y + 6 * np.asarray(flow[i, ..., 1]), x + 9 * np.asarray(flow[i, ..., 0])]
        expected = map_coordinates(np.asarray(pictures()[i, ..., 1]), places, order=1, mode="nearest")
        np.testing.assert_allclose(made[i, ..., 1], expected, atol=1e-5)


def test_gradients_of_warping_are_those_of_small_differences():
    """Away from whole pixels and borders, where the derivative jumps."""
    whole = np.random.default_rng(0).integers(-3, 4, (2, 6, 9, 2))
    pixels = whole + np.random.default_rng(1).uniform(0.2, 0.8, whole.shape)
    flow = jnp.asarray(pixels / np.array([9, 6]), jnp.float32)
    weights = jax.random.normal(jax.random.key(4), (2, 6, 9, 3))

    def total(image, flow):
        return jnp.sum(weights * warp(jnp.asarray(image), jnp.asarray(flow)))

    check_grads(total, (pictures(), flow), 1, ["rev"], 2e-2, 2e-2, 1e-3)


def test_the_gradient_at_whole_pixels_and_borders():
    """Along x of a picture 4 pixels wide, 0, 1, 4, 9: on a pixel the slope to its right, on the last to its left."""
    image = jnp.array([0.0, 1.0, 4.0, 9.0]).reshape(1, 1, 4, 1)

    def slope(at):
        """Derivative of the first pixel's colour, taken from column `at`."""
        flow = jnp.zeros((1, 1, 4, 2)).at[0, 0, 0, 0].set(at / 4)
        return jax.grad(lambda flow: warp(image, flow)[0, 0, 0, 0])(flow)[0, 0, 0, 0] / 4

    assert [float(slope(at)) for at in (0, 1, 2, 3)] == [1, 3, 5, 5]
    assert [float(slope(at)) for at in (-0.5, 0.5, 2.5, 3.5)] == [0, 1, 5, 0]


def test_the_gradient_for_the_picture_spreads_a_pixel_over_its_four_neighbours():
    """From row 1.25, column 2.5; and beyond the corner all of it comes from the corner."""
    flow = jnp.zeros((1, 6, 9, 2)).at[0, 0, 0].set(jnp.array([2.5 / 9, 1.25 / 6])).at[0, 5, 8].set(0.3)
    image = pictures()[:1]
    gradient = jax.grad(lambda image: warp(image, flow)[0, 0, 0, 0])(image)[0, ..., 0]
    np.testing.assert_allclose(gradient[1:3, 2:4], [[0.375, 0.375], [0.125, 0.125]], atol=1e-6)
    assert float(gradient.sum()) == pytest.approx(1)
    corner = jax.grad(lambda image: warp(image, flow)[0, 5, 8, 0])(image)[0, ..., 0]
    assert float(corner[5, 8]) == pytest.approx(1)


def test_a_picture_of_one_pixel():
    image = jnp.full((1, 1, 1, 3), 0.5)
    np.testing.assert_array_equal(warp(image, jnp.full((1, 1, 1, 2), 0.7)), image)
