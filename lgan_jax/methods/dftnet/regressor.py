"""Teaching D_C alone, before the generator.

Wang et al. train D and G together, for as long as it takes on 200,000 faces. On a small data set or in little time D_C
has learned next to nothing when the generator starts to follow it, and the generator learns to please it with noise.
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
Keys = Any  # `(batch,)` typed keys, one an example

UNITS = len(action_units.NUMBERS)
_ROWS = 6  # of the pictures to look at
_GROWTH = 0.2  # of the steps: how long the perturbation grows
_OPTIMIZER = optimizers.Adam(learning_rate=1e-3, schedule=optimizers.Cosine(warmup_steps=100))


@dataclasses.dataclass(frozen=True)
class Settings:
    """The regressor phase.

    Attributes:
      steps: how many.
      batch_size: examples a step.
      optimizer: its fields.
      discriminator_width: channels of the discriminator's first convolution.
      augmentation: of the faces that it learns from: else it learns a small data set by heart.
      perturbation: faces are also moved, each by up to so much in ℓ2 (of a picture in [-1, 1]), towards where D_C is
        more wrong. What pleases a D_C that withstands this is seen by people too (Santurkar et al., "Image synthesis
        with a single (robust) classifier", NeurIPS 2019), but it sees less.
      perturbation_start: share of the steps after which the perturbation grows, for a fifth of them.
      ema_decay: of the exponential moving average (EMA) of the weights, which is what is used and evaluated; at step n
        at most (1 + n) / (10 + n).
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
    """The phase that trains D_C of DFT-Net on real faces: its `discriminator`, with D_A's head as it starts."""

    Settings = Settings
    grouping = "single"
    keys = ("image", "action_units")

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """`dtype` is what to compute in; of `earlier` phases none is needed. Raises `ValueError` as `check_size`."""
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
        """See `Phase`. Metrics: condition, of the faces that it is shown."""
        image, units = jnp.asarray(batch["image"]), jnp.asarray(batch["action_units"])
        keys = example_keys(key, len(image))
        shown = augmented(self.settings.augmentation, image, keys)
        if self.settings.perturbation:
            shown = self._perturbed(state, shown, units, keys)

        def loss(params: Any):
            condition = losses.condition(self._seen(params["discriminator"], shown), units)
            return condition, ({"condition": condition}, None)

        state, metrics, _ = state.descend(self._optimizers, loss, "discriminator")
        return state.finished_step(warmed_up(self.settings.ema_decay, state.step)), metrics

    def eval_step(self, state: TrainState, batch: Batch) -> Metrics:
        """See `Phase`. Metrics: action_units (mean difference of those seen from the true ones), condition."""
        seen, units = self.estimate(state, jnp.asarray(batch["image"])), jnp.asarray(batch["action_units"])
        return {"action_units": l1(seen, units), "condition": losses.condition(seen, units)}

    def sample_images(self, state: TrainState, batch: Batch) -> Mapping[str, Array]:
        """See `Phase`: faces and what is shown of them, augmented and perturbed, in a row."""
        image, units = (jnp.asarray(batch[name])[:_ROWS] for name in self.keys)
        keys = jax.random.split(jax.random.key(0), len(image))
        changed = augmented(self.settings.augmentation, image, keys)
        return {"shown": jnp.stack([image, changed, self._perturbed(state, changed, units, keys)], 1)}

    def estimate(self, state: TrainState, image: Image) -> Units:
        """The action units that D_C sees in faces in [-1, 1], by the EMA of its weights."""
        return self._seen(state.ema["discriminator"], image)

    def _perturbed(self, state: TrainState, image: Image, units: Units, keys: Keys) -> Image:
        """Faces, each moved along the gradient of D_C's error."""

        def error(image: Image) -> Array:
            return jnp.sum((self._seen(state.params["discriminator"], image) - units) ** 2)

        def moved(image: Image) -> Image:
            slope = jax.grad(error)(image)
            length = self.settings.perturbation * grown * jax.vmap(jax.random.uniform)(folded(keys, 1))
            length = length / jnp.maximum(jnp.sqrt(jnp.sum(slope**2, (1, 2, 3))), 1e-12)
            return image + length.reshape(-1, 1, 1, 1) * slope

        done = state.step / self.settings.steps
        grown = jnp.clip((done - self.settings.perturbation_start) / _GROWTH, 0, 1)
        return jax.lax.cond(grown > 0, moved, lambda image: image, image)

    def _seen(self, params: Any, image: Image) -> Units:
        return self._discriminator.apply({"params": params}, image)[1]


def check_size(size: int) -> None:
    """Raises `ValueError` for pictures of a size that the discriminator cannot take, before anything is trained."""
    if size % SMALLEST:
        raise ValueError(f"pictures are {size} pixels wide; DFT-Net takes multiples of {SMALLEST}")


def augmented(settings: augment.Settings, image: Image, keys: Keys) -> Image:
    """What the discriminator is shown of faces in [-1, 1]."""
    if settings == augment.NONE:
        return image
    change = jax.vmap(functools.partial(augment.augmented_image, settings))
    return 2 * change(folded(keys, 0), (image + 1) / 2) - 1
