"""The probability of adaptive discriminator augmentation, which follows how far the discriminator overfits.

Source: Karras et al., "Training generative adversarial networks with limited data", NeurIPS 2020, section 3.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.ops import adaptive_augment


@runtime_checkable
class Rates(Protocol):
    """What adapts the probability; see `stylegan2.Settings`."""

    batch_size: int
    ada_target: float
    ada_interval: int
    ada_kimg: float


@flax.struct.dataclass
class Augmentation:
    """The state of adaptive augmentation.

    Attributes:
      probability: p of each transformation, in [0, 1].
      signs: sum, over the steps since p was last changed, of the batch's mean sign of the discriminator's logits.
      overfitting: r_t when p was last changed: the mean of these signs, in [-1, 1].
    """

    probability: Any
    signs: Any
    overfitting: Any

    @classmethod
    def start(cls) -> Augmentation:
        """No augmentation yet."""
        return cls(jnp.zeros(()), jnp.zeros(()), jnp.zeros(()))

    def seen(self, images: Float[Array, "batch size size 3"], keys: jax.Array) -> Float[Array, "batch size size 3"]:
        """The images as the discriminator sees them, one key each."""
        return jax.vmap(adaptive_augment.augmented, (0, 0, None))(keys, images, self.probability)

    def after(self, sign: Float[Array, ""], step: Array, rates: Rates) -> Augmentation:
        """The state after step `step`, counted from 0, with the batch's mean sign in it.

        Every `ada_interval` steps p goes up where r_t is above `ada_target`, and down where it is below, by a rate at
        which it takes `ada_kimg` thousand images from 0 to 1.
        """
        signs = self.signs + sign
        due = (step + 1) % rates.ada_interval == 0
        overfitting = jnp.where(due, signs / rates.ada_interval, self.overfitting)
        change = rates.batch_size * rates.ada_interval / (1000 * rates.ada_kimg)
        moved = jnp.clip(self.probability + change * jnp.sign(overfitting - rates.ada_target), 0, 1)
        return Augmentation(jnp.where(due, moved, self.probability), jnp.where(due, 0, signs), overfitting)
