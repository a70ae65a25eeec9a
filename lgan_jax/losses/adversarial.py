"""Adversarial losses on a discriminator's logits (any shape; higher for real): means over all of them.

Each kind is a pair: what the discriminator minimises, given the logits of real and of made pictures, and what the
generator minimises, given those of its own.
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
Pictures = Float[Array, "batch height width channels"]


def hinge_discriminator(real: Logits, made: Logits) -> Scalar:
    """E[max(0, 1 − D(real))] + E[max(0, 1 + D(made))] (Lim & Ye 2017)."""
    return jnp.mean(jax.nn.relu(1 - real)) + jnp.mean(jax.nn.relu(1 + made))


def hinge_generator(made: Logits) -> Scalar:
    """−E[D(made)]."""
    return -jnp.mean(made)


def logistic_discriminator(real: Logits, made: Logits) -> Scalar:
    """−E[log σ(D(real))] − E[log(1 − σ(D(made)))] (Goodfellow et al. 2014), σ the logistic function."""
    return jnp.mean(jax.nn.softplus(-real)) + jnp.mean(jax.nn.softplus(made))


def minimax_generator(made: Logits) -> Scalar:
    """E[log(1 − σ(D(made)))]: the same value function, minimised. Its gradient fades where D is sure."""
    return -jnp.mean(jax.nn.softplus(made))


def non_saturating_generator(made: Logits) -> Scalar:
    """−E[log σ(D(made))]: strong gradients where D is sure (Goodfellow et al. 2014, section 3)."""
    return jnp.mean(jax.nn.softplus(-made))


def relativistic(better: Logits, worse: Logits) -> Scalar:
    """−E[log σ(D(better) − D(worse))], each logit against its partner's (Jolicoeur-Martineau 2019).

    Better are the real pictures for the discriminator, the made ones for the generator, which so needs both: it is none
    of `ADVERSARIAL`. It keeps modes of the data from being left out; without `r1_penalty` on real and made pictures it
    need not converge (Huang et al., "R3GAN", 2024).
    """
    return jnp.mean(jax.nn.softplus(worse - better))


def wasserstein_discriminator(real: Logits, made: Logits) -> Scalar:
    """E[D(made)] − E[D(real)] (Arjovsky et al. 2017); D must be kept 1-Lipschitz: see `gradient_penalty`."""
    return jnp.mean(made) - jnp.mean(real)


def wasserstein_generator(made: Logits) -> Scalar:
    """−E[D(made)]."""
    return -jnp.mean(made)


def gradient_penalty(
    critic: Callable[[Pictures], Float[Array, "batch ..."]],
    real: Pictures,
    made: Pictures,
    share: Float[Array, " batch"],
    over_map: Literal["mean", "sum"] = "mean",
) -> Scalar:
    """E[(‖∇D(x̃)‖₂ − 1)²] at x̃ = share·real + (1 − share)·made (Gulrajani et al. 2017, "WGAN-GP").

    D of an image is the mean of what `critic` says of it, which is what the Wasserstein losses compare; with `over_map`
    "sum" the sum of its map, as GANimation's code takes it here alone: each gradient is as many times larger as the map
    has places. `critic` must judge every image on its own (without batch norm): then the gradient of the sum over the
    batch is each image's own, and takes one pass.
    """
    share = share[:, None, None, None]
    between = share * real + (1 - share) * made

    def total(images: Pictures) -> Scalar:
        judged = critic(images).reshape(len(images), -1)
        return jnp.sum(judged.mean(1) if over_map == "mean" else judged)

    slopes = jax.grad(total)(between)
    return jnp.mean((safe_norm(slopes, (1, 2, 3)) - 1) ** 2)


def r1_penalty(critic: Callable[[Pictures], Float[Array, " batch"]], pictures: Pictures) -> Scalar:
    """E[‖∇D(x)‖₂²] at pictures (Mescheder et al. 2018), to be weighted by γ/2: R1 at real ones, R2 at made ones.

    The gradient is that of the sum over the batch.
    """
    slopes = jax.grad(lambda pictures: jnp.sum(critic(pictures)))(pictures)
    return jnp.mean(jnp.sum(slopes**2, (1, 2, 3)))


class Adversarial(NamedTuple):
    """The two halves of one kind of adversarial loss."""

    discriminator: Callable[[Logits, Logits], Scalar]
    generator: Callable[[Logits], Scalar]


ADVERSARIAL = {
    "hinge": Adversarial(hinge_discriminator, hinge_generator),
    "minimax": Adversarial(logistic_discriminator, minimax_generator),
    "non_saturating": Adversarial(logistic_discriminator, non_saturating_generator),
    "wasserstein": Adversarial(wasserstein_discriminator, wasserstein_generator),
}


def check_start(share: float) -> None:
    """Raises `ValueError` for an `adversarial_start` that is no share of a phase's steps; see `has_started`."""
    if not 0 <= share < 1:
        raise ValueError(f"adversarial_start is {share}; it must be at least 0 and less than 1")


def has_started(share: float, steps: int, step: int) -> bool:
    """Whether adversarial losses, which start after a `share` of a phase's `steps`, are in the step after `step`."""
    return step >= int(share * steps)
