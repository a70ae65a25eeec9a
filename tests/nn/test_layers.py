"""The convolution layer: where the padding goes, what its parameters are called, what it computes in."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal

from lgan_jax.nn.layers import Conv, TransposedConv


def apply(layer, image, seed=0):
    """The layer's output with random weights and biases, and those."""
    variables = layer.init(jax.random.key(seed), image)
    keys = iter(jax.random.split(jax.random.key(seed + 1), 2))
    variables = jax.tree.map(lambda p: jax.random.normal(next(keys), p.shape), variables)
    return layer.apply(variables, image), variables["params"]


def by_scipy(image, kernel, bias, before, after, mode, stride):
    """Every output channel as a sum of two-dimensional correlations of the padded image."""
    padded = np.pad(np.asarray(image, np.float64), ((0, 0), *zip(before, after), (0, 0)), mode)
    out = [
        [
            sum(signal.correlate2d(one[..., c], kernel[..., c, f], "valid") for c in range(one.shape[-1]))
            for f in range(kernel.shape[-1])
        ]
        for one in padded
    ]
    return np.moveaxis(np.asarray(out), 1, -1)[:, ::stride, ::stride] + np.asarray(bias)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(
    ("padding", "size", "before", "after", "mode"),
    [
        ("same", 3, (1, 1), (1, 1), "constant"),
        ("same", (4, 1), (1, 0), (2, 0), "constant"),
        ("reflect", (3, 5), (1, 2), (1, 2), "reflect"),
        ("valid", (2, 3), (0, 0), (0, 0), "constant"),
        (2, (3, 1), (2, 2), (2, 2), "constant"),
    ],
)
def test_padding_and_stride(stride, padding, size, before, after, mode):
    image = jax.random.normal(jax.random.key(9), (2, 7, 9, 3))
    got, params = apply(Conv(4, size, stride, padding), image)
    expected = by_scipy(image, params["kernel"], params["bias"], before, after, mode, stride)
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_parameters():
    params = Conv(5, (3, 2)).init(jax.random.key(0), jnp.zeros((1, 6, 7, 4)))["params"]
    assert {name: (p.shape, p.dtype) for name, p in params.items()} == {
        "kernel": ((3, 2, 4, 5), jnp.float32),
        "bias": ((5,), jnp.float32),
    }
    assert not params["bias"].any()
    assert set(Conv(5, use_bias=False).init(jax.random.key(0), jnp.zeros((1, 6, 7, 4)))["params"]) == {"kernel"}


def test_compute_dtype():
    image = jnp.ones((1, 4, 5, 3))
    layer = Conv(2, dtype=jnp.bfloat16)
    assert apply(layer, image)[0].dtype == jnp.bfloat16
    assert apply(Conv(2), image)[0].dtype == jnp.float32
    params = layer.init(jax.random.key(0), image)
    gradient = jax.grad(lambda p: layer.apply(p, image).astype(jnp.float32).sum())(params)
    assert {g.dtype for g in jax.tree.leaves(gradient)} == {jnp.dtype(jnp.float32)}


def test_unknown_padding():
    with pytest.raises(Exception, match="padding"):
        Conv(2, padding="full").init(jax.random.key(0), jnp.ones((1, 4, 5, 3)))


def test_doubling_makes_no_checkerboard():
    """A constant map becomes a constant one, inside the border; one pixel becomes 4×4."""
    doubled, params = apply(TransposedConv(3), jnp.ones((1, 4, 5, 2)))
    assert params["kernel"].shape == (3, 3, 2, 3)
    inside = np.asarray(doubled)[:, 1:-1, 1:-1]
    np.testing.assert_allclose(inside, np.broadcast_to(inside[:, :1, :1], inside.shape), rtol=1e-4, atol=1e-5)
    point, params = apply(TransposedConv(1), jnp.zeros((1, 3, 3, 1)).at[0, 1, 1].set(1))
    kernel = signal.convolve2d(params["kernel"][..., 0, 0], np.ones((2, 2)))
    np.testing.assert_allclose(point[0, 1:5, 1:5, 0], kernel, rtol=1e-5)


def test_a_free_doubling_is_the_transposed_convolution_with_padding_1():
    """Pixel o of the output is the sum over pixels i of the input of kernel[o + 1 - 2i]."""
    image = jax.random.normal(jax.random.key(9), (2, 3, 4, 2))
    doubled, params = apply(TransposedConv(5, even=False), image)
    expected = np.zeros((2, 8, 10, 5))
    for row, column in np.ndindex(3, 4):
        spread = np.einsum("bc,rscf->brsf", image[:, row, column], params["kernel"])
        expected[:, 2 * row : 2 * row + 4, 2 * column : 2 * column + 4] += spread
    np.testing.assert_allclose(doubled, expected[:, 1:7, 1:9], atol=1e-5)
