"""Base class and settings of the phases that train a generator of DFT-Net."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import dm_pix
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax import config, optimizers
from lgan_jax.core import DATA_AXIS, Batch, FaceInfo, Finished, Metrics, folded
from lgan_jax.losses import adversarial
from lgan_jax.losses.reconstruction import l1
from lgan_jax.methods.dftnet import losses
from lgan_jax.methods.dftnet.networks import (
    DFTNetGenerator,
    Discriminator,
    Edited,
    EditingGenerator,
    Form,
    with_initial_heads,
)
from lgan_jax.methods.dftnet.regressor import UNITS, augmented, check_size
from lgan_jax.nn.initialisers import initial_variables
from lgan_jax.ops import augment
from lgan_jax.training.phase import Phase
from lgan_jax.training.train_state import Optimizers, TrainState, warmed_up

Image = Float[Array, "batch height width 3"]
Units = Float[Array, "batch units"]
Keys = Any  # `(batch,)` typed keys, one per example

ROWS = 6  # rows of the sample images
OPTIMIZER = optimizers.Adam(learning_rate=1e-4, b1=0.5, b2=0.999, schedule=optimizers.Linear(constant_fraction=2 / 3))


@dataclasses.dataclass(frozen=True)
class Weights:
    """Weights λ of the losses. `pair` and `pair_texture` weight `losses.pair` of the generated face and of its texture.

    `smoothness`, `losses.smoothness`, is GANimation's alone. Its code sums over the 25 faces of a batch, so its 1e-5
    corresponds to 25 times as much of the mean here.
    The paper's λ_cond is 4000. In GANimation's code, the origin of this value, it multiplies a mean that is divided by
    the batch size, 25, once more: this corresponds to 160 here.
    """

    adversarial: float = 1.0
    gradient_penalty: float = 10.0
    condition: float = 4000 / 25
    cycle: float = 10.0
    total_variation: float = 1e-4
    attention: float = 1.0
    smoothness: float = 25 * 1e-5
    pair: float = 10.0
    pair_texture: float = 3.0
    landmarks: float = 100.0
    edges: float = 10.0


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of every phase that trains a generator.

    Attributes:
      steps: number of generator updates.
      batch_size: examples per step.
      augmentation: augmentation of the discriminator's real and generated inputs; faces to edit have its random
        mirroring only.
      optimizer: settings of the optimizer.
      width: channels of the generator at the image's resolution.
      blocks: residual blocks of the generator's encoder.
      discriminator_width: channels of the discriminator's first convolution.
      form: how the generator is built.
      weights: weights of the losses.
      ema_decay: decay of the exponential moving average (EMA) of the weights, which inference and evaluation use; at
        step n at most (1 + n) / (10 + n).
    """

    steps: int = 48_000
    batch_size: int = 125
    augmentation: augment.Settings = augment.NONE
    optimizer: optimizers.Settings = OPTIMIZER
    width: int = 64
    blocks: int = 6
    discriminator_width: int = 64
    form: Form = dataclasses.field(default_factory=Form)
    weights: Weights = Weights()
    ema_decay: float = 0.999

    def __post_init__(self) -> None:
        config.within(self, 1, math.inf, "steps", "batch_size", "width", "discriminator_width")
        config.within(self, 0, math.inf, "blocks")
        config.within(self, 0, 1, "ema_decay")


@dataclasses.dataclass(frozen=True)
class SampledTargets(Settings):
    """Settings of the phases without pairs, which sample target action units.

    Attributes:
      target_noise: largest absolute noise of sampled target action units, as in GANimation's code.
    """

    target_noise: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        config.within(self, 0, 1, "target_noise")


