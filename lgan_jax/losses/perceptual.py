"""Perceptual loss: distance of generated image and ground truth in a network's features (Johnson et al. 2016)."""

from __future__ import annotations

from collections.abc import Callable

import jax
from jaxtyping import Array, Float

from lgan_jax.losses.reconstruction import l1

Image = Float[Array, "batch height width 3"]


def perceptual(
    features: Callable[[Image], Float[Array, "batch rows columns channels"]], image: Image, generated: Image
) -> Float[Array, ""]:
    """Mean ℓ1 distance between `features` of the ground truth (without gradient) and of the generated image."""
    return l1(jax.lax.stop_gradient(features(image)), features(generated))
