"""How far a made picture is from the one it should be, to a network that has learned to see (Johnson et al. 2016)."""

from __future__ import annotations

from collections.abc import Callable

import jax
from jaxtyping import Array, Float

from lgan_jax.losses.reconstruction import l1

Image = Float[Array, "batch height width 3"]


def perceptual(
    features: Callable[[Image], Float[Array, "batch rows columns channels"]], image: Image, made: Image
) -> Float[Array, ""]:
    """ℓ1 between the `features` of the true picture, through which no gradient goes, and the made one's; their mean."""
    return l1(jax.lax.stop_gradient(features(image)), features(made))
