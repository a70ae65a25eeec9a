"""The CPU's own convolution against XLA's, with the derivatives of both, and against numbers worked by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.ops import backend, convolution
from lgan_jax.ops.convolution import convolve, convolve_transposed, convolve_upsampled

# batch, height, width, channels, features, rows, columns, padding: small maps and large, wide and narrow, 1×1, even
# kernels, no, unequal and more padding than the kernel is wide.
SHAPES = {
    "small": (2, 5, 6, 7, 3, 3, 3, ((1, 1), (1, 1))),
    "large": (2, 17, 24, 5, 4, 3, 3, ((1, 1), (1, 1))),
    "widening": (1, 30, 18, 3, 10, 5, 3, ((2, 2), (1, 1))),
    "1x1": (3, 14, 15, 6, 9, 1, 1, ((0, 0), (0, 0))),
    "even": (2, 13, 11, 4, 6, 4, 2, ((1, 2), (0, 1))),
    "valid": (1, 4, 7, 3, 5, 3, 2, ((0, 0), (0, 0))),
    "much padding": (1, 3, 4, 2, 5, 2, 3, ((3, 1), (2, 4))),
    "much padding, large": (1, 15, 12, 2, 5, 2, 3, ((3, 1), (2, 4))),
}


@pytest.fixture(params=[(2**20, 0), (1000, 0), (2**20, 256)], ids=["one strip", "many strips", "few channels"])
def strips(request, monkeypatch):
    strip, few = request.param
    monkeypatch.setattr(convolution, "_STRIP", strip)
    monkeypatch.setattr(convolution, "_FEW", few)


def xla(image, kernel, padding, stride=1):
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(image, kernel, (stride, stride), padding, dimension_numbers=layout)


def draw(shape, dtype=np.float32):
    batch, height, width, channels, features, rows, columns, padding = shape
    random = np.random.default_rng(3)
    image = random.normal(size=(batch, height, width, channels)).astype(dtype)
    kernel = random.normal(size=(rows, columns, channels, features)).astype(dtype)
    return jnp.asarray(image), jnp.asarray(kernel), padding


def close(got, expected, tolerance=1e-5):
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        np.testing.assert_allclose(
            np.asarray(a, np.float64), np.asarray(b, np.float64), atol=tolerance * float(jnp.abs(b).max())
        )


def energy(function, image, kernel, padding):
    """A number whose derivatives of every order are not 0."""
    return jnp.sum(jnp.sin(function(image, kernel, padding=padding)))


def test_a_number_worked_by_hand():
    image = jnp.arange(6.0).reshape(1, 2, 3, 1)  # 0 1 2 / 3 4 5
    kernel = jnp.asarray([[1.0, 10.0], [100.0, 1000.0]]).reshape(2, 2, 1, 1)
    got = convolve(image, kernel, padding=((0, 0), (1, 0)))
    np.testing.assert_array_equal(got[0, :, :, 0], [[3000.0, 4310.0, 5421.0]])
    gradient = jax.grad(lambda k: convolve(image, k).sum())(kernel)
    np.testing.assert_array_equal(gradient[:, :, 0, 0], [[1.0, 3.0], [7.0, 9.0]])


@pytest.mark.usefixtures("strips")
@pytest.mark.parametrize("name", SHAPES)
def test_value_and_gradients_are_those_of_xla(name):
    image, kernel, padding = draw(SHAPES[name])
    close(convolve(image, kernel, padding=padding), xla(image, kernel, padding))
    ours, theirs = (jax.jit(jax.grad(functools.partial(energy, f), (0, 1)), static_argnums=2) for f in (convolve, xla))
    close(ours(image, kernel, padding), theirs(image, kernel, padding))


@pytest.mark.usefixtures("strips")
@pytest.mark.parametrize("name", ["small", "large", "even"])
def test_gradients_of_gradients_are_those_of_xla(name):
    image, kernel, padding = draw(SHAPES[name])

    def penalty(function, image, kernel):
        of_image, of_kernel = jax.grad(functools.partial(energy, function), (0, 1))(image, kernel, padding)
        return jnp.sum(of_image**3) + jnp.sum(jnp.cos(of_kernel))

    ours, theirs = (jax.jit(jax.grad(functools.partial(penalty, f), (0, 1))) for f in (convolve, xla))
    close(ours(image, kernel), theirs(image, kernel), 1e-4)


def test_stride_is_xlas():
    image, kernel, padding = draw(SHAPES["large"])
    close(convolve(image, kernel, 2, padding), xla(image, kernel, padding, 2))


@pytest.mark.parametrize("name", ["small", "large"])
def test_bfloat16_adds_up_in_float32(name):
    image, kernel, padding = (x.astype(jnp.bfloat16) if isinstance(x, jax.Array) else x for x in draw(SHAPES[name]))
    single = (image.astype(jnp.float32), kernel.astype(jnp.float32))
    value = convolve(image, kernel, padding=padding)
    close(value, xla(*single, padding).astype(jnp.bfloat16), 0.01)
    ours = jax.grad(lambda *a: convolve(*a, padding=padding).astype(jnp.float32).sum(), (0, 1))(image, kernel)
    theirs = jax.grad(lambda *a: xla(*a, padding).sum(), (0, 1))(*single)
    close(ours, jax.tree.map(lambda x: x.astype(jnp.bfloat16), theirs), 0.01)


def test_under_vmap_and_pmap():
    image, kernel, padding = draw(SHAPES["small"])
    images = jnp.stack([image, 2 * image, -image])
    gradient = jax.grad(functools.partial(energy, convolve), (0, 1))
    expected = [jax.grad(functools.partial(energy, xla), (0, 1))(i, kernel, padding) for i in images]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *expected)
    close(jax.vmap(gradient, (0, None, None))(images, kernel, padding), stacked)
    mapped = jax.pmap(lambda i: jax.lax.pmean(gradient(i, kernel, padding), "data"), axis_name="data")
    close(mapped(images[:1]), jax.tree.map(lambda x: x[:1], stacked))


def test_the_own_derivatives_are_for_cpus_alone():
    image, kernel, padding = draw(SHAPES["large"])
    with backend.using(backend.ACCELERATOR):
        program = str(jax.make_jaxpr(functools.partial(convolve, padding=padding))(image, kernel))
    assert "custom_vjp" not in program
    assert program.count("conv_general_dilated") == 1


def transposed(image, kernel, padding=None):
    """XLA's own transposed convolution; it takes the kernel as a convolution would, flipped."""
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_transpose(image, kernel[::-1, ::-1], (2, 2), ((2, 2), (2, 2)), dimension_numbers=layout)


