"""Winograd's convolution against XLA's, and where the CPU's convolution uses it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.ops import convolution, winograd


def xla(image, kernel, padding="VALID"):
    return jax.lax.conv_general_dilated(image, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def draw(batch, height, width, channels, features):
    random = np.random.default_rng(5)
    image = random.normal(size=(batch, height, width, channels)).astype(np.float32)
    return jnp.asarray(image), jnp.asarray(random.normal(size=(3, 3, channels, features)).astype(np.float32))


def test_one_pixel_in_one_tile():
    """A single 1 in the image puts the kernel's places around it, upside down: worked by hand."""
    image = jnp.zeros((1, 4, 4, 1)).at[0, 1, 2, 0].set(1)
    kernel = jnp.arange(1.0, 10.0).reshape(3, 3, 1, 1)
    np.testing.assert_allclose(winograd.convolve(image, kernel, 2)[0, :, :, 0], [[6, 5], [3, 2]], rtol=1e-6)


@pytest.mark.parametrize("depth", [2, 4, 12])
def test_is_xlas_convolution(depth):
    image, kernel = draw(2, 14, 10, 3, 5)
    expected = xla(image, kernel)
    got = jax.jit(winograd.convolve, static_argnums=2)(image, kernel, depth)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, atol=1e-5 * float(jnp.abs(expected).max()))


@pytest.mark.parametrize(
    ("shape", "dtype", "padding", "used"),
    [
        ((1, 64, 66, 5, 128), jnp.float32, (1, 1), True),
        ((1, 64, 66, 5, 128), jnp.bfloat16, (1, 1), False),
        ((1, 64, 67, 5, 128), jnp.float32, (1, 1), False),
        ((1, 64, 66, 5, 127), jnp.float32, (1, 1), False),
        ((1, 62, 62, 5, 128), jnp.float32, (0, 0), False),
    ],
)
def test_where_it_is_used(shape, dtype, padding, used):
    image, kernel = (x.astype(dtype) for x in draw(*shape))
    convolve = jax.jit(lambda i, k: convolution.convolve(i, k, padding=(padding, padding)))
    assert ("scan" in str(jax.make_jaxpr(convolve)(image, kernel))) == used
    expected = xla(image.astype(jnp.float32), kernel.astype(jnp.float32), (padding, padding))
    tolerance = 1e-5 if dtype == jnp.float32 else 0.01
    largest = float(jnp.abs(expected).max())
    np.testing.assert_allclose(convolve(image, kernel).astype(jnp.float32), expected, atol=tolerance * largest)


def test_gradients():
    image, kernel = draw(1, 64, 66, 3, 128)
    padding = ((1, 1), (1, 1))

    def energy(function):
        return jax.jit(jax.grad(lambda i, k: jnp.sum(jnp.sin(function(i, k))), (0, 1)))

    ours = energy(lambda i, k: convolution.convolve(i, k, padding=padding))(image, kernel)
    theirs = energy(lambda i, k: xla(i, k, padding))(image, kernel)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4 * float(jnp.abs(b).max()))
