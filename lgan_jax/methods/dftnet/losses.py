"""The losses of DFT-Net, Eq. 7 to 10 of Wang et al., in the paper's symbols, and one for pairs.

Eq. 6 is `losses.adversarial`'s.

X_s: source in [-1, 1]. X̂_t: made face. y: action units in [0, 1]. Φ: flow in picture widths and heights. A: attention.
Expectations are means over the batch.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lgan_jax.losses.reconstruction import l1

Scalar = Float[Array, ""]
Image = Float[Array, "batch height width 3"]


def condition(estimated: Float[Array, "batch units"], wanted: Float[Array, "batch units"]) -> Scalar:
    """One expectation of Eq. 7, E[‖D_C(X) − y‖₂²], as a mean over units (as GANimation's code; the paper: a sum)."""
    return jnp.mean((estimated - wanted) ** 2)


def pair(made: Image, source: Image, target: Image, emphasis: float) -> Scalar:
    """ℓ1 of a made face from the true one, as a mean over pixels and colours.

    A pixel counts 1 + `emphasis` · |target − source| (the mean over its colours): an expression changes few of them.
    """
    changed = jnp.mean(jnp.abs(target - source), -1, keepdims=True)
    return jnp.mean((1 + emphasis * changed) * jnp.abs(made - target))


def cycle(image: Image, returned: Image) -> Scalar:
    """Eq. 8, E[‖X_s − G(G(X_s | y_t) | y_s)‖₁], as a mean over pixels and colours (as GANimation's code)."""
    return l1(image, returned)


def total_variation(flow: Float[Array, "batch height width 2"]) -> Scalar:
    """Eq. 9: squared differences of Φ between neighbours, summed over the picture, with Φ in pixels.

    The paper does not say in which unit. In widths of the picture the sum would be 16,384 times smaller, at its
    weight of 1e-4 nothing beside the other losses.
    """
    pixels = flow * np.array(flow.shape[2:0:-1], np.float32).reshape(1, 1, 1, 2)
    down, right = jnp.diff(pixels, axis=1), jnp.diff(pixels, axis=2)
    return (jnp.sum(down**2) + jnp.sum(right**2)) / flow.shape[0]


def attention(attention: Float[Array, "batch height width 1"]) -> Scalar:
    """Eq. 10: −E[‖A‖₁], as a mean over pixels; it keeps weight on the warped picture."""
    return -jnp.mean(jnp.abs(attention))
