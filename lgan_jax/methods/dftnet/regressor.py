"""Training phase of D_C alone, before the generator.

Wang et al. train D and G together, for long, on 200,000 faces. With little data or time, D_C is inaccurate when the
generator starts, and the generator learns noise that reduces D_C's loss.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Hashable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax import action_units, config, optimizers
from lgan_jax.core import Batch, FaceInfo, Finished, Metrics, example_keys, folded
from lgan_jax.losses.reconstruction import l1
from lgan_jax.methods.dftnet import losses
from lgan_jax.methods.dftnet.networks import SMALLEST, Discriminator
from lgan_jax.nn.initialisers import initial_variables
from lgan_jax.ops import augment
from lgan_jax.training.phase import Phase
from lgan_jax.training.train_state import TrainState, warmed_up

Image = Float[Array, "batch height width 3"]
Units = Float[Array, "batch units"]
Keys = Any  # `(batch,)` typed keys, one per example

UNITS = len(action_units.NUMBERS)
_ROWS = 6  # rows of the sample images
_GROWTH = 0.2  # share of the steps in which the perturbation grows
_OPTIMIZER = optimizers.Adam(learning_rate=1e-3, schedule=optimizers.Cosine(warmup_steps=100))


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the regressor phase.

    Attributes:
      steps: number of training steps.
      batch_size: examples per step.
      optimizer: settings of the optimizer.
      discriminator_width: channels of the discriminator's first convolution.
      augmentation: augmentation of the training faces; without it D_C overfits a small data set.
      perturbation: largest ℓ2 norm of an adversarial perturbation of each face (for images in [-1, 1]) along the
        gradient of D_C's error. Edits that reduce the loss of a robust D_C are visible to humans (Santurkar et al.,
        "Image synthesis with a single (robust) classifier", NeurIPS 2019), but a robust D_C is less accurate.
      perturbation_start: share of the steps before the perturbation starts; it grows for a fifth of the steps.
      ema_decay: decay of the exponential moving average (EMA) of the weights, which inference and evaluation use; at
        step n at most (1 + n) / (10 + n).
    """

    steps: int = 20_000
    batch_size: int = 64
    optimizer: optimizers.Settings = _OPTIMIZER
    discriminator_width: int = 64
    augmentation: augment.Settings = augment.NONE
    perturbation: float = 0.0
    perturbation_start: float = 0.6
    ema_decay: float = 0.99

    def __post_init__(self) -> None:
        config.within(self, 1, math.inf, "steps", "batch_size", "discriminator_width")
        config.within(self, 0, math.inf, "perturbation")
        config.within(self, 0, 1, "perturbation_start", "ema_decay")


class RegressorPhase(Phase):
    """The phase that trains D_C of DFT-Net on real faces: its `discriminator`, with D_A's initial head."""

    Settings = Settings
    grouping = "single"
    keys = ("image", "action_units")

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """Needs no `earlier` phases; `dtype` is the dtype of computations. Raises `ValueError` as `check_size` does."""
        check_size(faces.size)
        super().__init__(settings, faces, dtype, earlier)
        self._discriminator = Discriminator(settings.discriminator_width, UNITS, dtype)
        self._optimizers = {"discriminator": optimizers.make(settings.optimizer, settings.steps)}

    def init(self, key: jax.Array, batch: Batch) -> TrainState:
        """See `Phase`."""
        params = initial_variables(self._discriminator, key, jnp.asarray(batch["image"])[:1])["params"]
        return TrainState.create({"discriminator": params}, self._optimizers, ("discriminator",))

    def train_step(
        self, state: TrainState, batch: Batch, key: jax.Array, variant: Hashable = None
    ) -> tuple[TrainState, Metrics]:
        """See `Phase`. Metrics: condition, for the augmented faces."""
        image, units = jnp.asarray(batch["image"]), jnp.asarray(batch["action_units"])
        keys = example_keys(key, len(image))
        shown = augmented(self.settings.augmentation, image, keys)
        if self.settings.perturbation:
            shown = self.perturbed(state, shown, units, keys)

        def loss(params: Any):
            condition = losses.condition(self.seen(params["discriminator"], shown), units)
            return condition, ({"condition": condition}, None)

        state, metrics, _ = state.descend(self._optimizers, loss, "discriminator")
        return state.finished_step(warmed_up(self.settings.ema_decay, state.step)), metrics

    def eval_step(self, state: TrainState, batch: Batch) -> Metrics:
        """See `Phase`. Metrics: action_units (mean absolute difference of estimates and ground truth), condition."""
        seen, units = self.estimate(state, jnp.asarray(batch["image"])), jnp.asarray(batch["action_units"])
        return {"action_units": l1(seen, units), "condition": losses.condition(seen, units)}

    def sample_images(self, state: TrainState, batch: Batch) -> Mapping[str, Array]:
        """See `Phase`. Each row: a face, its augmented image, and its perturbed image."""
        image, units = (jnp.asarray(batch[name])[:_ROWS] for name in self.keys)
        keys = jax.random.split(jax.random.key(0), len(image))
        changed = augmented(self.settings.augmentation, image, keys)
        return {"shown": jnp.stack([image, changed, self.perturbed(state, changed, units, keys)], 1)}

    def estimate(self, state: TrainState, image: Image) -> Units:
        """D_C's estimates of the action units of faces in [-1, 1], by the EMA of its weights."""
        return self.seen(state.ema["discriminator"], image)

    def perturbed(self, state: TrainState, image: Image, units: Units, keys: Keys) -> Image:
        """Perturbs each face along the gradient of D_C's error."""

        def error(image: Image) -> Array:
            return jnp.sum((self.seen(state.params["discriminator"], image) - units) ** 2)

        def moved(image: Image) -> Image:
            gradient = jax.grad(error)(image)
            length = self.settings.perturbation * grown * jax.vmap(jax.random.uniform)(folded(keys, 1))
            length = length / jnp.maximum(jnp.sqrt(jnp.sum(gradient**2, (1, 2, 3))), 1e-12)
            return image + length.reshape(-1, 1, 1, 1) * gradient

        done = state.step / self.settings.steps
        grown = jnp.clip((done - self.settings.perturbation_start) / _GROWTH, 0, 1)
        return jax.lax.cond(grown > 0, moved, lambda image: image, image)

    def seen(self, params: Any, image: Image) -> Units:
        """The action units of faces in [-1, 1], by D_C with these parameters."""
        return self._discriminator.apply({"params": params}, image)[1]


def check_size(size: int) -> None:
    """Raises `ValueError` for an image size that the discriminator does not support."""
    if size % SMALLEST:
        raise ValueError(f"images are {size} pixels wide; DFT-Net supports multiples of {SMALLEST}")


def augmented(settings: augment.Settings, image: Image, keys: Keys) -> Image:
    """Augments faces in [-1, 1] for the discriminator."""
    if settings == augment.NONE:
        return image
    change = jax.vmap(functools.partial(augment.augmented_image, settings))
    return 2 * change(folded(keys, 0), (image + 1) / 2) - 1
