"""Gaussian blur whose width may differ from image to image, and a filter against checkerboards."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def gaussian_blur(
    image: Float[Array, "height width channels"], sigma: Float[Array, ""] | float
) -> Float[Array, "height width channels"]:
    """The image blurred by a Gaussian of `sigma` ≥ 0 pixels; weights beyond the border are shared out inside.

    As two matrix products, so a batch with a σ for each image costs what one σ costs: `jax.vmap` it.
    """
    rows, columns = (_weights(size, sigma) for size in image.shape[:2])
    return jnp.einsum("ih,hwc,jw->ijc", rows, image, columns)


def binomial_blur(x: Float[Array, "batch height width channels"]) -> Float[Array, "batch height width channels"]:
    """Filters by 1 2 1 in both directions; the border is repeated. A checkerboard, of period 2, becomes a constant.

    PixelShuffle can leave one (Sugawara et al., "Super-resolution using convolutional neural networks without any
    checkerboard artifacts", ICIP 2018).
    """
    for axis in (1, 2):
        padded = jnp.pad(x, [(1, 1) if i == axis else (0, 0) for i in range(4)], mode="edge")
        before, here, after = (jax.lax.slice_in_dim(padded, i, i + x.shape[axis], axis=axis) for i in range(3))
        x = (before + 2 * here + after) / 4
    return x


def _weights(size: int, sigma: Float[Array, ""] | float) -> Float[Array, "{size} {size}"]:
    """What pixel j gives to pixel i, each row summing to 1."""
    place = jnp.arange(size, dtype=jnp.float32)
    distance = place[:, None] - place[None, :]
    weights = jnp.exp(-0.5 * (distance / jnp.maximum(sigma, 1e-3)) ** 2)
    return weights / weights.sum(1, keepdims=True)
