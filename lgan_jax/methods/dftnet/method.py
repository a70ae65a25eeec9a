"""Training an editor of expressions (Wang et al., Eq. 1 to 10), or GANimation with the same losses as its baseline.

A step is some updates of the discriminator, each on its own part of the batch, and one of the generator on the last.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import dm_pix
import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from lgan_jax import action_units, optimizers
from lgan_jax.core import DATA_AXIS, Batch, FaceInfo, Finished, Metrics, example_keys
from lgan_jax.losses import adversarial
from lgan_jax.losses.reconstruction import l1
from lgan_jax.methods.dftnet import losses
from lgan_jax.methods.dftnet.networks import SMALLEST, DFTNet, Discriminator, Edited, GANimation
from lgan_jax.nn.initialisers import initial_variables
from lgan_jax.ops import augment

Image = Float[Array, "batch height width 3"]
Units = Float[Array, "batch units"]
Keys = Any  # `(batch,)` typed keys, one an example

_UNITS = len(action_units.NUMBERS)
_NOISE = 0.1  # of the action units that are aimed at, either way
_ROWS = 6  # of the pictures to look at
_TRAINED = {"generator": "generator", "discriminator": "discriminator", "regressor": "discriminator"}  # by optimizer
_METRICS = (
    *("wasserstein", "gradient_penalty", "condition_real"),
    *("adversarial", "condition", "cycle", "total_variation", "attention", "total"),
)
_OPTIMIZER = optimizers.Settings(name="adam", learning_rate=1e-4, b1=0.5, b2=0.999, schedule="linear", hold=2 / 3)


@dataclasses.dataclass(frozen=True)
class Weights:
    """λ of the losses.

    The paper's λ_cond is 4000. In GANimation's code, from which the number comes, it multiplies a mean that is divided
    by the batch's size once more, 25: that is 160 here.
    """

    adversarial: float = 1.0
    gradient_penalty: float = 10.0
    condition: float = 4000 / 25
    cycle: float = 10.0
    total_variation: float = 1e-4
    attention: float = 1.0


@dataclasses.dataclass(frozen=True)
class Settings:
    """The editor phase, or the baseline's.

    Attributes:
      steps: how many; each of them, but for those of `generator_after`, updates the generator once.
      batch_size: examples a step, dealt out evenly over the discriminator's updates.
      discriminator_updates: of the discriminator for one of the generator.
      generator_after: share of the steps, in [0, 1), after which the generator is trained. Steps before that teach D_C
        alone, from the real faces of the whole batch, in a small part of the time.
      augmentation: of all that the discriminator is shown in training, real and made: else it learns a small data set
        by heart, and the generator learns its blind spots.
      perturbation: D_C learns from real faces that are moved, each by up to so much in ℓ2 (of a picture in [-1, 1]),
        towards where D_C is more wrong. What pleases a D_C that withstands this is seen by people too (Santurkar et
        al., "Image synthesis with a single (robust) classifier", NeurIPS 2019); any other is pleased by noise. It
        grows from 0 in the third quarter of the steps in which D_C learns alone: with it from the start that is slow.
      optimizer, discriminator_optimizer: their fields, from when the generator is trained; the steps of the latter are
        the discriminator's updates.
      regressor_optimizer: D_C's before that.
      width: channels of the generator at the picture's size.
      blocks: residual blocks of its encoder.
      discriminator_width: channels of the discriminator's first convolution.
      weights: of the losses.
      average: the generator's weights that are used and kept are this exponential average of those trained; at step n
        at most (1 + n) / (10 + n), steps counted from when the generator is trained.
    """

    steps: int = 48_000
    batch_size: int = 125
    discriminator_updates: int = 5
    generator_after: float = 0.0
    augmentation: augment.Settings = augment.NONE
    perturbation: float = 0.0
    optimizer: optimizers.Settings = _OPTIMIZER
    discriminator_optimizer: optimizers.Settings = _OPTIMIZER
    regressor_optimizer: optimizers.Settings = _OPTIMIZER
    width: int = 64
    blocks: int = 6
    discriminator_width: int = 64
    weights: Weights = Weights()
    average: float = 0.999

    def __post_init__(self) -> None:
        if self.discriminator_updates < 1 or self.batch_size % self.discriminator_updates:
            raise ValueError(
                f"batch_size is {self.batch_size}; it must be a multiple of discriminator_updates, which is "
                f"{self.discriminator_updates} and must be at least 1"
            )
        if not 0 <= self.generator_after < 1:
            raise ValueError(f"generator_after is {self.generator_after}; it must be at least 0 and less than 1")


@flax.struct.dataclass
class State:
    """Everything that training changes.

    Attributes:
      step: of this phase.
      params: `generator` and `discriminator`.
      optimizers: the state of the optimizer of each, and of `regressor`, D_C's before the generator is trained.
      average: the exponential average of `params["generator"]`.
    """

    step: Any  # scalar int32
    params: dict[str, Any]
    optimizers: dict[str, Any]
    average: Any


class Editor:
    """The phase that trains G and D of DFT-Net."""

    Settings = Settings
    grouping = "single"
    keys = ("image", "action_units")
    network: type[nn.Module] = DFTNet

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """`dtype` is what to compute in; of `earlier` phases none is needed.

        Raises `ValueError` for pictures of a size that the discriminator cannot take.
        """
        del earlier
        if faces.size % SMALLEST:
            raise ValueError(f"pictures are {faces.size} pixels wide; DFT-Net takes multiples of {SMALLEST}")
        self.settings, self.faces = settings, faces
        self._generator = self.network(settings.width, settings.blocks, dtype)
        self._discriminator = Discriminator(settings.discriminator_width, _UNITS, dtype)
        self._first = int(settings.generator_after * settings.steps)  # step that trains the generator
        steps = settings.steps - self._first
        updates = steps * settings.discriminator_updates
        self._optimizers = {
            "generator": optimizers.make(settings.optimizer, steps),
            "discriminator": optimizers.make(settings.discriminator_optimizer, updates),
        }
        if self._first:
            self._optimizers["regressor"] = optimizers.make(settings.regressor_optimizer, self._first)

    def init(self, key: jax.Array, batch: Batch) -> State:
        """See `core.Method`. Generators' heads start as zero: no flow, even attention, no new colours."""
        del batch
        keys, size = jax.random.split(key), self.faces.size
        image, units = jnp.zeros((1, size, size, 3)), jnp.zeros((1, _UNITS))
        generator = dict(initial_variables(self._generator, keys[0], image, units)["params"])
        for head in generator.keys() & {"flow_attention", "attention", "texture"}:
            generator[head] = jax.tree.map(jnp.zeros_like, generator[head])
        params = {
            "generator": generator,
            "discriminator": initial_variables(self._discriminator, keys[1], image)["params"],
        }
        return State(
            step=jnp.zeros((), jnp.int32),
            params=params,
            optimizers={name: optimizer.init(params[_TRAINED[name]]) for name, optimizer in self._optimizers.items()},
            average=jax.tree.map(jnp.copy, generator),
        )

    def train_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Metrics]:
        """See `core.Method`.

        Metrics: wasserstein (how much higher D_A puts real faces), gradient_penalty and condition_real of the last of
        the discriminator's updates; adversarial, condition, cycle, total_variation, attention and total of the
        generator's; all but condition_real are 0 before the generator is trained.

        Raises `ValueError` where a device's share of the batch cannot be dealt out over the discriminator's updates.
        """
        examples = (jnp.asarray(batch["image"]), jnp.asarray(batch["action_units"]), key)
        if not self._first:
            return self._step_of_both(state, *examples)
        return jax.lax.cond(state.step < self._first, self._step_of_regressor, self._step_of_both, state, *examples)

    def _step_of_regressor(self, state: State, image: Image, units: Units, key: jax.Array) -> tuple[State, Metrics]:
        keys = example_keys(key, len(image))
        image = self._augmented(image, _folded(keys, 3))
        shown = self._perturbed(state, image, units, keys)

        def loss(params: Any):
            condition = losses.condition(self._judged(params, shown)[1], units)
            return condition, {"condition_real": condition}

        state, metrics = self._updated(state, "regressor", loss)
        return state.replace(step=state.step + 1), dict.fromkeys(_METRICS, jnp.zeros(())) | metrics

    def _step_of_both(self, state: State, image: Image, units: Units, key: jax.Array) -> tuple[State, Metrics]:
        parts = self._dealt(image, units, key)
        metrics: Metrics = {}
        for part in parts:  # unrolled: convolutions inside XLA's loops are slow on a CPU
            state, metrics = self._update_discriminator(state, *part)
        state, of_generator = self._update_generator(state, *parts[-1])
        return state.replace(step=state.step + 1), {**metrics, **of_generator}

    def eval_step(self, state: State, batch: Batch) -> Metrics:
        """See `core.Method`. Each face is given the next one's action units, by the averaged generator.

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

    def pictures(self, state: State, batch: Batch) -> Mapping[str, Array]:
        """See `core.Method`: source, whose action units are wanted, warped, texture, attention and made, in a row."""
        image, units = (jnp.asarray(batch[name])[:_ROWS] for name in ("image", "action_units"))
        edited = self.edit(state, image, jnp.roll(units, 1, 0))
        attention = jnp.broadcast_to(2 * edited.attention - 1, image.shape)
        columns = [image, jnp.roll(image, 1, 0), edited.aligned, edited.texture, attention, edited.image]
        return {"edited": jnp.stack(columns, 1)}

    def edit(self, state: State, image: Image, units: Units) -> Edited:
        """Faces in [-1, 1] given other action units, by the averaged generator."""
        return self._edited(state.average, image, units)

    def estimate(self, state: State, image: Image) -> Units:
        """The action units that D_C sees in faces in [-1, 1]."""
        return self._judged(state.params["discriminator"], image)[1]

    def _augmented(self, image: Image, keys: Keys) -> Image:
        """What the discriminator is shown of pictures in training."""
        if self.settings.augmentation == augment.NONE:
            return image
        change = jax.vmap(functools.partial(augment.augmented_image, self.settings.augmentation))
        return 2 * change(keys, (image + 1) / 2) - 1

    def _perturbed(self, state: State, image: Image, units: Units, keys: Keys) -> Image:
        """Real faces, each moved by up to `perturbation` along the gradient of D_C's error."""
        if not self.settings.perturbation:
            return image

        def error(image: Image) -> Array:
            return jnp.sum((self._judged(state.params["discriminator"], image)[1] - units) ** 2)

        slope = jax.grad(error)(image)
        grown = jnp.clip(4 * state.step / self._first - 2, 0, 1) if self._first else 1
        length = self.settings.perturbation * grown * jax.vmap(jax.random.uniform)(_folded(keys, 6))
        length = length / jnp.maximum(jnp.sqrt(jnp.sum(slope**2, (1, 2, 3))), 1e-12)
        return image + length.reshape(-1, 1, 1, 1) * slope

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
        return [(image[i::count], units[i::count], keys[i::count]) for i in range(count)]

    def _update_discriminator(self, state: State, image: Image, units: Units, keys: Keys) -> tuple[State, Metrics]:
        weights = self.settings.weights
        made = self._edited(state.params["generator"], image, targets(_folded(keys, 0), units)).image
        image, made = self._augmented(image, _folded(keys, 3)), self._augmented(made, _folded(keys, 4))
        share, count = jax.vmap(jax.random.uniform)(_folded(keys, 1)), len(image)
        shown = [made, image]
        if self.settings.perturbation:
            shown.append(self._perturbed(state, image, units, keys))

        def loss(params: Any):
            critic, estimated = self._judged(params, jnp.concatenate(shown))
            made_critic, real_critic = critic[:count], critic[count : 2 * count]
            penalty = adversarial.gradient_penalty(lambda x: self._judged(params, x)[0], image, made, share)
            distance = adversarial.wasserstein_discriminator(real_critic, made_critic)
            condition = losses.condition(estimated[-count:], units)
            total = weights.adversarial * distance + weights.gradient_penalty * penalty
            total = total + weights.condition * condition
            return total, {"wasserstein": -distance, "gradient_penalty": penalty, "condition_real": condition}

        return self._updated(state, "discriminator", loss)

    def _update_generator(self, state: State, image: Image, units: Units, keys: Keys) -> tuple[State, Metrics]:
        weights, wanted = self.settings.weights, targets(_folded(keys, 2), units)

        def loss(params: Any):
            edited = self._edited(params, image, wanted)
            shown = self._augmented(edited.image, _folded(keys, 5))
            critic, estimated = self._judged(state.params["discriminator"], shown)
            metrics = {
                "adversarial": adversarial.wasserstein_generator(critic),
                "condition": losses.condition(estimated, wanted),
                "cycle": losses.cycle(image, self._edited(params, edited.image, units).image),
                "total_variation": losses.total_variation(edited.flow),
                "attention": losses.attention(edited.attention),
            }
            total = sum((getattr(weights, name) * value for name, value in metrics.items()), start=jnp.zeros(()))
            return total, {**metrics, "total": total}

        state, metrics = self._updated(state, "generator", loss)
        steps = state.step - self._first
        decay = jnp.minimum(self.settings.average, (1 + steps) / (10 + steps))
        average = optax.incremental_update(state.params["generator"], state.average, 1 - decay)
        return state.replace(average=average), metrics

    def _updated(self, state: State, name: str, loss: Callable) -> tuple[State, Metrics]:
        """One step of an optimizer."""
        trained = _TRAINED[name]
        params = state.params[trained]
        gradients, metrics = jax.lax.pmean(jax.grad(loss, has_aux=True)(params), DATA_AXIS)
        updates, moments = self._optimizers[name].update(gradients, state.optimizers[name], params)
        return state.replace(
            params={**state.params, trained: optax.apply_updates(params, updates)},
            optimizers={**state.optimizers, name: moments},
        ), metrics

    def _edited(self, params: Any, image: Image, units: Units) -> Edited:
        return self._generator.apply({"params": params}, image, units)

    def _judged(self, params: Any, image: Image) -> tuple[Array, Array]:
        return self._discriminator.apply({"params": params}, image)


class Baseline(Editor):
    """The phase that trains GANimation's generator, with a discriminator of its own, on the same losses."""

    network = GANimation


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


def _folded(keys: Keys, number: int) -> Keys:
    """Other keys, one an example."""
    return jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)
