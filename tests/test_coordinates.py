import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax import coordinates
from lgan_jax.ops import dsnt


def test_pixels_have_their_centers_at_whole_numbers():
    """The first and the last pixel of 4 × 8, width first."""
    corners = np.array([[0.0, 0.0], [3.0, 7.0]])
    np.testing.assert_allclose(coordinates.from_pixels(corners, 4, 8), [[0.125, 0.0625], [0.875, 0.9375]])
    np.testing.assert_allclose(coordinates.to_pixels(np.array([[0.0, 1.0]]), 4, 8), [[-0.5, 7.5]])


def test_the_release_puts_0_and_1_on_pixel_centers():
    np.testing.assert_allclose(coordinates.from_released(np.array([0.0, 1.0])), [0.5 / 64, 63.5 / 64])
    columns = np.arange(64)
    np.testing.assert_allclose(coordinates.to_released((columns + 0.5) / 64) * 63, columns, atol=1e-12)


def test_dsnts_frame_is_that_of_its_coordinates():
    np.testing.assert_allclose(coordinates.from_dsnt(np.asarray(dsnt.pixel_coordinates(5))), (np.arange(5) + 0.5) / 5)
    np.testing.assert_allclose(coordinates.to_dsnt(np.array([0.0, 0.25, 1.0])), [-1, -0.5, 1])


@pytest.mark.parametrize(
    ("there", "back"),
    [
        (lambda x: coordinates.to_pixels(x, 7, 5), lambda x: coordinates.from_pixels(x, 7, 5)),
        (coordinates.to_dsnt, coordinates.from_dsnt),
        (coordinates.to_released, coordinates.from_released),
    ],
)
@pytest.mark.parametrize("array", [np.asarray, jnp.asarray])
def test_conversions_undo_each_other_and_keep_the_type(there, back, array):
    points = array(np.random.default_rng(0).uniform(-0.5, 1.5, (2, 3, 2)).astype(np.float32))
    moved = there(points)
    assert type(moved) is type(points)
    assert moved.dtype == points.dtype
    np.testing.assert_allclose(back(moved), points, atol=1e-6)
    assert np.abs(np.asarray(moved) - np.asarray(points)).max() > 1e-3
