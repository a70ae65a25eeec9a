"""The losses of Bazrafkan et al., in the paper's symbols; pictures in [-1, 1], expectations are means over the batch.

D: the auto-encoder. G: the generator. k: how much of the generator's error counts against D, in [0, 1]. γ: the share of
L(x) at which L(G(z)) is to settle.
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
    """Eq. 1: L(v) = |v − D(v)|², a mean over pixels and colours; "absolute": |v − D(v)|, as in Berthelot et al.

    Differences count times `weights`, which neither paper has.
    """
    difference = jnp.abs(v.astype(jnp.float32) - decoded.astype(jnp.float32))
    return jnp.mean(weights * (difference if norm == "absolute" else difference**2))


def balance(k: Scalar, real: Scalar, made: Scalar, gamma: float, rate: float) -> Scalar:
    """Eq. 2, its third line: k + λ_k·(γ·L(x) − L(G(z))), kept in [0, 1]."""
    return jnp.clip(k + rate * (gamma * real - made), 0, 1)


def convergence(real: Scalar, made: Scalar, gamma: float) -> Scalar:
    """Berthelot et al.'s measure: M = L(x) + |γ·L(x) − L(G(z))|; it falls while the faces get better."""
    return real + jnp.abs(gamma * real - made)


def inversion(image: Float[Array, "batch height width 3"], made: Float[Array, "batch height width 3"]):
    """Eq. 3: |x − G(z)| of each picture, a mean over pixels and colours `(batch,)`."""
    return jnp.mean(jnp.abs(image - made.astype(jnp.float32)), (1, 2, 3))


def landmarks(found: Float[Array, "batch n 2"], true: Float[Array, "batch n 2"]) -> Float[Array, " batch"]:
    """Eq. 4 of each face: the mean squared difference over all 2N coordinates; in [0, 1] across the image."""
    return jnp.mean((found - true) ** 2, (1, 2))
