"""Doubling and halving of maps through the filter [1, 3, 3, 1], as StyleGAN2 does (Karras et al., CVPR 2020).

The filter is separable, so it is applied as shifted and weighted sums along rows and columns: linear, with derivatives
of any order and direction, and without the grouped convolutions that are slow on a CPU.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.lax import slice_in_dim
from jaxtyping import Array, Float

TAPS = (1, 3, 3, 1)

Maps = Float[Array, "batch height width channels"]
Resampled = Float[Array, "batch rows columns channels"]


def upfirdn(x: Maps, up: int = 1, down: int = 1, pads: tuple[int, int] = (0, 0), gain: float = 1.0) -> Resampled:
    """Zeros between pixels, zeros around, filter, every `down`-th pixel; both directions alike.

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
