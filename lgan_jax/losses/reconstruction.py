"""How far a made picture is from the one it should be."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float


def l1(
    image: Float[Array, "*shape"], made: Float[Array, "*shape"], weights: Float[Array, "*shape"] | None = None
) -> Float[Array, ""]:
    """Mean absolute difference over everything, in the unit of the arrays, times `weights` where given; float32."""
    difference = jnp.abs(image.astype(jnp.float32) - made.astype(jnp.float32))
    return jnp.mean(difference if weights is None else difference * weights)


def feature_matching(
    real: Float[Array, "*batch height width channels"], made: Float[Array, "*batch height width channels"]
) -> Float[Array, ""]:
    """ℓ1 between the spatial means of a discriminator's features (Liu et al., ICCV 2019): mean over channels, batch."""
    return l1(real.astype(jnp.float32).mean((-3, -2)), made.astype(jnp.float32).mean((-3, -2)))
