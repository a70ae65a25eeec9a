"""Gaussian blur whose width may differ from image to image."""

from __future__ import annotations

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


def _weights(size: int, sigma: Float[Array, ""] | float) -> Float[Array, "{size} {size}"]:
    """What pixel j gives to pixel i, each row summing to 1."""
    place = jnp.arange(size, dtype=jnp.float32)
    distance = place[:, None] - place[None, :]
    weights = jnp.exp(-0.5 * (distance / jnp.maximum(sigma, 1e-3)) ** 2)
    return weights / weights.sum(1, keepdims=True)
