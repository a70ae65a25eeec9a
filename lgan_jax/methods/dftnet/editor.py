"""Training phase of expression editing (Wang et al., Eq. 1 to 10), and of the baseline GANimation with the same losses.

A step has several discriminator updates, each on its own part of the batch, and one generator update on the last part.
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
from lgan_jax.methods.dftnet.networks import Edited, GANimation
from lgan_jax.methods.dftnet.regressor import augmented
from lgan_jax.training.train_state import TrainState


@dataclasses.dataclass(frozen=True)
class Settings(editing.SampledTargets):
    """Settings of the editor and the baseline phase, see `editing.SampledTargets`. Updates of D split the batch.

    Attributes:
      discriminator_updates: number of discriminator updates per generator update.
      discriminator_optimizer: settings of the discriminator's optimizer; its steps are the discriminator's updates.
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
    before: tuple[str, ...] = (
        "flow",
        "pairs",
        "registered_pairs",
    )  # the last of these phases, if any, initialises the generator
    over_map: Literal["mean", "sum"] = "mean"  # see `adversarial.gradient_penalty`

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """See `EditingPhase`; starts from the regressor and the last of the phases `before` in `earlier`."""
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

        Metrics: wasserstein (D_A's mean for real faces minus that for generated faces), gradient_penalty and
        condition_real of the last discriminator update; adversarial, condition, cycle, total_variation, attention and
        total of the generator update.

        Raises `ValueError` if a device's share of the batch is not divisible by the number of discriminator updates.
        """
        parts = self.dealt(*(jnp.asarray(batch[name]) for name in self.keys), key)
        metrics: Metrics = {}
        for part in parts:  # unrolled: convolutions inside XLA's loops are slow on a CPU
            state, metrics = self.update_discriminator(state, *part)
        state, of_generator = self.update_generator(state, *parts[-1])
        return state, {**metrics, **of_generator}

    def dealt(self, image: Image, units: Units, key: jax.Array) -> list[tuple[Array, Array, Keys]]:
        """This device's share of the batch in parts, one an update of the discriminator: images, units, keys.

        They are dealt out like cards: which part an example is in depends on its place in the whole batch alone.
        """
        count = self.settings.discriminator_updates
        if image.shape[0] % count:
            raise ValueError(
                f"a device's share of the batch, {image.shape[0]}, is not divisible by {count}, the updates of the "
                "discriminator; set batch_size to a multiple of it and of the number of devices"
            )
        keys = example_keys(key, image.shape[0])
        image = self._mirrored(image, keys)
        return [(image[i::count], units[i::count], keys[i::count]) for i in range(count)]

    def update_discriminator(
        self, state: TrainState, image: Image, units: Units, keys: Keys
    ) -> tuple[TrainState, Metrics]:
        """One step of D on some faces, against edits of them to sampled action units."""
        weights = self.settings.weights
        generated = self._edited(
            state.params["generator"], image, targets(folded(keys, 1), units, self.settings.target_noise)
        ).image
        image, generated = (
            augmented(self.settings.augmentation, x, folded(keys, i)) for i, x in ((2, image), (3, generated))
        )
        share = jax.vmap(jax.random.uniform)(folded(keys, 4))

        def loss(params: Any):
            critic, estimated = self._discriminator_outputs(
                params["discriminator"], jnp.concatenate([image, generated])
            )
            real_critic, generated_critic = jnp.split(critic, 2)
            penalty = adversarial.gradient_penalty(
                lambda x: self._discriminator_outputs(params["discriminator"], x)[0],
                image,
                generated,
                share,
                self.over_map,
            )
            distance = adversarial.wasserstein_discriminator(real_critic, generated_critic)
            condition = losses.condition(estimated[: len(image)], units)
            total = weights.adversarial * distance + weights.gradient_penalty * penalty
            total = total + weights.condition * condition
            metrics = {"wasserstein": -distance, "gradient_penalty": penalty, "condition_real": condition}
            return total, (metrics, None)

        state, metrics, _ = state.descend(self._optimizers, loss, "discriminator")
        return state, metrics


@dataclasses.dataclass(frozen=True)
class BaselineSettings(Settings):
    """Settings of the baseline phase: see `Settings`.

    Attributes:
      losses: "ganimation": GANimation's own losses of the attention, both with positive sign. "dftnet": Eq. 10.
    """

    losses: Literal["ganimation", "dftnet"] = "dftnet"


class BaselinePhase(EditorPhase):
    """The phase that trains GANimation's generator, with its own discriminator.

    The gradient penalty follows GANimation's code, which sums D_A's map; see `adversarial.gradient_penalty`.
    """

    Settings = BaselineSettings
    network = GANimation
    before = ("baseline_pairs", "baseline_registered_pairs")
    over_map = "sum"

    def _regularisation(self, edited: Edited, returned: Edited) -> Metrics:
        if self.settings.losses == "dftnet":
            return super()._regularisation(edited, returned)
        both = edited.attention, returned.attention
        return {"attention": losses.ganimation_attention(*both), "smoothness": losses.smoothness(*both)}
