"""The losses of BEGAN (Bazrafkan et al.), in the paper's symbols; images in [-1, 1], expectations are batch means.

D: the auto-encoder. G: the generator. k: weight of the generator's error in D's loss, in [0, 1]. γ: the ratio of
L(G(z)) and L(x) at equilibrium.
"""

from __future__ import annotations

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

Scalar = Float[Array, ""]
Norm = Literal["squared", "absolute"]


def reconstruction(
    norm: Norm, v: Float[Array, "*shape"], decoded: Float[Array, "*shape"], weights: Float[Array, " ..."] | float = 1.0
) -> Scalar:
    """Eq. 1: L(v) = |v − D(v)|², a mean over pixels and colors; "absolute": |v − D(v)|, as in Berthelot et al.

    `weights` weight the differences; neither paper has them.
    """
    difference = jnp.abs(v.astype(jnp.float32) - decoded.astype(jnp.float32))
    return jnp.mean(weights * (difference if norm == "absolute" else difference**2))


def balance(k: Scalar, real: Scalar, generated: Scalar, gamma: float, rate: float) -> Scalar:
    """Eq. 2, its third line: k + λ_k·(γ·L(x) − L(G(z))), clipped to [0, 1]."""
    return jnp.clip(k + rate * (gamma * real - generated), 0, 1)


def convergence(real: Scalar, generated: Scalar, gamma: float) -> Scalar:
    """Berthelot et al.'s measure: M = L(x) + |γ·L(x) − L(G(z))|; it decreases as the faces improve."""
    return real + jnp.abs(gamma * real - generated)


def inversion(image: Float[Array, "batch height width 3"], generated: Float[Array, "batch height width 3"]):
    """Eq. 3: |x − G(z)| of each image, a mean over pixels and colors `(batch,)`."""
    return jnp.mean(jnp.abs(image - generated.astype(jnp.float32)), (1, 2, 3))


def landmarks(found: Float[Array, "batch n 2"], target: Float[Array, "batch n 2"]) -> Float[Array, " batch"]:
    """Eq. 4 of each face: the mean squared difference over all 2N coordinates; in [0, 1] across the image."""
    return jnp.mean((found - target) ** 2, (1, 2))
