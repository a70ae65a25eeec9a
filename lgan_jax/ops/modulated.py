"""Convolutions whose kernel is scaled for each example (Karras et al., "StyleGAN2", CVPR 2020, section 2.2)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.ops import backend
from lgan_jax.ops.convolution import convolve, convolve_transposed
from lgan_jax.ops.resample import upfirdn

Maps = Float[Array, "batch height width channels"]
Kernel = Float[Array, "size size channels features"]
Styles = Float[Array, "batch channels"]

_EPSILON = 1e-8


def modulated_convolve(
    x: Maps,
    kernel: Kernel,
    styles: Styles,
    up: bool = False,
    demodulate: bool = True,
) -> Float[Array, "batch rows columns features"]:
    """A convolution with w′ = s·w (Eq. 1), divided by √(Σ w′² + ε) where it is to `demodulate` (Eq. 3).

    Of odd size, with zeros around, so that maps keep their size; with `up` a transposed convolution, which doubles it,
    and the filter of `resample`.

    Args:
      x: maps, in the type to compute in.
      kernel: w, float32.
      styles: s, float32, one for each channel that comes in.
      up: whether to double.
      demodulate: whether to divide.

    It is one grouped convolution with a kernel for each example; or maps times s, one convolution with w, and maps
    divided: see `backend.Forms.modulation`.
    """
    divided = jax.lax.rsqrt(jnp.einsum("rsio,ni->no", kernel**2, styles**2) + _EPSILON) if demodulate else None
    if backend.forms().modulation == "fused":
        return _fused(x, kernel, styles, divided, up)
    y = _convolve(x * _spread(styles, x), kernel.astype(x.dtype), up)
    return y if divided is None else y * _spread(divided, x)


def _spread(factors: Float[Array, "batch _"], x: Maps) -> Float[Array, "batch 1 1 _"]:
    return factors[:, None, None].astype(x.dtype)


def _convolve(x: Maps, kernel: Kernel, up: bool) -> Array:
    size = kernel.shape[0]
    if not up:
        return convolve(x, kernel, padding=((size // 2, size // 2),) * 2)
    around = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    wide = convolve_transposed(around, jnp.pad(kernel, ((0, 4 - size), (0, 4 - size), (0, 0), (0, 0))))
    return _smoothed(wide[:, 1:-2, 1:-2])


def _fused(x: Maps, kernel: Kernel, styles: Styles, divided: Array | None, up: bool) -> Array:
    batch, height, width, channels = x.shape
    size, _, _, features = kernel.shape
    kernels = kernel[None] * styles[:, None, None, :, None]
    if divided is not None:
        kernels = kernels * divided[:, None, None, None, :]
    kernels = kernels.transpose(1, 2, 3, 0, 4).reshape(size, size, channels, batch * features).astype(x.dtype)
    side = x.transpose(1, 2, 0, 3).reshape(1, height, width, batch * channels)
    pad, stretch = (size - 1, 2) if up else (size // 2, 1)
    y = jax.lax.conv_general_dilated(
        side,
        kernels[::-1, ::-1] if up else kernels,
        (1, 1),
        ((pad, pad),) * 2,
        lhs_dilation=(stretch, stretch),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=batch,
    )
    y = y.reshape(*y.shape[1:3], batch, features).transpose(2, 0, 1, 3)
    return _smoothed(y) if up else y


def _smoothed(x: Maps) -> Array:
    """What a transposed convolution of size 3 gives for n pixels, 2n + 1, as 2n."""
    return upfirdn(x, pads=(1, 1), gain=4.0)
