import jax
import jax.numpy as jnp
import numpy as np

from lgan_jax.methods.landmarkgan.networks import UpscaleBlock


def test_against_a_pixel_shuffle_by_hand():
    """A convolution that only adds its bias makes channel k the constant k: where each goes is then seen."""
    block = UpscaleBlock(3)
    image = jnp.zeros((2, 4, 5, 6))
    params = block.init(jax.random.key(0), image)["params"]
    assert params["conv"]["kernel"].shape == (3, 3, 6, 12)
    params = {"conv": {"kernel": jnp.zeros((3, 3, 6, 12)), "bias": jnp.arange(12.0)}}
    made = block.apply({"params": params}, image)
    assert made.shape == (2, 8, 10, 3)
    for row in range(8):
        for column in range(10):
            first = 3 * (2 * (row % 2) + column % 2)
            np.testing.assert_array_equal(made[1, row, column], [first, first + 1, first + 2])


def test_pixels_stay_where_they_were_and_negatives_leak():
    block = UpscaleBlock(1)
    image = jax.random.normal(jax.random.key(1), (1, 3, 4, 1))
    kernel = jnp.zeros((3, 3, 1, 4)).at[1, 1].set(1)
    made = block.apply({"params": {"conv": {"kernel": kernel, "bias": jnp.zeros(4)}}}, image)
    expected = np.where(image > 0, image, 0.1 * image).repeat(2, 1).repeat(2, 2)
    np.testing.assert_allclose(made, expected, rtol=1e-6)
