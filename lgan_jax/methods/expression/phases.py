"""Training phase of the synthesizer of faces from landmarks and an expression label (Li et al., Eq. 1 to 7).

An example is two images of a person with different expressions: the source and the target.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Hashable, Mapping
from typing import Any, Literal

import dm_pix
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from lgan_jax import config, optimizers
from lgan_jax.core import Batch, FaceInfo, Finished, Metrics, example_keys, folded
from lgan_jax.losses import adversarial
from lgan_jax.losses.reconstruction import l1, pixel_weights
from lgan_jax.methods.expression import losses
from lgan_jax.methods.expression.networks import Discriminator, Generator
from lgan_jax.nn import vgg
from lgan_jax.nn.initialisers import initial_variables
from lgan_jax.ops import augment
from lgan_jax.ops.heatmaps import with_dots
from lgan_jax.training.phase import Phase
from lgan_jax.training.train_state import TrainState, warmed_up

Image = Float[Array, "batch height width 3"]
Landmarks = Float[Array, "batch n 2"]
Labels = Int[Array, " batch"]

_STEP, _SMALLEST = 8, 32  # pixels; supported image sizes
_INITIAL_STD = 0.02  # standard deviation of initial weights
_LAYER = "conv1_2"  # of VGG19, in Eq. 6
_ROWS = 6  # rows of the sample images
_ADAM = optimizers.Adam(learning_rate=2e-4, b1=0.5, b2=0.999)


@dataclasses.dataclass(frozen=True)
class Weights:
    """Factors of the generator's losses.

    Attributes:
      adversarial, perceptual, pixel: λ₁, λ₂ and λ₃ of Eq. 7.
      features: additional weight, in Eq. 5, of pixels near the points inside the face: see
        `reconstruction.pixel_weights`.
    """

    adversarial: float = 5.0
    perceptual: float = 10.0
    pixel: float = 10.0
    features: float = 0.0


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the synthesizer phase.

    Attributes:
      steps: number of training steps.
      batch_size: examples per step; an example is two images of a person.
      optimizer, discriminator_optimizer: settings of the optimizers.
      width, units, dropout, initialise, labels: see `networks.Generator`.
      discriminator_width: channels of the discriminators' first convolution.
      adversarial: the loss of Eq. 4: "minimax" (paper), "non_saturating" or "hinge".
      adversarial_start: share of the steps, in [0, 1), before the adversarial loss starts. Earlier steps train with
        Eq. 5 and 6 alone, and take less time.
      weights: weights of the losses.
      vgg19: file of torchvision's VGG19 weights; if empty, Eq. 6 is omitted.
      ema_decay: decay of the exponential moving average (EMA) of weights and batch normalisation statistics, which
        inference and evaluation use; at step n at most (1 + n) / (10 + n).
      augmentation: augmentation of both images of an example alike, with their landmarks. With few identities the
        generator overfits: unseen identities collapse onto training identities.
    """

    steps: int = 60_000
    batch_size: int = 16
    optimizer: optimizers.Settings = _ADAM
    discriminator_optimizer: optimizers.Settings = _ADAM
    width: int = 64
    units: int = 9
    dropout: float = 0.5
    initialise: bool = True
    labels: bool = True
    discriminator_width: int = 64
    adversarial: Literal["minimax", "non_saturating", "hinge"] = "minimax"
    adversarial_start: float = 0.0
    weights: Weights = Weights()
    vgg19: str = ""
    ema_decay: float = 0.999
    augmentation: augment.Settings = augment.NONE

    def __post_init__(self) -> None:
        if self.units < 1:
            raise ValueError(f"units is {self.units}; there must be at least one migration unit")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it must be at least 0 and less than 1")
        adversarial.check_start(self.adversarial_start)
        config.within(self, 1, math.inf, "steps", "batch_size", "width", "discriminator_width")
        config.within(self, 0, 1, "ema_decay")


