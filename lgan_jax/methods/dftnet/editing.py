"""What the phases that train a generator of DFT-Net share."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import dm_pix
import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax import config, optimizers
from lgan_jax.core import DATA_AXIS, Batch, FaceInfo, Finished, Metrics, folded
from lgan_jax.losses import adversarial
from lgan_jax.losses.reconstruction import l1
from lgan_jax.methods.dftnet import losses
from lgan_jax.methods.dftnet.networks import DFTNetGenerator, Discriminator, Edited
from lgan_jax.methods.dftnet.regressor import UNITS, augmented, check_size
from lgan_jax.nn.initialisers import initial_variables
from lgan_jax.ops import augment
from lgan_jax.training.phase import Phase
from lgan_jax.training.train_state import Optimizers, TrainState, warmed_up

Image = Float[Array, "batch height width 3"]
Units = Float[Array, "batch units"]
Keys = Any  # `(batch,)` typed keys, one an example

_NOISE = 0.1  # of the action units that are aimed at, either way
ROWS = 6  # of the pictures to look at
OPTIMIZER = optimizers.Adam(learning_rate=1e-4, b1=0.5, b2=0.999, schedule=optimizers.Linear(constant_fraction=2 / 3))


@dataclasses.dataclass(frozen=True)
class Weights:
    """λ of the losses; the last two are of `losses.pair`, for the made face and for its texture alone.

    The paper's λ_cond is 4000. In GANimation's code, from which the number comes, it multiplies a mean that is divided
    by the batch's size once more, 25: that is 160 here.
    """

    adversarial: float = 1.0
    gradient_penalty: float = 10.0
    condition: float = 4000 / 25
    cycle: float = 10.0
    total_variation: float = 1e-4
    attention: float = 1.0
    pair: float = 10.0
    pair_texture: float = 3.0


@dataclasses.dataclass(frozen=True)
class Settings:
    """What every phase that trains a generator can be told.

    Attributes:
      steps: how many updates of the generator.
      batch_size: examples a step.
      augmentation: of all that the discriminator is shown, real and made; faces to edit are mirrored alone, where it
        mirrors any.
      optimizer: its fields.
      width: channels of the generator at the picture's size.
      blocks: residual blocks of its encoder.
      discriminator_width: channels of the discriminator's first convolution.
      weights: of the losses.
      ema_decay: of the exponential moving average (EMA) of the weights, which is what is used and evaluated; at step n
        at most (1 + n) / (10 + n).
    """

    steps: int = 48_000
    batch_size: int = 125
    augmentation: augment.Settings = augment.NONE
    optimizer: optimizers.Settings = OPTIMIZER
    width: int = 64
    blocks: int = 6
    discriminator_width: int = 64
    weights: Weights = Weights()
    ema_decay: float = 0.999

    def __post_init__(self) -> None:
        config.within(self, 1, math.inf, "steps", "batch_size", "width", "discriminator_width")
        config.within(self, 0, math.inf, "blocks")
        config.within(self, 0, 1, "ema_decay")


class EditingPhase(Phase):
    """A phase that trains a generator, but for its `train_step`.

    Its state has the `params` of `generator` and `discriminator`, and the EMA of `generator`.
    """

    grouping = "single"
    keys = ("image", "action_units")
    network: type[nn.Module] = DFTNetGenerator
    terms: tuple[str, ...] = ("adversarial", "condition", "cycle", "total_variation", "attention")  # of the loss

    def __init__(
        self,
        settings: Any,
        faces: FaceInfo,
        dtype: Any,
        regressor: Finished | None,
        generator: Finished | None,
        trained: Optimizers,
    ) -> None:
        """D starts as that of `regressor`, the generator as the one of `generator`, where there is one.

        `settings` is a `Settings`; `dtype` is what to compute in; `trained` are the optimizers of the networks. Raises
        `ValueError` for pictures of a size that the discriminator cannot take, and for sizes of networks other than
        those they start as.
        """
        check_size(faces.size)
        _same(settings, "regressor", regressor, ("discriminator_width",))
        _same(settings, "earlier", generator, ("width", "blocks"))
        super().__init__(settings, faces, dtype, {})
        self._generator = self.network(settings.width, settings.blocks, dtype)
        self._discriminator = Discriminator(settings.discriminator_width, UNITS, dtype)
        self._starts, self._optimizers = (regressor, generator), trained

    def init(self, key: jax.Array, batch: Batch) -> TrainState:
        """See `Phase`. Generators' heads start as zero: no flow, even attention, no new colours."""
        del batch
        keys, size = jax.random.split(key), self.faces.size
        image, units = jnp.zeros((1, size, size, 3)), jnp.zeros((1, UNITS))
        generator = dict(initial_variables(self._generator, keys[0], image, units)["params"])
        for head in generator.keys() & {"flow_attention", "attention", "texture"}:
            generator[head] = jax.tree.map(jnp.zeros_like, generator[head])
        discriminator = initial_variables(self._discriminator, keys[1], image)["params"]
        regressor, earlier = self._starts
        if earlier:
            generator = jax.tree.map(jnp.copy, earlier.state.ema["generator"])
        if regressor:
            discriminator = jax.tree.map(jnp.copy, regressor.state.ema["discriminator"])
        params = {"generator": generator, "discriminator": discriminator}
        return TrainState.create(params, self._optimizers, ("generator",))

    def eval_step(self, state: TrainState, batch: Batch) -> Metrics:
        """See `Phase`. Each face is given the next one's action units, by the generator's EMA.

        Metrics: action_units (mean difference of those that D_C sees in the made face from what was wanted),
        action_units_real (of those in the real face from its own), action_units_source (of those in the real face from
        what was wanted), cycle (ℓ1 on [0, 1]), ssim (of faces given their own action units), attention, flow (mean
        length, in picture widths).
        """
        image, units = jnp.asarray(batch["image"]), jnp.asarray(batch["action_units"])
        wanted = jnp.roll(units, 1, 0)
        edited, same = self.edit(state, image, wanted), self.edit(state, image, units)
        seen, seen_made = self.estimate(state, image), self.estimate(state, edited.image)
        return {
            "action_units": l1(seen_made, wanted),
            "action_units_real": l1(seen, units),
            "action_units_source": l1(seen, wanted),
            "cycle": l1(image, self.edit(state, edited.image, units).image) / 2,
            "ssim": jnp.mean(dm_pix.ssim((image + 1) / 2, (same.image + 1) / 2)),
            "attention": jnp.mean(edited.attention),
            "flow": jnp.mean(jnp.linalg.norm(edited.flow, axis=-1)),
        }

    def sample_images(self, state: TrainState, batch: Batch) -> Mapping[str, Array]:
        """See `Phase`: source, whose action units are wanted, warped, texture, attention and made, in a row."""
        image, units = (jnp.asarray(batch[name])[:ROWS] for name in self.keys)
        return {"edited": self._sheet(state, image, jnp.roll(image, 1, 0), jnp.roll(units, 1, 0))}

    def edit(self, state: TrainState, image: Image, units: Units) -> Edited:
        """Faces in [-1, 1] given other action units, by the generator's EMA."""
        return self._edited(state.ema["generator"], image, units)

    def estimate(self, state: TrainState, image: Image) -> Units:
        """The action units that D_C sees in faces in [-1, 1]."""
        return self._judged(state.params["discriminator"], image)[1]

    def _sheet(self, state: TrainState, image: Image, wanted: Image, units: Units) -> Float[Array, "rows 6 H W 3"]:
        edited = self.edit(state, image, units)
        attention = jnp.broadcast_to(2 * edited.attention - 1, image.shape)
        return jnp.stack([image, wanted, edited.aligned, edited.texture, attention, edited.image], 1)

    def _mirrored(self, image: Image, keys: Keys) -> Image:
        """Half of the faces to edit mirrored, where the augmentation mirrors any."""
        if not self.settings.augmentation.mirror:
            return image
        half = jax.vmap(jax.random.bernoulli)(folded(keys, 0))
        return jnp.where(half.reshape(-1, 1, 1, 1), image[:, :, ::-1], image)

    def _update_generator(
        self, state: TrainState, image: Image, units: Units, keys: Keys
    ) -> tuple[TrainState, Metrics]:
        wanted = targets(folded(keys, 5), units)

        def loss(params: Any):
            edited = self._edited(params["generator"], image, wanted)
            shown = augmented(self.settings.augmentation, edited.image, folded(keys, 6))
            critic, estimated = self._judged(state.params["discriminator"], shown)
            metrics = {
                "adversarial": adversarial.wasserstein_generator(critic),
                "condition": losses.condition(estimated, wanted),
                "cycle": losses.cycle(image, self._edited(params["generator"], edited.image, units).image),
                "total_variation": losses.total_variation(edited.flow),
                "attention": losses.attention(edited.attention),
            }
            metrics = {name: metrics[name] for name in self.terms}
            return self._weighted(metrics)

        return self._step_of_generator(state, loss)

    def _weighted(self, metrics: Metrics) -> tuple[Array, tuple[Metrics, None]]:
        """The total of the generator's losses, each times its λ, as `TrainState.descend` takes it."""
        weights = self.settings.weights
        total = sum((getattr(weights, name) * value for name, value in metrics.items()), start=jnp.zeros(()))
        return total, ({**metrics, "total": total}, None)

    def _step_of_generator(self, state: TrainState, loss: Callable) -> tuple[TrainState, Metrics]:
        """A step of the generator, the last part of every `train_step`."""
        state, metrics, _ = state.descend(self._optimizers, loss, "generator")
        return state.finished_step(warmed_up(self.settings.ema_decay, state.step)), metrics

    def _edited(self, params: Any, image: Image, units: Units) -> Edited:
        return self._generator.apply({"params": params}, image, units)

    def _judged(self, params: Any, image: Image) -> tuple[Array, Array]:
        return self._discriminator.apply({"params": params}, image)


def _same(settings: Any, name: str, start: Finished | None, fields: tuple[str, ...]) -> None:
    for field in fields if start else ():
        ours, theirs = getattr(settings, field), getattr(start.phase.settings, field)
        if ours != theirs:
            raise ValueError(f"{field} is {ours}; it must be that of the {name} phase, {theirs}")


def targets(keys: Keys, units: Units) -> Units:
    """Action units to aim at: those of another example, ± 0.1, within [0, 1]. Runs under `DATA_AXIS`.

    Which other one of the examples on all devices is drawn for each example with its own key.
    """
    everybody = jax.lax.all_gather(units, DATA_AXIS, tiled=True)
    count, place = everybody.shape[0], jax.lax.axis_index(DATA_AXIS) * units.shape[0] + jnp.arange(units.shape[0])

    def one(key: jax.Array, place: Array) -> Array:
        which, noise = jax.random.split(key)
        other = (place + jax.random.randint(which, (), 1, max(count, 2))) % count
        return everybody[other] + jax.random.uniform(noise, everybody.shape[1:], minval=-_NOISE, maxval=_NOISE)

    return jnp.clip(jax.vmap(one)(keys, place), 0, 1)
