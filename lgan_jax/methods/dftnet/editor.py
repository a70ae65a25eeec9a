"""Training an editor of expressions (Wang et al., Eq. 1 to 10), or GANimation with the same losses as its baseline.

A step is some updates of the discriminator, each on its own part of the batch, and one of the generator on the last.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array

from lgan_jax import optimizers
from lgan_jax.core import Batch, FaceInfo, Finished, Metrics, example_keys, folded
from lgan_jax.losses import adversarial
from lgan_jax.methods.dftnet import editing, losses
from lgan_jax.methods.dftnet.editing import OPTIMIZER, EditingPhase, Image, Keys, Units, targets
from lgan_jax.methods.dftnet.networks import GANimation
from lgan_jax.methods.dftnet.regressor import augmented
from lgan_jax.training.train_state import TrainState


@dataclasses.dataclass(frozen=True)
class Settings(editing.Settings):
    """The editor phase, or the baseline's: see `editing.Settings`. The discriminator's updates share the batch.

    Attributes:
      discriminator_updates: of the discriminator for one of the generator.
      discriminator_optimizer: its fields; its steps are the discriminator's updates.
    """

    discriminator_updates: int = 5
    discriminator_optimizer: optimizers.Settings = OPTIMIZER

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.discriminator_updates < 1 or self.batch_size % self.discriminator_updates:
            raise ValueError(
                f"batch_size is {self.batch_size}; it must be a multiple of discriminator_updates, which is "
                f"{self.discriminator_updates} and must be at least 1"
            )


class EditorPhase(EditingPhase):
    """The phase that trains G and D of DFT-Net."""

    Settings = Settings
    before: tuple[str, ...] = ("flow", "pairs")  # the generator starts as the last of these left it, if any is there
    over_map: Literal["mean", "sum"] = "mean"  # see `adversarial.gradient_penalty`

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """See `EditingPhase`; of `earlier` phases the regressor and the last of those `before` are taken up."""
        trained = {
            "generator": optimizers.make(settings.optimizer, settings.steps),
            "discriminator": optimizers.make(
                settings.discriminator_optimizer, settings.steps * settings.discriminator_updates
            ),
        }
        generators = [finished for name, finished in earlier.items() if name in self.before]
        super().__init__(settings, faces, dtype, earlier.get("regressor"), (generators or [None])[-1], trained)

    def train_step(
        self, state: TrainState, batch: Batch, key: jax.Array, variant: Hashable = None
    ) -> tuple[TrainState, Metrics]:
        """See `Phase`.

        Metrics: wasserstein (how much higher D_A puts real faces), gradient_penalty and condition_real of the last of
        the discriminator's updates; adversarial, condition, cycle, total_variation, attention and total of the
        generator's.

        Raises `ValueError` where a device's share of the batch cannot be dealt out over the discriminator's updates.
        """
        parts = self._dealt(*(jnp.asarray(batch[name]) for name in self.keys), key)
        metrics: Metrics = {}
        for part in parts:  # unrolled: convolutions inside XLA's loops are slow on a CPU
            state, metrics = self._update_discriminator(state, *part)
        state, of_generator = self._update_generator(state, *parts[-1])
        return state, {**metrics, **of_generator}

    def _dealt(self, image: Image, units: Units, key: jax.Array) -> list[tuple[Array, Array, Keys]]:
        """This device's share of the batch in parts, one an update of the discriminator: pictures, units, keys.

        They are dealt out like cards: which part an example is in depends on its place in the whole batch alone.
        """
        count = self.settings.discriminator_updates
        if image.shape[0] % count:
            raise ValueError(
                f"a device's share of the batch, {image.shape[0]}, cannot be dealt out over {count} updates of the "
                "discriminator; set batch_size to a multiple of that and of the number of devices"
            )
        keys = example_keys(key, image.shape[0])
        image = self._mirrored(image, keys)
        return [(image[i::count], units[i::count], keys[i::count]) for i in range(count)]

    def _update_discriminator(
        self, state: TrainState, image: Image, units: Units, keys: Keys
    ) -> tuple[TrainState, Metrics]:
        weights = self.settings.weights
        made = self._edited(state.params["generator"], image, targets(folded(keys, 1), units)).image
        image, made = (augmented(self.settings.augmentation, x, folded(keys, i)) for i, x in ((2, image), (3, made)))
        share = jax.vmap(jax.random.uniform)(folded(keys, 4))

        def loss(params: Any):
            critic, estimated = self._judged(params["discriminator"], jnp.concatenate([image, made]))
            real_critic, made_critic = jnp.split(critic, 2)
            penalty = adversarial.gradient_penalty(
                lambda x: self._judged(params["discriminator"], x)[0], image, made, share, self.over_map
            )
            distance = adversarial.wasserstein_discriminator(real_critic, made_critic)
            condition = losses.condition(estimated[: len(image)], units)
            total = weights.adversarial * distance + weights.gradient_penalty * penalty
            total = total + weights.condition * condition
            metrics = {"wasserstein": -distance, "gradient_penalty": penalty, "condition_real": condition}
            return total, (metrics, None)

        state, metrics, _ = state.descend(self._optimizers, loss, "discriminator")
        return state, metrics


class BaselinePhase(EditorPhase):
    """The phase that trains GANimation's generator, with a discriminator of its own, on the same losses.

    Its gradient penalty is that of GANimation's code, which sums D_A's map; see `adversarial.gradient_penalty`.
    """

    network = GANimation
    before = ("baseline_pairs",)
    over_map = "sum"