class SynthesizerPhase(Phase):
    """The phase that trains the generator and both discriminators.

    Its state has the `params` of `generator`, `image_discriminator` and `geometry_discriminator`; the variable
    `batch_stats`, of the generator's batch normalization; the EMA of `generator` and of `batch_stats`; and, frozen, the
    parameters of `vgg19`, where the settings name its file.
    """

    Settings = Settings
    grouping = "expressions"
    keys = ("image", "landmarks", "expression")
    network_variables = ("batch_stats",)
    pretrained = ("vgg19",)

    def __init__(
        self,
        settings: Settings,
        faces: FaceInfo,
        dtype: Any,
        earlier: Mapping[str, Finished],
        pretrained: Mapping[str, Any] | None = None,
    ) -> None:
        """Builds the networks; needs no `earlier` phases.

        Args:
          settings: settings of the phase.
          faces: size and landmark scheme of the images.
          dtype: dtype of computations, except VGG19's.
          earlier: finished phases; none is needed.
          pretrained: see `Phase`: `vgg19` if the settings name its file and the phase will be trained.

        Raises `ValueError` for an unsupported image size.
        """
        if faces.size < _SMALLEST or faces.size % _STEP:
            raise ValueError(
                f"images are {faces.size} pixels wide; this method supports multiples of {_STEP} from {_SMALLEST} on"
            )
        super().__init__(settings, faces, dtype, earlier)
        self._generator = Generator(
            settings.width, settings.units, settings.dropout, settings.initialise, settings.labels, dtype
        )
        self._discriminator = Discriminator(settings.discriminator_width, dtype)
        self._optimizers = {
            "generator": optimizers.make(settings.optimizer, settings.steps),
            **dict.fromkeys(
                ("image_discriminator", "geometry_discriminator"),
                optimizers.make(settings.discriminator_optimizer, settings.steps),
            ),
        }
        self._vgg19 = (pretrained or {}).get("vgg19")
        self.vgg = (self._vgg19.module if self._vgg19 else vgg.VGG()).clone(last=_LAYER)

    @classmethod
    def left_out(cls, settings: Settings) -> tuple[str, ...]:
        """See `Phase`."""
        if settings.vgg19 or not settings.weights.perceptual:
            return ()
        return (
            "the perceptual loss (Eq. 6), as VGG19's weights are missing: name torchvision's file with "
            f"--config.synthesizer.vgg19 ({vgg.PUBLISHED['vgg19']})",
        )

    def init(self, key: jax.Array, batch: Batch) -> TrainState:
        """See `Phase`."""
        del batch
        size, points = self.faces.size, self.faces.scheme.count
        image, landmarks = jnp.zeros((1, size, size, 3)), jnp.zeros((1, points, 2))
        inputs = {
            "generator": (self._generator, image, landmarks, jnp.zeros(1, jnp.int32)),
            "image_discriminator": (self._discriminator, image, image, image),
            "geometry_discriminator": (self._discriminator, image, image, landmarks),
        }
        variables = {
            name: initial_variables(module, key, *shapes, std=_INITIAL_STD)
            for key, (name, (module, *shapes)) in zip(jax.random.split(key, 3), inputs.items())
        }
        params = {name: of_one["params"] for name, of_one in variables.items()}
        statistics = {"batch_stats": variables["generator"]["batch_stats"]}
        frozen = {"vgg19": self._vgg19_params(image)} if self.settings.vgg19 else {}
        return TrainState.create(params, self._optimizers, ("generator", "batch_stats"), statistics, frozen)

    def step_variant(self, step: int) -> bool:
        """See `Phase`: whether the adversarial loss is active after `step` steps."""
        return adversarial.has_started(self.settings.adversarial_start, self.settings.steps, step)

    def train_step(
        self, state: TrainState, batch: Batch, key: jax.Array, variant: Hashable = True
    ) -> tuple[TrainState, Metrics]:
        """See `Phase`. All three networks take one step, from the same generated faces.

        Each uses the others' parameters from before the step, so the generator runs once. The compiler shares the
        discriminators' forward passes between the gradients.
        Metrics: adversarial, perceptual (with VGG19), pixel and total of the generator; discriminator. The adversarial
        metrics are 0 before `adversarial_start`.

        Raises `ValueError` if the settings name VGG19's file but its weights were not loaded.
        """
        if self.settings.vgg19 and self._vgg19 is None:
            raise ValueError("this phase was loaded for inference, without the VGG19 weights that training needs")
        if self.settings.augmentation != augment.NONE:
            batch = self.augmented(batch, key)

        def generator_loss(params: Any):
            return self._generator_loss(params["generator"], state, batch, key, adversarial=bool(variant))

        def discriminator_loss(params: Any):
            outputs = self.discriminator_outputs(params, batch, jax.lax.stop_gradient(generated))
            loss = losses.gan_discriminator(self.settings.adversarial, outputs)
            return loss * len(outputs), ({"discriminator": loss}, None)

        after, metrics, (generated, statistics) = state.descend(self._optimizers, generator_loss, "generator")
        loss = {"discriminator": jnp.zeros(())}
        if variant:
            discriminators = (name for name in state.params if name != "generator")
            after, loss, _ = after.descend(self._optimizers, discriminator_loss, *discriminators)
        after = after.with_variables(batch_stats=statistics)
        return after.finished_step(warmed_up(self.settings.ema_decay, state.step)), {**metrics, **loss}

    def eval_step(self, state: TrainState, batch: Batch) -> Metrics:
        """See `Phase`. Compares faces generated by the EMA generator with the target.

        Metrics: l1 and l1_source (of the generated and of the source image, on [0, 1]), ssim, ssim_source, psnr (dB).
        """
        source, target, _, _ = self._example(batch)
        generated = self._generated(state, batch)
        source, target, generated = ((image + 1) / 2 for image in (source, target, generated))
        return {
            "l1": l1(generated, target),
            "l1_source": l1(source, target),
            "ssim": jnp.mean(dm_pix.ssim(generated, target)),
            "ssim_source": jnp.mean(dm_pix.ssim(source, target)),
            "psnr": jnp.mean(dm_pix.psnr(generated, target)),
        }

    def sample_images(self, state: TrainState, batch: Batch) -> Mapping[str, Array]:
        """See `Phase`. Each row: source, target landmarks, generated image, target."""
        batch = {name: jnp.asarray(batch[name])[:_ROWS] for name in self.keys}
        source, target, landmarks, _ = self._example(batch)
        drawn = with_dots(jnp.full_like(source, -1), landmarks)
        return {"synthesized": jnp.stack([source, drawn, self._generated(state, batch), target], 1)}

    def synthesize(self, state: TrainState, image: Image, landmarks: Landmarks, expression: Labels) -> Image:
        """Generates the faces of `image` with target landmarks in [0, 1] and expressions, by the EMA generator."""
        variables = {"params": state.ema["generator"], "batch_stats": state.ema["batch_stats"]}
        return self._generator.apply(variables, image, landmarks, expression)

    def _generator_loss(
        self, params: Any, state: TrainState, batch: Batch, key: jax.Array, *, adversarial: bool
    ) -> tuple[Float[Array, ""], tuple[Metrics, tuple[Image, Any]]]:
        """Eq. 7; its terms, the generated faces, and the updated running statistics."""
        source, target, landmarks, expression = self._example(batch)
        generated, changed = self._generator.apply(
            {"params": params, **state.variables},
            *(source, landmarks, expression, folded(example_keys(key, len(source)), 0)),
            mutable=["batch_stats"],
        )
        weights, pixels = self.settings.weights, None
        if weights.features:
            pixels = pixel_weights(landmarks, self.faces.scheme, self.faces.size, weights.features)
        terms = {"adversarial": jnp.zeros(()), "pixel": losses.pixel(target, generated, pixels)}
        if adversarial:
            outputs = self.discriminator_outputs(state.params, batch, generated)
            terms["adversarial"] = losses.gan_generator(self.settings.adversarial, outputs)
        if "vgg19" in state.frozen and weights.perceptual:
            features = functools.partial(self.vgg.apply, {"params": state.frozen["vgg19"]})
            terms["perceptual"] = losses.perceptual(features, target, generated)
        total = losses.total(weights, terms)
        return total, ({**terms, "total": total}, (generated, changed["batch_stats"]))

    def _vgg19_params(self, image: Image) -> Any:
        """VGG19's parameters up to the layer of Eq. 6; zeros without its file, as a checkpoint has them."""
        shapes = jax.eval_shape(self.vgg.init, jax.random.key(0), image)["params"]
        if self._vgg19 is None:
            return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        return {name: self._vgg19.variables["params"][name] for name in shapes}

    def augmented(self, batch: Batch, key: jax.Array) -> Batch:
        """Augments both images of an example and their landmarks alike."""
        images, landmarks = (jnp.asarray(batch[name]) for name in ("image", "landmarks"))
        changed = functools.partial(augment.augmented, self.settings.augmentation, self.faces.scheme)
        alike = jax.vmap(jax.vmap(changed, (None, 0, 0)))
        images, landmarks = alike(folded(example_keys(key, len(images)), 1), (images + 1) / 2, landmarks)
        return {**batch, "image": images * 2 - 1, "landmarks": landmarks}

    def _example(self, batch: Batch) -> tuple[Image, Image, Landmarks, Labels]:
        """Source and target, and the target's landmarks and expression."""
        image, landmarks, expression = (jnp.asarray(batch[name]) for name in self.keys)
        return image[:, 0], image[:, 1], landmarks[:, 1], expression[:, 1]

    def _generated(self, state: TrainState, batch: Batch) -> Image:
        source, _, landmarks, expression = self._example(batch)
        return self.synthesize(state, source, landmarks, expression)

    def discriminator_outputs(
        self, params: Mapping[str, Any], batch: Batch, generated: Image
    ) -> list[tuple[Array, Array]]:
        """Both discriminators' logits of real and of generated images."""
        source, target, landmarks, _ = self._example(batch)
        outputs = []
        for name, context in (("image_discriminator", source), ("geometry_discriminator", landmarks)):
            variables = {"params": params[name]}
            logits, _ = self._discriminator.apply(variables, target, generated, context, mutable=["batch_stats"])
            outputs.append(logits)
        return outputs
