"""StyleGAN2 training (Karras et al., CVPR 2020): the non-saturating loss, lazy R1 and path-length regularisation.

Or, in its place, the relativistic loss with R1 and R2 (Huang et al., "R3GAN", NeurIPS 2024). Regularisations take steps
of their own, every few steps, with gradients times the interval; the learning rate and Adam's β are corrected for those
additional steps (appendix B).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from lgan_jax import config, optimizers
from lgan_jax.core import DATA_AXIS, Batch, FaceInfo, Finished, Metrics, example_keys, folded
from lgan_jax.losses import adversarial
from lgan_jax.methods.projection import losses
from lgan_jax.methods.projection.augmentation import Augmentation
from lgan_jax.methods.projection.discriminator import Discriminator, group_for
from lgan_jax.methods.projection.networks import REDUCED, Generator, Image, Style, Styles, channels, noise_sides
from lgan_jax.training.phase import Phase
from lgan_jax.training.train_state import TrainState

R1, PATH = "r1", "path"  # regularisations of a step
_ROWS = 8  # rows of the sample images
_TRUNCATION = 0.7  # truncation ψ of the third column
_MEAN_STYLE = 0.995  # EMA decay of `w_avg`
_PATHS = 0.01  # weight of the new path length in its running mean
_CLAMP = 256.0  # limit of layer outputs if some layers compute in bfloat16
_ADAM = optimizers.Adam(learning_rate=2.5e-3, b1=0.0, b2=0.99)


@dataclasses.dataclass(frozen=True)
class Settings:
    """The stylegan2 phase; names are those of NVIDIA's stylegan2-ada-pytorch where it has one.

    Attributes:
      steps: number of steps.
      batch_size: images a step, over all devices; a multiple of `mbstd_group_size`, or smaller.
      mbstd_group_size: images of the batch, on whichever devices, of one group of the minibatch standard deviation.
      optimizer: of both networks.
      channel_base, channel_max: channels of maps of n pixels: `channel_base` / n, at most `channel_max`.
      z_dim, w_dim: dimensions of z and of w.
      mapping_layers: number of layers of the mapping network.
      num_fp16_res: blocks of the highest resolutions that compute in bfloat16, where the run computes in it.
      mirror: whether half of the training images are mirrored.
      style_mixing_prob: probability that a generated image takes the styles of two latents.
      use_noise: whether maps are given noise. Without, its strength stays 0: ours, for short trainings, which end while
        it still shows as grain.
      augment: "none", or "ada", adaptive discriminator augmentation, for few images.
      ada_target: r_t, the mean sign of the discriminator's logits of real images, that the augmentation's probability
        is adapted to; for the relativistic loss of their differences from those of generated images.
      ada_interval: steps between two adaptations.
      ada_kimg: thousands of images in which the probability can go from 0 to 1.
      loss: "non_saturating", or "relativistic", which also has R2 whenever R1 is due: for short trainings, since it
        takes less γ, and covers more of each identity's expressions.
      r1_gamma: γ of R1 (and R2), computed every `d_reg_interval` steps, 0 for never.
      pl_weight: weight of path-length regularisation, computed every `g_reg_interval` steps, 0 for never.
      ema_nimg: half-life, in images, of the generator's exponential moving average (EMA), which is what is used; early
        on it is `ema_rampup` times the images seen.
      ema_rampup: see `ema_nimg`; None: no ramp-up.
    """

    steps: int = 390_000
    batch_size: int = 64
    mbstd_group_size: int = 8
    optimizer: optimizers.Adam = _ADAM
    channel_base: int = 16_384
    channel_max: int = 512
    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int = 8
    num_fp16_res: int = 4
    mirror: bool = True
    style_mixing_prob: float = 0.9
    use_noise: bool = True
    augment: Literal["none", "ada"] = "none"
    ada_target: float = 0.6
    ada_interval: int = 4
    ada_kimg: float = 500.0
    loss: Literal["non_saturating", "relativistic"] = "non_saturating"
    r1_gamma: float = 1.0
    d_reg_interval: int = 16
    pl_weight: float = 2.0
    g_reg_interval: int = 4
    ema_nimg: int = 20_000
    ema_rampup: float | None = None

    def __post_init__(self) -> None:
        sizes = ("channel_base", "channel_max", "z_dim", "w_dim", "mapping_layers")
        counts = ("steps", "batch_size", "mbstd_group_size", "ema_nimg", "ada_interval")
        config.within(self, 1, math.inf, *counts, *sizes)
        config.within(self, 1e-3, math.inf, "ada_kimg")
        config.within(self, -1, 1, "ada_target")
        config.within(self, 0, math.inf, "num_fp16_res", "r1_gamma", "d_reg_interval", "pl_weight", "g_reg_interval")
        config.within(self, 0, 1, "style_mixing_prob")
        if self.ema_rampup is not None:
            config.within(self, 0, math.inf, "ema_rampup")
        group = self.mbstd_group_size
        if self.batch_size > group and self.batch_size % group:
            raise ValueError(
                f"batch_size is {self.batch_size}; it must be a multiple of mbstd_group_size, which is {group}"
            )


class StyleGAN2Phase(Phase):
    """The phase that trains the generator and the discriminator.

    Its state has their `params` and the EMA of `generator`; and the variables `buffers`, the generator's: `w_avg`, and
    the noise maps that are used where none are given; `path_mean`, the mean path length; and `r1` and `path`, the
    penalties, without their weights, when they were last computed; with `augment` "ada" also `augmentation`.
    """

    Settings = Settings
    grouping = "single"
    keys = ("image",)
    network_variables = ("buffers",)

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """`dtype` is what to compute in; of `earlier` phases none is needed.

        Raises `ValueError` for images of a size that the networks cannot take.
        """
        super().__init__(settings, faces, dtype, earlier)
        reduced = settings.num_fp16_res if dtype == REDUCED else 0
        how = {"reduced": reduced, "clamp": _CLAMP if settings.num_fp16_res else None}
        maps = channels(faces.size, settings.channel_base, settings.channel_max)
        self.generator = Generator(maps, settings.z_dim, settings.w_dim, layers=settings.mapping_layers, **how)
        self.discriminator = Discriminator(maps, group=settings.mbstd_group_size, **how)
        self._optimizers = {
            "generator": _lazy(settings, settings.g_reg_interval),
            "discriminator": _lazy(settings, settings.d_reg_interval),
        }

    def step_variant(self, step: int) -> tuple[str, ...]:
        """See `Phase`: the regularisations that are due after `step` steps."""
        every = {R1: self.settings.d_reg_interval, PATH: self.settings.g_reg_interval}
        return tuple(name for name, steps in every.items() if steps and step % steps == 0)

    def init(self, key: jax.Array, batch: Batch) -> TrainState:
        """See `Phase`."""
        del batch
        one, other = map(_compiled_soon, jax.random.split(key))
        size = self.faces.size
        variables = self.generator.init(one, jnp.zeros((1, self.settings.z_dim)))
        params = {
            "generator": variables["params"],
            "discriminator": self.discriminator.init(other, jnp.zeros((1, size, size, 3)))["params"],
        }
        scalars = {name: jnp.zeros(()) for name in ("path_mean", R1, PATH)}
        variables = {"buffers": variables["buffers"], **scalars}
        if self.settings.augment == "ada":
            variables["augmentation"] = Augmentation.start()
        return TrainState.create(params, self._optimizers, ("generator",), variables)

    def train_step(
        self, state: TrainState, batch: Batch, key: jax.Array, variant: Hashable = ()
    ) -> tuple[TrainState, Metrics]:
        """See `Phase`. Both networks train on the same generated images.

        Metrics: generator and discriminator (losses), real and generated (mean logits), gradient_penalty (R1, with the
        relativistic loss R1 + R2) and path (unweighted penalties, when last computed); with `augment` "ada" its
        probability, and overfitting, r_t.
        """
        keys = example_keys(jax.random.fold_in(key, 0), len(batch["image"]))
        image = self.mirrored(jnp.asarray(batch["image"]), folded(keys, 0))
        state, metrics = self._adversarial(state, image, folded(keys, 1))
        if PATH in variant:
            half = example_keys(jax.random.fold_in(key, 1), max(1, len(image) // 2))
            state = self._regularised_path(state, half)
        if R1 in variant:
            state = self._regularised_r1(state, image, folded(keys, 2))
        metrics = {**metrics, "gradient_penalty": state.variables[R1], "path": state.variables[PATH]}
        if augmentation := state.variables.get("augmentation"):
            metrics |= {"probability": augmentation.probability, "overfitting": augmentation.overfitting}
        return state.finished_step(self._ema_decay(state.step)), metrics

    def eval_step(self, state: TrainState, batch: Batch) -> Metrics:
        """See `Phase`. Mean logits: real, of validation faces; generated, of the EMA generator's faces."""
        image = jnp.asarray(batch["image"])
        generated = self.shown(state, len(image))
        whole = self.discriminator.clone(group=group_for(len(image), self.settings.mbstd_group_size))
        variables = {"params": state.params["discriminator"]}
        return {name: whole.apply(variables, x).mean() for name, x in (("real", image), ("generated", generated))}

    def sample_images(self, state: TrainState, batch: Batch) -> Mapping[str, Array]:
        """See `Phase`. Each row: a real face, a generated face, and the same face with truncation."""
        image = jnp.asarray(batch["image"])[:_ROWS]
        generated = [self.shown(state, len(image), truncation) for truncation in (1.0, _TRUNCATION)]
        return {"faces": jnp.stack([image, *generated], 1)}

    def shown(self, state: TrainState, count: int, truncation: float = 1.0) -> Image:
        """Images of fixed latents, by the EMA generator and its own noise maps."""
        z = jax.random.normal(jax.random.key(0), (count, self.settings.z_dim))
        return self.generator.apply(self.variables(state), z, truncation=truncation)

    def variables(self, state: TrainState) -> Any:
        """The EMA generator's variables in a state."""
        return {"params": state.ema["generator"], "buffers": state.variables["buffers"]}

    def _adversarial(self, state: TrainState, image: Image, keys: jax.Array) -> tuple[TrainState, Metrics]:
        """One step of each network, with the other's parameters from before the step."""

        seen_image = self._seen(state, image, folded(keys, 2))

        def generator_loss(params: Any):
            generated, style = self._generated(self._generator_variables(params, state), keys)
            loss = self._loss_of_generator(state.params, seen_image, self._seen(state, generated, folded(keys, 3)))
            return loss, ({"generator": loss, "style": style.mean(0)}, generated)

        def discriminator_loss(params: Any):
            seen_generated = self._seen(state, generated, folded(keys, 4))
            real, of_generated = (self._logits(params, x) for x in (seen_image, seen_generated))
            loss = self._loss_of_discriminator(real, of_generated)
            sign = jnp.sign(real - of_generated if self.settings.loss == "relativistic" else real).mean()
            metrics = {"real": real.mean(), "generated": of_generated.mean(), "discriminator": loss, "sign": sign}
            return loss, (metrics, None)

        after, of_generator, generated = state.descend(self._optimizers, generator_loss, "generator")
        generated = jax.lax.stop_gradient(generated)
        after, of_discriminator, _ = after.descend(self._optimizers, discriminator_loss, "discriminator")
        buffers = state.variables["buffers"]
        mean = _MEAN_STYLE * buffers["mapping"]["w_avg"] + (1 - _MEAN_STYLE) * of_generator.pop("style")
        after = after.with_variables(buffers={**buffers, "mapping": {"w_avg": mean}})
        sign = of_discriminator.pop("sign")
        if augmentation := state.variables.get("augmentation"):
            after = after.with_variables(augmentation=augmentation.after(sign, state.step, self.settings))
        return after, {**of_discriminator, **of_generator}

    def _regularised_path(self, state: TrainState, keys: jax.Array) -> TrainState:
        """A step of the generator down E[(‖Jᵀy‖ − a)²], a the running mean (Eq. 4)."""

        def loss(params: Any):
            variables = self._generator_variables(params, state)
            shape = (self.faces.size, self.faces.size, 3)
            styles, noise, drawn = self.mixed_styles(variables, keys, math.prod(shape))
            direction = drawn.reshape(len(keys), *shape)
            lengths = losses.path_lengths(lambda x: self._draw(variables, x, noise), styles, direction)
            mean = jax.lax.pmean(jax.lax.stop_gradient(lengths.mean()), DATA_AXIS)
            path_mean = state.variables["path_mean"]
            path_mean = path_mean + _PATHS * (mean - path_mean)
            penalty = jnp.mean((lengths - path_mean) ** 2)
            return self.settings.pl_weight * self.settings.g_reg_interval * penalty, ({PATH: penalty}, path_mean)

        state, penalty, path_mean = state.descend(self._optimizers, loss, "generator")
        return state.with_variables(path_mean=path_mean, **penalty)

    def _loss_of_generator(self, params: Any, image: Image, generated: Image) -> Array:
        if self.settings.loss == "relativistic":
            return adversarial.relativistic(self._logits(params, generated), self._logits(params, image))
        return adversarial.non_saturating_generator(self._logits(params, generated))

    def _loss_of_discriminator(self, real: Array, generated: Array) -> Array:
        if self.settings.loss == "relativistic":
            return adversarial.relativistic(real, generated)
        return adversarial.logistic_discriminator(real, generated)

    def _regularised_r1(self, state: TrainState, image: Image, keys: jax.Array) -> TrainState:
        """A discriminator step down γ/2·E[‖∇D(x)‖²], at real and, for the relativistic loss, generated images."""
        images = [image]
        if self.settings.loss == "relativistic":
            images.append(self._generated(self._generator_variables(state.params, state), keys)[0])

        def loss(params: Any):
            def logits(i: int):
                return lambda x: self._logits(params, self._seen(state, x, folded(keys, 5 + i)))

            penalty = sum(adversarial.r1_penalty(logits(i), x) for i, x in enumerate(images))
            return 0.5 * self.settings.r1_gamma * self.settings.d_reg_interval * penalty, ({R1: penalty}, None)

        state, penalty, _ = state.descend(self._optimizers, loss, "discriminator")
        return state.with_variables(**penalty)

    def _generator_variables(self, params: Mapping[str, Any], state: TrainState) -> dict[str, Any]:
        return {"params": params["generator"], "buffers": state.variables["buffers"]}

    def _generated(self, variables: Any, keys: jax.Array) -> tuple[Image, Style]:
        """Generates images with new noise; also returns the styles of their first latents."""
        styles, noise, _ = self.mixed_styles(variables, keys)
        return self._draw(variables, styles, noise), styles[:, 0]

    def mixed_styles(self, variables: Any, keys: jax.Array, more: int = 0) -> tuple[Styles, list[Array], Array]:
        """Styles, of which some mix those of two latents; noise maps; and so many `more` numbers for each.

        One draw for all of it: each costs the compiler, and the processor, more than the numbers do.
        """
        settings, places = self.settings, self.generator.places
        sides = noise_sides(self.generator.channels)
        noise = [side**2 * settings.use_noise for side in sides]
        counts = [settings.z_dim, settings.z_dim * (settings.style_mixing_prob > 0), *noise, more]
        numbers = jax.vmap(lambda key: jax.random.normal(key, (sum(counts),)))(folded(keys, 0))
        one, other, *noise, rest = jnp.split(numbers, np.cumsum(counts)[:-1].tolist(), 1)
        maps = [
            x.reshape(-1, side, side) if settings.use_noise else jnp.zeros((1, side, side))
            for x, side in zip(noise, sides)
        ]
        if not settings.style_mixing_prob:
            style = self.generator.apply(variables, one, method="map")
            return jnp.repeat(style[:, None], places, 1), maps, rest
        share = jax.vmap(lambda key: jax.random.uniform(key, (2,)))(folded(keys, 1))
        first = 1 + jnp.floor(share[:, 0] * (places - 1))  # the place from which on the other latent's style counts
        first = jnp.where(share[:, 1] < settings.style_mixing_prob, first, places)
        both = self.generator.apply(variables, jnp.concatenate([one, other]), method="map")
        one, other = (x[:, None] for x in jnp.split(both, 2))
        styles = jnp.where(jnp.arange(places)[None, :, None] < first[:, None, None], one, other)
        return styles, maps, rest

    def _draw(self, variables: Any, styles: Styles, noise: list[Array]) -> Image:
        return self.generator.apply(variables, styles, noise, method="draw")

    def _logits(self, params: Mapping[str, Any], image: Image) -> Float[Array, " batch"]:
        """Logits while it trains: of this device's images, with statistics of the whole batch."""
        return self.discriminator.clone(axis=DATA_AXIS).apply({"params": params["discriminator"]}, image)

    def _seen(self, state: TrainState, image: Image, keys: jax.Array) -> Image:
        """The images as the discriminator sees them."""
        augmentation = state.variables.get("augmentation")
        return image if augmentation is None else augmentation.seen(image, keys)

    def mirrored(self, image: Image, keys: jax.Array) -> Image:
        """Images, half of them mirrored where the settings say so."""
        if not self.settings.mirror:
            return image
        mirror = jax.vmap(jax.random.bernoulli)(keys)
        return jnp.where(mirror[:, None, None, None], image[:, :, ::-1], image)

    def _ema_decay(self, step: Array) -> Array:
        """The decay of the generator's EMA at the step after `step` others."""
        settings = self.settings
        half = jnp.float32(settings.ema_nimg)
        if settings.ema_rampup is not None:
            half = jnp.minimum(half, step * settings.batch_size * settings.ema_rampup)
        return 0.5 ** (settings.batch_size / jnp.maximum(half, 1e-8))


def _compiled_soon(key: jax.Array) -> jax.Array:
    """A key of another generator of random numbers: all the kernels' draws compile in a quarter of 24 s."""
    return jax.random.wrap_key_data(jnp.tile(jax.random.key_data(key), 2), impl="unsafe_rbg")


def _lazy(settings: Settings, every: int) -> optax.GradientTransformation:
    """The optimizer of a network that is regularised every so many steps, in a step more: c = k / (k + 1)."""
    given, share = settings.optimizer, every / (every + 1) if every else 1.0
    lazy = optimizers.scaled(given, share, b1=given.b1**share, b2=given.b2**share)
    return optimizers.make(lazy, math.ceil(settings.steps / share))
