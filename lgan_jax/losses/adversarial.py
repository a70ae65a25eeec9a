"""Adversarial losses on a discriminator's logits (any shape; higher for real): means over all of them.

Each kind is a pair: the discriminator's loss of the logits of real and of generated images, and the generator's loss
of the logits of generated images.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.ops.norms import safe_norm

Logits = Float[Array, " ..."]
Scalar = Float[Array, ""]
Images = Float[Array, "batch height width channels"]


def hinge_discriminator(real: Logits, generated: Logits) -> Scalar:
    """E[max(0, 1 − D(real))] + E[max(0, 1 + D(generated))] (Lim & Ye 2017)."""
    return jnp.mean(jax.nn.relu(1 - real)) + jnp.mean(jax.nn.relu(1 + generated))


def hinge_generator(generated: Logits) -> Scalar:
    """−E[D(generated)]."""
    return -jnp.mean(generated)


def logistic_discriminator(real: Logits, generated: Logits) -> Scalar:
    """−E[log σ(D(real))] − E[log(1 − σ(D(generated)))] (Goodfellow et al. 2014), σ the logistic function."""
    return jnp.mean(jax.nn.softplus(-real)) + jnp.mean(jax.nn.softplus(generated))


def minimax_generator(generated: Logits) -> Scalar:
    """E[log(1 − σ(D(generated)))]: the same value function, minimised. Its gradient vanishes where D is confident."""
    return -jnp.mean(jax.nn.softplus(generated))


def non_saturating_generator(generated: Logits) -> Scalar:
    """−E[log σ(D(generated))]: strong gradients where D is confident (Goodfellow et al. 2014, section 3)."""
    return jnp.mean(jax.nn.softplus(-generated))


def relativistic(better: Logits, worse: Logits) -> Scalar:
    """−E[log σ(D(better) − D(worse))], each logit against its partner's (Jolicoeur-Martineau 2019).

    `better` are real images for the discriminator's loss and generated images for the generator's. The generator's loss
    needs both, so it is not in `ADVERSARIAL`. It prevents mode dropping; convergence needs `r1_penalty` on real and
    generated images (Huang et al., "R3GAN", 2024).
    """
    return jnp.mean(jax.nn.softplus(worse - better))


def wasserstein_discriminator(real: Logits, generated: Logits) -> Scalar:
    """E[D(generated)] − E[D(real)] (Arjovsky et al. 2017); D must be 1-Lipschitz: see `gradient_penalty`."""
    return jnp.mean(generated) - jnp.mean(real)


def wasserstein_generator(generated: Logits) -> Scalar:
    """−E[D(generated)]."""
    return -jnp.mean(generated)


def gradient_penalty(
    critic: Callable[[Images], Float[Array, "batch ..."]],
    real: Images,
    generated: Images,
    share: Float[Array, " batch"],
    over_map: Literal["mean", "sum"] = "mean",
) -> Scalar:
    """E[(‖∇D(x̃)‖₂ − 1)²] at x̃ = share·real + (1 − share)·generated (Gulrajani et al. 2017, "WGAN-GP").

    D of an image is the mean of `critic`'s outputs, as in Wasserstein losses. With `over_map` "sum" it is their sum,
    as in GANimation's code (for this penalty only), which multiplies each gradient by the number of outputs. `critic`
    must treat images independently (no batch normalisation), so the gradient of the sum over the batch has each image's
    own gradient, in one pass.
    """
    share = share[:, None, None, None]
    between = share * real + (1 - share) * generated

    def total(images: Images) -> Scalar:
        outputs = critic(images).reshape(len(images), -1)
        return jnp.sum(outputs.mean(1) if over_map == "mean" else outputs)

    gradients = jax.grad(total)(between)
    return jnp.mean((safe_norm(gradients, (1, 2, 3)) - 1) ** 2)


def r1_penalty(critic: Callable[[Images], Float[Array, " batch"]], images: Images) -> Scalar:
    """E[‖∇D(x)‖₂²] at images (Mescheder et al. 2018), to be weighted by γ/2: R1 at real, R2 at generated images.

    The gradient is computed for the sum over the batch.
    """
    gradients = jax.grad(lambda images: jnp.sum(critic(images)))(images)
    return jnp.mean(jnp.sum(gradients**2, (1, 2, 3)))


class Adversarial(NamedTuple):
    """Discriminator and generator loss of one kind of adversarial loss."""

    discriminator: Callable[[Logits, Logits], Scalar]
    generator: Callable[[Logits], Scalar]


ADVERSARIAL = {
    "hinge": Adversarial(hinge_discriminator, hinge_generator),
    "minimax": Adversarial(logistic_discriminator, minimax_generator),
    "non_saturating": Adversarial(logistic_discriminator, non_saturating_generator),
    "wasserstein": Adversarial(wasserstein_discriminator, wasserstein_generator),
}


def check_start(share: float) -> None:
    """Raises `ValueError` for an `adversarial_start` outside [0, 1); see `has_started`."""
    if not 0 <= share < 1:
        raise ValueError(f"adversarial_start is {share}; it must be at least 0 and less than 1")


def has_started(share: float, steps: int, step: int) -> bool:
    """Whether the adversarial loss is active after `step` steps; it starts after a `share` of a phase's `steps`."""
    return step >= int(share * steps)
