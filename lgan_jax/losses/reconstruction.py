"""Reconstruction losses between a generated image and its ground truth."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.landmarks import Scheme
from lgan_jax.ops import heatmaps

_REACH = 0.025  # σ of the weighted neighborhood of a landmark, in image widths


def l1(
    image: Float[Array, "*shape"], generated: Float[Array, "*shape"], weights: Float[Array, "*shape"] | None = None
) -> Float[Array, ""]:
    """Mean absolute difference over all elements, in the unit of the arrays, weighted by `weights`; float32."""
    difference = jnp.abs(image.astype(jnp.float32) - generated.astype(jnp.float32))
    return jnp.mean(difference if weights is None else difference * weights)


def pixel_weights(
    landmarks: Float[Array, "*batch n 2"], scheme: Scheme, size: int, features: float
) -> Float[Array, "*batch {size} {size} 1"]:
    """Pixel weights: 1 + `features` at landmarks inside the face, decreasing to 1 within a few hundredths of its width.

    Not in the papers; for short trainings: an unweighted mean under-weights eyes and mouth early in training.
    """
    inner = landmarks[..., scheme.inner, :]
    rows, columns = (
        heatmaps.gaussian_curves(inner[..., 1], size, _REACH * size),
        heatmaps.gaussian_curves(inner[..., 0], size, _REACH * size),
    )
    cover = jnp.einsum("...yn,...xn->...yx", rows, columns)[..., None]
    return 1 + features * jnp.minimum(cover, 1.0)


def feature_matching(
    real: Float[Array, "*batch height width channels"], generated: Float[Array, "*batch height width channels"]
) -> Float[Array, ""]:
    """ℓ1 between the spatial means of a discriminator's features (Liu et al., ICCV 2019): mean over channels, batch."""
    return l1(real.astype(jnp.float32).mean((-3, -2)), generated.astype(jnp.float32).mean((-3, -2)))
