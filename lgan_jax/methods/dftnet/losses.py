"""The losses of DFT-Net, Eq. 7 to 10 of Wang et al., in the paper's symbols, of GANimation, and one for pairs.

Eq. 6 is `losses.adversarial`'s.

X_s: source in [-1, 1]. X̂_t: generated face. y: action units in [0, 1]. Φ: flow in image widths. A: attention.
Expectations are means over the batch.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lgan_jax.landmarks import Scheme
from lgan_jax.losses.reconstruction import l1
from lgan_jax.ops.norms import safe_norm
from lgan_jax.ops.warp import sample

Scalar = Float[Array, ""]
Image = Float[Array, "batch height width 3"]


def condition(estimated: Float[Array, "batch units"], target: Float[Array, "batch units"]) -> Scalar:
    """One expectation of Eq. 7, E[‖D_C(X) − y‖₂²], as a mean over units (as in GANimation's code; the paper: a sum)."""
    return jnp.mean((estimated - target) ** 2)


def pair(generated: Image, source: Image, target: Image, emphasis: float) -> Scalar:
    """ℓ1 distance of a generated face and the ground truth, as a mean over pixels and colors.

    A pixel's weight is 1 + `emphasis` · |target − source| (mean over colors), as an expression changes few pixels.
    """
    changed = jnp.mean(jnp.abs(target - source), -1, keepdims=True)
    return jnp.mean((1 + emphasis * changed) * jnp.abs(generated - target))


def edges(generated: Image, target: Image) -> Scalar:
    """ℓ1 distance of the differences between neighboring pixels of a generated face and the ground truth.

    Not in the papers. An ℓ1 distance of pixels alone favors blurred teeth and lids.
    """
    difference = generated - target
    return jnp.mean(jnp.abs(jnp.diff(difference, axis=1))) + jnp.mean(jnp.abs(jnp.diff(difference, axis=2)))


def landmarks(
    flow: Float[Array, "batch height width 2"],
    source: Float[Array, "batch n 2"],
    target: Float[Array, "batch n 2"],
    scheme: Scheme,
) -> Scalar:
    """Mean distance between Φ at the target's landmarks and the way from there to the source's, in image widths.

    Not in the papers. Only points inside the face's outline count: those on it show another place in every pose.
    """
    inner = np.array(scheme.inner)
    source, target = source[:, inner], target[:, inner]
    error = jax.vmap(sample)(flow, target) - (source - target)
    return jnp.mean(safe_norm(error))


def cycle(image: Image, returned: Image) -> Scalar:
    """Eq. 8, E[‖X_s − G(G(X_s | y_t) | y_s)‖₁], as a mean over pixels and colors (as in GANimation's code)."""
    return l1(image, returned)


def total_variation(flow: Float[Array, "batch height width 2"]) -> Scalar:
    """Eq. 9: squared differences of Φ between neighboring pixels, summed over the image, with Φ in pixels.

    The paper does not specify Φ's unit. In image widths the sum would be 16,384 times smaller, negligible at its
    weight of 1e-4.
    """
    pixels = flow * np.array(flow.shape[2:0:-1], np.float32).reshape(1, 1, 1, 2)
    down, right = jnp.diff(pixels, axis=1), jnp.diff(pixels, axis=2)
    return (jnp.sum(down**2) + jnp.sum(right**2)) / flow.shape[0]


def attention(attention: Float[Array, "batch height width 1"]) -> Scalar:
    """Eq. 10: −E[‖A‖₁], as a mean over pixels; it favors the warped image."""
    return -jnp.mean(jnp.abs(attention))


def ganimation_attention(
    attention: Float[Array, "batch height width 1"], returned: Float[Array, "batch height width 1"]
) -> Scalar:
    """GANimation's: the mean of A of the edit and of the edit back, as in its code; it favors the texture.

    Its paper has the ℓ2 norm of the first alone.
    """
    return jnp.mean(attention) + jnp.mean(returned)


def smoothness(
    attention: Float[Array, "batch height width 1"], returned: Float[Array, "batch height width 1"]
) -> Scalar:
    """GANimation's: absolute differences of A between neighboring pixels, of both edits, summed over the image.

    As in its code, but a mean over the batch. Its paper has squares, of the first edit alone.
    """
    both = jnp.stack([attention, returned])
    down, right = jnp.diff(both, axis=2), jnp.diff(both, axis=3)
    return (jnp.sum(jnp.abs(down)) + jnp.sum(jnp.abs(right))) / len(attention)
