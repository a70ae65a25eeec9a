"""Modulated convolution: both forms against one kernel for each example, and gradients of gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.ops import backend
from lgan_jax.ops.modulated import modulated_convolve
from lgan_jax.ops.resample import upfirdn


def arguments(batch=3, height=4, width=6, channels=5, features=2, size=3):
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(batch, height, width, channels)), rng.normal(size=(size, size, channels, features))
    return tuple(jnp.asarray(v, jnp.float32) for v in (x, kernel, rng.uniform(0.5, 2, (batch, channels))))


def one_by_one(x, kernel, styles, up=False, demodulate=True):
    made = []
    for one, style in zip(x, styles):
        scaled = kernel * style[None, None, :, None]
        if demodulate:
            scaled = scaled / jnp.sqrt(jnp.sum(scaled**2, (0, 1, 2), keepdims=True) + 1e-8)
        pad, stretch = (2, 2) if up else (kernel.shape[0] // 2, 1)
        scaled = scaled[::-1, ::-1] if up else scaled
        layout = ("NHWC", "HWIO", "NHWC")
        wide = jax.lax.conv_general_dilated(
            one[None], scaled, (1, 1), ((pad, pad),) * 2, (stretch, stretch), dimension_numbers=layout
        )
        made.append(upfirdn(wide, pads=(1, 1), gain=4.0) if up else wide)
    return jnp.concatenate(made)


@pytest.mark.parametrize("forms", [backend.ACCELERATOR, backend.CPU])
@pytest.mark.parametrize(("up", "demodulate", "size"), [(False, True, 3), (True, True, 3), (False, False, 1)])
def test_both_forms(forms, up, demodulate, size):
    given = arguments(size=size)
    with backend.using(forms):
        made = modulated_convolve(*given, up, demodulate)
    assert made.shape == (3, 8, 12, 2) if up else (3, 4, 6, 2)
    np.testing.assert_allclose(made, one_by_one(*given, up, demodulate), atol=2e-5)


@pytest.mark.parametrize("up", [False, True])
def test_gradients_of_gradients(up):
    """Of a loss on the gradient for the styles, as path-length regularisation takes them, for every argument."""
    given = arguments(batch=2, height=3, width=5, channels=4)

    def length(convolve):
        def loss(x, kernel, styles):
            inner = jax.grad(lambda styles: jnp.sum(jnp.sin(convolve(x, kernel, styles, up=up))))(styles)
            return jnp.sum(inner**2)

        return jax.jit(jax.grad(loss, (0, 1, 2)))(*given)

    for made, expected in zip(length(modulated_convolve), length(one_by_one)):
        assert np.abs(expected).max() > 0.1
        np.testing.assert_allclose(made, expected, atol=1e-4 * np.abs(expected).max())
