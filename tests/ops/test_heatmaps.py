import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.ops.heatmaps import convolved_gaussians, gaussians, with_dots


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
