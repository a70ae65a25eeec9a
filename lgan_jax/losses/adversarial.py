"""Adversarial losses on a discriminator's logits (any shape; higher for real): means over all of them.

Each kind is a pair: what the discriminator minimises, given the logits of real and of made pictures, and what the
generator minimises, given those of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Logits = Float[Array, " ..."]
Scalar = Float[Array, ""]


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


class Adversarial(NamedTuple):
    """The two halves of one kind of adversarial loss."""

    discriminator: Callable[[Logits, Logits], Scalar]
    generator: Callable[[Logits], Scalar]


ADVERSARIAL = {
    "hinge": Adversarial(hinge_discriminator, hinge_generator),
    "minimax": Adversarial(logistic_discriminator, minimax_generator),
    "non_saturating": Adversarial(logistic_discriminator, non_saturating_generator),
}
