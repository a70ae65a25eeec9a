"""Halving, doubling and smoothing of maps `(batch, height, width, channels)`, by sums and maxima of whole slices.

Filters are separable, so they are applied as shifted and weighted sums along rows and columns: linear, with derivatives
of any order and direction, and without the grouped convolutions that are slow on a CPU. XLA's window reductions are
slow there too, their gradients most: of 2×2 maxima of 128×128 pixels with 128 channels they take 45 ms of one core
where these take 2; of 3×3 means of 256×256 pixels 45 ms and 120 where these take 5 and 26.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.lax import slice_in_dim
from jaxtyping import Array, Float

TAPS = (1, 3, 3, 1)  # StyleGAN2's filter (Karras et al., CVPR 2020)

Maps = Float[Array, "batch height width channels"]
Resampled = Float[Array, "batch rows columns channels"]


def max_pool(x: Maps) -> Resampled:
    """The maximum of every 2×2 pixels; where several are the greatest, they share the gradient."""
    for axis in (1, 2):
        x = jnp.maximum(*_even_and_odd(x, axis))
    return x


def mean_pool(x: Maps) -> Resampled:
    """The mean of the 3×3 pixels around every second pixel from the first on; pixels before the first are mirrored."""
    for axis in (1, 2):
        even, odd = _even_and_odd(x, axis)
        count = odd.shape[axis]
        mirrored = slice_in_dim(odd, 0, 1, axis=axis)
        before = jnp.concatenate([mirrored, slice_in_dim(odd, 0, count - 1, axis=axis)], axis)
        x = (before + even + odd) / 3
    return x


def binomial_blur(x: Maps) -> Maps:
    """Filters by 1 2 1 in both directions; the border is repeated. A checkerboard, of period 2, becomes a constant.

    PixelShuffle can leave one (Sugawara et al., "Super-resolution using convolutional neural networks without any
    checkerboard artifacts", ICIP 2018).
    """
    for axis in (1, 2):
        padded = jnp.pad(x, [(1, 1) if i == axis else (0, 0) for i in range(4)], mode="edge")
        before, here, after = (jax.lax.slice_in_dim(padded, i, i + x.shape[axis], axis=axis) for i in range(3))
        x = (before + 2 * here + after) / 4
    return x


def upfirdn(x: Maps, up: int = 1, down: int = 1, pads: tuple[int, int] = (0, 0), gain: float = 1.0) -> Resampled:
    """Zeros between pixels, zeros around, the filter [1, 3, 3, 1], every `down`-th pixel; both directions alike.

    Each pixel is followed by `up` - 1 zeros; `pads` zeros come before and after (where negative, so many pixels are
    cut off); the filter sums to `gain` over both directions.
    """
    weights = [tap / sum(TAPS) * gain**0.5 for tap in TAPS]
    for axis in (1, 2):
        edges = [(0, 0, 0)] * 4
        edges[axis] = (pads[0], pads[1] + up - 1, up - 1)
        x = jax.lax.pad(x, jnp.zeros((), x.dtype), edges)
        last = x.shape[axis] - len(TAPS) + 1
        shifted = (slice_in_dim(x, i, last + i, down, axis) for i in range(len(TAPS)))
        x = sum(weight * part for weight, part in zip(weights, shifted))
    return x


def doubled(x: Maps) -> Resampled:
    """Maps of twice the height and width; a constant map stays one, but for its border."""
    return upfirdn(x, up=2, pads=(2, 1), gain=4.0)


def halved(x: Maps) -> Resampled:
    """Maps of half the height and width."""
    return upfirdn(x, down=2, pads=(1, 1))


def _even_and_odd(x: Array, axis: int) -> tuple[Array, Array]:
    """Every second row (or column) from the first on, and the others."""
    if x.shape[axis] % 2:
        raise ValueError(f"a map with a side of {x.shape[axis]} pixels cannot be halved; its sides must be even")
    pairs = x.reshape(*x.shape[:axis], x.shape[axis] // 2, 2, *x.shape[axis + 1 :])
    return pairs.take(0, axis + 1), pairs.take(1, axis + 1)