class EditingPhase(Phase):
    """Base class of phases that train a generator; subclasses define `train_step`.

    Its state has the `params` of `generator` and `discriminator`, and the EMA of `generator`.
    """

    grouping = "single"
    keys = ("image", "action_units")
    network: type[EditingGenerator] = DFTNetGenerator

    def __init__(
        self,
        settings: Any,
        faces: FaceInfo,
        dtype: Any,
        regressor: Finished | None,
        generator: Finished | None,
        trained: Optimizers,
    ) -> None:
        """Initialises D from `regressor` and the generator from `generator`, if they are given.

        `settings` is a `Settings`; `dtype` is the dtype of computations; `trained` are the optimizers of the networks.
        Raises `ValueError` for an unsupported image size, and if network sizes differ from those of the earlier phases.
        """
        check_size(faces.size)
        _same(settings, "regressor", regressor, ("discriminator_width",))
        _same(settings, "earlier", generator, ("width", "blocks", "form"))
        super().__init__(settings, faces, dtype, {})
        self._generator = self.network(settings.width, settings.blocks, settings.form, dtype)
        self._discriminator = Discriminator(settings.discriminator_width, UNITS, dtype)
        self._pretrained, self._optimizers = (regressor, generator), trained

    def init(self, key: jax.Array, batch: Batch) -> TrainState:
        """See `Phase`. The flow is initially zero; for the other heads see `Form`."""
        del batch
        keys, size = jax.random.split(key), self.faces.size
        image, units = jnp.zeros((1, size, size, 3)), jnp.zeros((1, UNITS))
        form = self.settings.form
        std = form.initial_std or None
        generator = initial_variables(self._generator, keys[0], image, units, std=std)["params"]
        generator = with_initial_heads(generator, form)
        discriminator = initial_variables(self._discriminator, keys[1], image, std=std)["params"]
        regressor, earlier = self._pretrained
        if earlier:
            generator = jax.tree.map(jnp.copy, earlier.state.ema["generator"])
        if regressor:
            discriminator = jax.tree.map(jnp.copy, regressor.state.ema["discriminator"])
        params = {"generator": generator, "discriminator": discriminator}
        return TrainState.create(params, self._optimizers, ("generator",))

    def eval_step(self, state: TrainState, batch: Batch) -> Metrics:
        """See `Phase`. The EMA generator edits each face to the next face's action units.

        Metrics: action_units (mean absolute difference of D_C's estimates for the edited face and the target units),
        action_units_real (of the estimates for the real face and its own units), action_units_source (of the estimates
        for the real face and the target units), cycle (ℓ1 on [0, 1]), ssim (of edits to the face's own action units),
        attention, flow (mean length, in image widths).
        """
        image, units = jnp.asarray(batch["image"]), jnp.asarray(batch["action_units"])
        target = jnp.roll(units, 1, 0)
        edited, same = self.edit(state, image, target), self.edit(state, image, units)
        estimated, estimated_edit = self.estimate(state, image), self.estimate(state, edited.image)
        return {
            "action_units": l1(estimated_edit, target),
            "action_units_real": l1(estimated, units),
            "action_units_source": l1(estimated, target),
            "cycle": l1(image, self.edit(state, edited.image, units).image) / 2,
            "ssim": jnp.mean(dm_pix.ssim((image + 1) / 2, (same.image + 1) / 2)),
            "attention": jnp.mean(edited.attention),
            "flow": jnp.mean(jnp.linalg.norm(edited.flow, axis=-1)),
        }

    def sample_images(self, state: TrainState, batch: Batch) -> Mapping[str, Array]:
        """See `Phase`. Each row: source, donor of the target units, warped source, texture, attention, result."""
        image, units = (jnp.asarray(batch[name])[:ROWS] for name in self.keys)
        return {"edited": self._parts_grid(state, image, jnp.roll(image, 1, 0), jnp.roll(units, 1, 0))}

    def edit(self, state: TrainState, image: Image, units: Units) -> Edited:
        """Edits faces in [-1, 1] to other action units, by the EMA generator."""
        return self._edited(state.ema["generator"], image, units)

    def estimate(self, state: TrainState, image: Image) -> Units:
        """D_C's estimates of the action units of faces in [-1, 1]."""
        return self._discriminator_outputs(state.params["discriminator"], image)[1]

    def _parts_grid(self, state: TrainState, image: Image, donor: Image, units: Units) -> Float[Array, "rows 6 H W 3"]:
        edited = self.edit(state, image, units)
        attention = jnp.broadcast_to(2 * edited.attention - 1, image.shape)
        return jnp.stack([image, donor, edited.aligned, edited.texture, attention, edited.image], 1)

    def _mirrored(self, image: Image, keys: Keys) -> Image:
        """Random mirroring of the faces to edit, if the augmentation has mirroring."""
        if not self.settings.augmentation.mirror:
            return image
        half = jax.vmap(jax.random.bernoulli)(folded(keys, 0))
        return jnp.where(half.reshape(-1, 1, 1, 1), image[:, :, ::-1], image)

    def update_generator(self, state: TrainState, image: Image, units: Units, keys: Keys) -> tuple[TrainState, Metrics]:
        """One step of G that edits faces to sampled action units and back; it ends a `train_step`."""
        target = targets(folded(keys, 5), units, self.settings.target_noise)

        def loss(params: Any):
            edited = self._edited(params["generator"], image, target)
            returned = self._edited(params["generator"], edited.image, units)
            augmented_edit = augmented(self.settings.augmentation, edited.image, folded(keys, 6))
            critic, estimated = self._discriminator_outputs(state.params["discriminator"], augmented_edit)
            return self._weighted({
                "adversarial": adversarial.wasserstein_generator(critic),
                "condition": losses.condition(estimated, target),
                "cycle": losses.cycle(image, returned.image),
                **self._regularisation(edited, returned),
            })  # fmt: skip

        return self._step_of_generator(state, loss)

    def _regularisation(self, edited: Edited, returned: Edited) -> Metrics:
        """The losses of an edit's components; `returned` is the edit back to the source's action units."""
        del returned
        return {
            "total_variation": losses.total_variation(edited.flow),
            "attention": losses.attention(edited.attention),
        }

    def _weighted(self, metrics: Metrics) -> tuple[Array, tuple[Metrics, None]]:
        """The weighted sum of the generator's losses, in the form for `TrainState.descend`."""
        weights = self.settings.weights
        total = sum((getattr(weights, name) * value for name, value in metrics.items()), start=jnp.zeros(()))
        return total, ({**metrics, "total": total}, None)

    def _step_of_generator(self, state: TrainState, loss: Callable) -> tuple[TrainState, Metrics]:
        """A step of the generator with this loss, the last part of every `train_step`."""
        state, metrics, _ = state.descend(self._optimizers, loss, "generator")
        return state.finished_step(warmed_up(self.settings.ema_decay, state.step)), metrics

    def _edited(self, params: Any, image: Image, units: Units) -> Edited:
        return self._generator.apply({"params": params}, image, units)

    def _discriminator_outputs(self, params: Any, image: Image) -> tuple[Array, Array]:
        return self._discriminator.apply({"params": params}, image)


def _same(settings: Any, name: str, start: Finished | None, fields: tuple[str, ...]) -> None:
    for field in fields if start else ():
        ours, theirs = getattr(settings, field), getattr(start.phase.settings, field)
        if ours != theirs:
            raise ValueError(f"{field} is {ours}; it must equal the {name} phase's, {theirs}")


def targets(keys: Keys, units: Units, amount: float) -> Units:
    """Samples target action units: those of another example, ± `amount`, clipped to [0, 1]. Runs under `DATA_AXIS`.

    Each example's own key selects the other example, from the examples of all devices.
    """
    pooled = jax.lax.all_gather(units, DATA_AXIS, tiled=True)
    count, index = pooled.shape[0], jax.lax.axis_index(DATA_AXIS) * units.shape[0] + jnp.arange(units.shape[0])

    def one(key: jax.Array, index: Array) -> Array:
        which, noise = jax.random.split(key)
        other = (index + jax.random.randint(which, (), 1, max(count, 2))) % count
        return pooled[other] + jax.random.uniform(noise, pooled.shape[1:], minval=-amount, maxval=amount)

    return jnp.clip(jax.vmap(one)(keys, index), 0, 1)
