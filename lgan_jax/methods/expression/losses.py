"""The losses of Li et al., Eq. 4 to 7, in the paper's symbols.

P_t: the target image in [-1, 1]. P̂_t: the generated image. D: a discriminator's probability that an image is real;
functions here take its logits. φ_l: layer l of a network trained on photographs. Expectations are batch means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.losses.adversarial import ADVERSARIAL, Logits, Scalar
from lgan_jax.losses.reconstruction import l1

Image = Float[Array, "batch height width 3"]


def gan_discriminator(kind: str, logits: Sequence[tuple[Logits, Logits]]) -> Scalar:
    """Eq. 4 for the discriminators, which minimise its negative ("minimax"): E[log D(x)] + E[log(1 − D(G(z)))].

    `logits` has the logits of real and of generated images for each discriminator. The paper does not specify the
    combination of its two discriminators; this is their mean, as in pose attention transfer, the origin of its
    weights. For "hinge" and "non_saturating" see `losses.adversarial`.
    """
    return jnp.mean(jnp.stack([ADVERSARIAL[kind].discriminator(real, generated) for real, generated in logits]))


def gan_generator(kind: str, logits: Sequence[tuple[Logits, Logits]]) -> Scalar:
    """Eq. 4 for G: "minimax" its second term, E[log(1 − D(G(z)))], "non_saturating" −E[log D(G(z))]."""
    return jnp.mean(jnp.stack([ADVERSARIAL[kind].generator(generated) for _, generated in logits]))


def pixel(target: Image, generated: Image, weights: Float[Array, "batch height width 1"] | None = None) -> Scalar:
    """Eq. 5: |P̂_t − P_t| summed over pixels / (H·W); the mean over colors, which the paper does not specify.

    `weights` weight the pixels; the paper has none.
    """
    return l1(target, generated, None if weights is None else jnp.broadcast_to(weights, target.shape))


def perceptual(
    features: Callable[[Image], Float[Array, "batch rows columns channels"]], target: Image, generated: Image
) -> Scalar:
    """Eq. 6: |φ_l(P̂_t) − φ_l(P_t)| summed over positions and channels / (W_l·H_l·C_l); `features` is φ_l.

    The ground truth has no gradient (Johnson et al., ECCV 2016).
    """
    return l1(jax.lax.stop_gradient(features(target)), features(generated))


def total(weights: object, terms: Mapping[str, Scalar]) -> Scalar:
    """Eq. 7: λ₁·L_GAN + λ₂·L_Per + λ₃·L_pixel, over the given terms; `weights` has a field for each term."""
    return sum((getattr(weights, name) * value for name, value in terms.items()), start=jnp.zeros(()))
