"""The losses of Li et al., Eq. 4 to 7, in the paper's symbols.

P_t: the target picture in [-1, 1]. P̂_t: the made one. D: a discriminator's probability that a picture is real; its
logits are given here. φ_l: layer l of a network trained on photographs. Expectations are means over the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.losses.adversarial import ADVERSARIAL, Logits, Scalar
from lgan_jax.losses.perceptual import perceptual as feature_distance
from lgan_jax.losses.reconstruction import l1

Image = Float[Array, "batch height width 3"]


def gan_discriminator(kind: str, judged: Sequence[tuple[Logits, Logits]]) -> Scalar:
    """Eq. 4 for the discriminators, which minimise its negative ("minimax"): E[log D(x)] + E[log(1 − D(G(z)))].

    `judged` has the logits of real and of made pictures for each discriminator. The paper says nothing of how its two
    are put together: their mean is taken, as pose attention transfer does, from which its weights come. "hinge" and
    "non_saturating" are those of `losses.adversarial`.
    """
    return jnp.mean(jnp.stack([ADVERSARIAL[kind].discriminator(real, made) for real, made in judged]))


def gan_generator(kind: str, judged: Sequence[tuple[Logits, Logits]]) -> Scalar:
    """Eq. 4 for G: "minimax" its second term, E[log(1 − D(G(z)))], "non_saturating" −E[log D(G(z))]; a mean too."""
    return jnp.mean(jnp.stack([ADVERSARIAL[kind].generator(made) for _, made in judged]))


def pixel(target: Image, made: Image, weights: Float[Array, "batch height width 1"] | None = None) -> Scalar:
    """Eq. 5: |P̂_t − P_t| summed over pixels / (H·W), and averaged over colours, of which the paper does not speak.

    Times `weights` where given, which the paper has none of.
    """
    return l1(target, made, None if weights is None else jnp.broadcast_to(weights, target.shape))


def perceptual(
    features: Callable[[Image], Float[Array, "batch rows columns channels"]], target: Image, made: Image
) -> Scalar:
    """Eq. 6: |φ_l(P̂_t) − φ_l(P_t)| summed over places and channels / (W_l·H_l·C_l), `features` being φ_l."""
    return feature_distance(features, target, made)


def total(weights: object, terms: Mapping[str, Scalar]) -> Scalar:
    """Eq. 7: λ₁·L_GAN + λ₂·L_Per + λ₃·L_pixel, of the terms that there are; `weights` has a field of each's name."""
    return sum((getattr(weights, name) * value for name, value in terms.items()), start=jnp.zeros(()))
