"""How far a made picture is from the one it should be."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.landmarks import Scheme
from lgan_jax.ops import heatmaps

_REACH = 0.025  # σ of the weighted neighbourhood of a landmark, in picture widths


def l1(
    image: Float[Array, "*shape"], made: Float[Array, "*shape"], weights: Float[Array, "*shape"] | None = None
) -> Float[Array, ""]:
    """Mean absolute difference over everything, in the unit of the arrays, times `weights` where given; float32."""
    difference = jnp.abs(image.astype(jnp.float32) - made.astype(jnp.float32))
    return jnp.mean(difference if weights is None else difference * weights)


def pixel_weights(
    landmarks: Float[Array, "*batch n 2"], scheme: Scheme, size: int, features: float
) -> Float[Array, "*batch {size} {size} 1"]:
    """1 + `features` on and around the landmarks inside the face, falling to 1 within a few hundredths of its width.

    Ours, for short trainings: eyes and mouth are small, so that a plain mean hears of them late.
    """
    inner = landmarks[..., scheme.inner, :]
    rows, columns = (
        heatmaps.bells(inner[..., 1], size, _REACH * size),
        heatmaps.bells(inner[..., 0], size, _REACH * size),
    )
    cover = jnp.einsum("...yn,...xn->...yx", rows, columns)[..., None]
    return 1 + features * jnp.minimum(cover, 1.0)


def feature_matching(
    real: Float[Array, "*batch height width channels"], made: Float[Array, "*batch height width channels"]
) -> Float[Array, ""]:
    """ℓ1 between the spatial means of a discriminator's features (Liu et al., ICCV 2019): mean over channels, batch."""
    return l1(real.astype(jnp.float32).mean((-3, -2)), made.astype(jnp.float32).mean((-3, -2)))