def test_doubling_is_a_transposed_convolution_with_its_derivatives():
    random = np.random.default_rng(3)
    image, kernel = (jnp.asarray(random.normal(size=s), jnp.float32) for s in ((2, 5, 7, 3), (4, 4, 3, 6)))
    close(convolve_transposed(image, kernel), transposed(image, kernel))

    def ours(image, kernel, padding):
        return convolve_transposed(image, kernel)

    gradient = jax.grad(energy, (1, 2))
    close(gradient(ours, image, kernel, None), gradient(transposed, image, kernel, None))


def test_a_doubled_pixel_worked_by_hand():
    """One pixel of 2: the kernel's middle; two in a row: what is between them is in both."""
    kernel = jnp.arange(16.0).reshape(4, 4, 1, 1)
    one = convolve_transposed(jnp.full((1, 1, 1, 1), 2.0), kernel)
    np.testing.assert_array_equal(one[0, ..., 0], 2 * kernel[1:3, 1:3, 0, 0])
    two = convolve_transposed(jnp.array([1.0, 10.0]).reshape(1, 1, 2, 1), kernel)
    np.testing.assert_array_equal(two[0, 0, :, 0], [5, 6 + 40, 7 + 50, 60])


def test_an_enlarged_image_with_its_derivatives():
    random = np.random.default_rng(4)
    image, kernel = (jnp.asarray(random.normal(size=s), jnp.float32) for s in ((2, 5, 3, 4), (3, 3, 4, 6)))

    def repeated(image, kernel, padding):
        return xla(image.repeat(2, 1).repeat(2, 2), kernel, ((1, 1), (1, 1)))

    def ours(image, kernel, padding):
        return convolve_upsampled(image, kernel)

    close(convolve_upsampled(image, kernel), repeated(image, kernel, None))
    gradient = jax.grad(energy, (1, 2))
    close(gradient(ours, image, kernel, None), gradient(repeated, image, kernel, None))


STRIDED = {
    "large": (2, 14, 10, 3, 5, 4, 4, 2, ((1, 1), (1, 1))),
    "small": (1, 6, 4, 3, 7, 4, 2, 2, ((1, 1), (0, 0))),
    "stride 3, uneven padding": (2, 13, 11, 2, 4, 6, 3, 3, ((2, 0), (0, 1))),
}


@pytest.mark.parametrize("name", STRIDED)
def test_strides_with_two_derivatives(name):
    *shape, stride, padding = STRIDED[name]
    image, kernel, padding = draw((*shape, padding))
    ours, theirs = (functools.partial(f, stride=stride) for f in (convolve, xla))
    close(ours(image, kernel, padding=padding), theirs(image, kernel, padding=padding))

    def steepness(function, image, kernel, padding):
        return jnp.sum(jnp.sin(jax.grad(energy, 1)(function, image, kernel, padding)))

    for number in (energy, steepness):
        gradient = jax.jit(jax.grad(number, (1, 2)), static_argnums=(0, 3))
        close(gradient(ours, image, kernel, padding), gradient(theirs, image, kernel, padding), 2e-5)


def test_a_stride_that_does_not_divide_the_kernel():
    image, kernel, padding = draw((2, 9, 8, 3, 4, 3, 3, ((1, 1), (1, 1))))
    close(convolve(image, kernel, 2, padding), xla(image, kernel, padding, 2))
