import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.ops.heatmaps import convolved_gaussians, gaussians, peaks, with_dots


def test_gaussian_on_a_pixel_and_beside_it():
    """The landmark lies on the centre of column 2, row 1 of a map 5 wide and 4 high."""
    maps = gaussians(jnp.array([[[2.5 / 5, 1.5 / 4]]]), 4, 5, 2.0)
    assert maps.shape == (1, 4, 5, 1)
    np.testing.assert_allclose(maps[0, 1, 2, 0], 1, rtol=1e-6)
    np.testing.assert_allclose(maps[0, 3, 3, 0], np.exp(-(1 + 4) / 8), rtol=1e-5)


def test_dots_cover_landmarks_and_leave_the_rest():
    image = jnp.full((2, 20, 30, 3), 0.5)
    dotted = with_dots(image, jnp.broadcast_to(jnp.array([[5.5 / 30, 10.5 / 20]]), (2, 1, 2)), (-1.0, 1.0, 0.0))
    np.testing.assert_allclose(dotted[1, 10, 5], [-1, 1, 0], atol=1e-6)
    np.testing.assert_allclose(dotted[0, 2, 25], 0.5, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "stride", "padding", "mirrored"), [(7, 1, 3, True), (4, 2, 1, False), (4, 4, 0, False)]
)
def test_convolved_without_the_maps(size, stride, padding, mirrored):
    landmarks = jax.random.uniform(jax.random.key(0), (2, 5, 2))
    kernel = jax.random.normal(jax.random.key(1), (size, size, 5, 3))
    maps = gaussians(landmarks, 12, 16, 1.5)
    edges = ((0, 0), *((padding, padding),) * 2, (0, 0))
    maps = jnp.pad(maps, edges, mode="reflect" if mirrored else "constant")
    layout = ("NHWC", "HWIO", "NHWC")
    expected = jax.lax.conv_general_dilated(maps, kernel, (stride, stride), "VALID", dimension_numbers=layout)
    made = convolved_gaussians(landmarks, kernel, (12, 16), 1.5, stride, padding, mirrored)
    np.testing.assert_allclose(made, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("place", "moved"),
    [
        ((2, 3), (0.25, -0.25)),  # row, column of the maximum; what x and y move by
        ((0, 3), (0.0, 0.0)),  # on the upper border: x is not moved either, as in face-alignment
        ((4, 3), (0.0, 0.0)),
        ((2, 0), (0.0, 0.0)),
        ((2, 5), (0.0, 0.0)),
        ((0, 0), (0.0, 0.0)),
    ],
)
def test_a_peak_moves_a_quarter_pixel_where_both_coordinates_are_off_the_border(place, moved):
    """Of a map 5 high and 6 wide that rises to the right and upwards around its maximum."""
    row, column = place
    values = np.zeros((5, 6), np.float32)
    values[:, min(column + 1, 5)] = 0.5
    values[max(row - 1, 0)] = 0.5
    values[row, column] = 1.0
    found, height = peaks(jnp.asarray(values)[None, :, :, None])
    expected = [(column + 0.5 + moved[0]) / 6, (row + 0.5 + moved[1]) / 5]
    np.testing.assert_allclose(found[0, 0], expected, rtol=1e-6)
    assert float(height[0, 0]) == 1.0
