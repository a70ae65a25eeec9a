"""The generator phase of LandmarkGAN: trains Θ_t and D_t of every identity with a frozen detector (Eq. 2, 3 and 6).

Faces are generated from each identity's own landmarks, as in the published code; `joint.py` has Eq. 6's coupling.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import dm_pix
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from lgan_jax import optimizers
from lgan_jax.core import Batch, FaceInfo, Finished, Metrics
from lgan_jax.losses import adversarial
from lgan_jax.losses.reconstruction import feature_matching, pixel_weights
from lgan_jax.methods.detector.phases import DetectorPhase
from lgan_jax.methods.landmarkgan import health, initialization, losses, shape_model
from lgan_jax.methods.landmarkgan.converter import ConverterPhase, driving
from lgan_jax.methods.landmarkgan.health import OWN, Watched
from lgan_jax.methods.landmarkgan.networks import SIZES, LandmarkToFace
from lgan_jax.methods.landmarkgan.settings import Settings
from lgan_jax.metrics.lmk import nme
from lgan_jax.nn import stacked
from lgan_jax.nn.patch_discriminator import PatchDiscriminator
from lgan_jax.ops import dsnt
from lgan_jax.training.train_state import TrainState, mean_gradients

Images = Float[Array, "batch identities height width 3"]
Landmarks = Float[Array, "batch identities n 2"]


class LandmarksPhase(Watched):
    """The phase that trains Θ_t and D_t of every identity, with detector and converter frozen.

    The state has the `params` of `generators`, `discriminators` (both stacked along identities) and `converter`, the
    EMA of `generators`, and the variable `watch` (health of each identity's networks). Its frozen part has the weights
    of the `detector`, the `shape` of the training landmarks (`shape_model.ShapeModel`) and, in the form "reference",
    the `references` (`references.References`).
    """

    Settings = Settings
    grouping = "one_of_each"
    keys = ("image", "landmarks")
    per_identity = (*OWN, *ConverterPhase.per_identity)

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """Needs the phases "detector" and "converter" in `earlier`; `dtype` is the dtype of computations.

        Raises:
          ValueError: a phase is missing, or the generator does not support the image size.
        """
        if faces.size not in SIZES:
            sizes = ", ".join(map(str, SIZES))
            raise ValueError(f"images are {faces.size} pixels wide; LandmarkGAN generates images of {sizes} pixels")
        super().__init__(settings, faces, dtype, earlier)
        finished = required(earlier, "detector")
        self.detector: DetectorPhase = finished.phase
        self._detector_weights = self.detector.weights(finished.state)
        self.converter, self._converter_params = self._make_converter(earlier)
        self._build(settings, faces, dtype)
        self._optimizers = {
            "generators": optimizers.make_stacked(settings.optimizer, settings.steps),
            "discriminators": optimizers.make_stacked(settings.discriminator_optimizer, settings.steps),
        }

    def _build(self, settings: Settings, faces: FaceInfo, dtype: Any) -> None:
        """Builds the networks of this form."""
        self._generator = LandmarkToFace(faces.size, settings.width, dtype)
        self._discriminator = PatchDiscriminator(settings.discriminator_width, dtype)

    def init(self, key: jax.Array, batch: Batch) -> TrainState:
        """See `Phase`. The generators' initialisation depends on the landmarks in `batch`; see `initialization`."""
        keys = jax.random.split(key, 3)
        count, size = len(self.faces.identities), self.faces.size
        landmarks, image = jnp.zeros((1, self.faces.scheme.count, 2)), jnp.zeros((1, size, size, 3))
        params = {
            "generators": initialization.whitened(
                stacked.initialise(self._generator, keys[0], count, landmarks), jnp.asarray(batch["landmarks"])
            ),
            "discriminators": stacked.initialise(self._discriminator, keys[1], count, image),
            "converter": self._initial_converter(keys[2], jnp.asarray(batch["landmarks"])),
        }
        return self._beginning(params, batch)

    def _beginning(self, params: dict[str, Any], batch: Batch) -> TrainState:
        """The initial state with these parameters, at step 0."""
        own = {name: self._stack(params[name]) for name in OWN}
        moments = {name: each.init(own.get(name, params.get(name))) for name, each in self._optimizers.items()}
        variables = {"watch": health.watch(jnp.asarray(batch["image"]), **own)}
        frozen = {"detector": self._detector_weights, "shape": shape_model.fit(jnp.asarray(batch["landmarks"]))}
        return TrainState.create(params, {}, ("generators",), variables, frozen).replace(optimizers=moments)

    def step_variant(self, step: int) -> bool:
        """See `Phase`: whether the adversarial loss is active after `step` steps."""
        return adversarial.has_started(self.settings.adversarial_start, self.settings.steps, step)

    def train_step(
        self, state: TrainState, batch: Batch, key: jax.Array, variant: Hashable = True
    ) -> tuple[TrainState, Metrics]:
        """See `Phase`. Generators and discriminators take one step each, from the same generated faces.

        Both use the other's parameters from before the step, so the generators run once. The compiler shares the
        forward passes that both gradients need (D_t of generated and real faces).
        Metrics: l2i, i2l, adversarial, feature_matching, total, discriminator, and the converter's. The adversarial
        metrics are 0 before `adversarial_start`. An identity with a non-finite loss or gradient is not updated;
        `skipped` counts them.
        """
        return (self._adversarial_step if variant else self._plain_step)(state, batch, key)

    def eval_step(self, state: TrainState, batch: Batch) -> Metrics:
        """See `Phase`. Measures faces that the EMA generators render from each identity's own landmarks.

        Metrics `(identities,)`: l1 on [0, 1]; ssim; nme, the mean distance between the detector's landmarks of the
        generated face and the input landmarks, divided by the distance between the outer eye corners; detector_nme,
        the same for the real image; and those of `health.measure`.
        """
        image, landmarks = jnp.asarray(batch["image"]), jnp.asarray(batch["landmarks"])
        generated = self._rendered(state, state.ema["generators"], landmarks)

        def error(image: Images) -> health.PerIdentity:
            found = dsnt.to_landmarks(dsnt.dsnt(self._heatmaps(state, image)))
            return nme(found, landmarks, self.faces.scheme).mean(0)

        flat = (-1, *image.shape[2:])
        ssim = dm_pix.ssim((image.reshape(flat) + 1) / 2, (generated.reshape(flat) + 1) / 2)
        measured = health.measure(image, generated, state.variables["watch"].mean_face)
        ssim = ssim.reshape(image.shape[:2]).mean(0)
        return {"l1": measured["l1"], "ssim": ssim, "nme": error(generated), "detector_nme": error(image), **measured}

    def sample_images(self, state: TrainState, batch: Batch) -> Mapping[str, Array]:
        """See `Phase`. Each row: the driving face, then every identity's generated face from its landmarks."""
        image, landmarks, drivers = driving(batch)
        generated = self._rendered(state, state.ema["generators"], self.to_all(state, landmarks, drivers))
        return {"driving_generated": jnp.concatenate([image[:, None], generated], 1)}

    def convert(
        self, state: TrainState, landmarks: Float[Array, "batch n 2"], target: Any, driver: Any = shape_model.UNKNOWN
    ) -> Float[Array, "batch n 2"]:
        """Converts any person's landmarks to the identity of index `target`, and applies the shape constraint.

        `driver`, `(batch,)` or a scalar: the identity whose landmarks they are, if known, for conversion in closed
        form. Φ takes everybody's landmarks alike.
        """
        return self._constrained(state, self.unconstrained(state, landmarks, target, driver), target)

    def unconstrained(
        self, state: TrainState, landmarks: Float[Array, "batch n 2"], target: Any, driver: Any = shape_model.UNKNOWN
    ) -> Float[Array, "batch n 2"]:
        """As `convert`, without the constraint: Ψ_t(Φ(L))."""
        return self.converter.convert(state.params["converter"], landmarks, target)

    def clamped(
        self, state: TrainState, landmarks: Float[Array, "batch n 2"], target: Any, driver: Any = shape_model.UNKNOWN
    ) -> Float[Array, " batch"]:
        """The share of the converted landmarks' offset that the constraint removes; see `shape_model.clamped`."""
        if not self.settings.constraint:
            return jnp.zeros(len(landmarks))
        converted = self.unconstrained(state, landmarks, target, driver)
        return shape_model.clamped(state.frozen["shape"], converted, target, self.settings.constraint)

    def to_all(
        self, state: TrainState, landmarks: Float[Array, "batch n 2"], drivers: Int[Array, " batch"]
    ) -> Landmarks:
        """Applies `convert` for every identity."""
        converted = [self.convert(state, landmarks, target, drivers) for target in range(len(self.faces.identities))]
        return jnp.stack(converted, 1)

    def synthesize(
        self, state: TrainState, landmarks: Float[Array, "batch n 2"], target: Any
    ) -> Float[Array, "batch size size 3"]:
        """Renders faces in [-1, 1] of the identity of index `target` from landmarks converted to it."""
        return self._generator.apply({"params": stacked.pick(state.ema["generators"], target)}, landmarks)

    def detect(self, state: TrainState, image: Float[Array, "batch size size 3"]) -> Float[Array, "batch n 2"]:
        """The frozen detector's landmarks of images in [-1, 1]."""
        return dsnt.to_landmarks(dsnt.dsnt(self.detector.heatmaps(state.frozen["detector"], image)))

    def _constrained(self, state: TrainState, landmarks: Array, target: Any) -> Array:
        limit = self.settings.constraint
        return shape_model.constrain(state.frozen["shape"], landmarks, target, limit) if limit else landmarks

    def _make_converter(self, earlier: Mapping[str, Finished]) -> tuple[ConverterPhase, Any]:
        """The converter, and its parameters from the end of an earlier phase."""
        finished = required(earlier, "converter")
        return finished.phase, finished.state.params["converter"]

    def _initial_converter(self, key: jax.Array, landmarks: Landmarks) -> Any:
        """The converter's parameters at the start of this phase."""
        del key, landmarks
        return self._converter_params

    def _plain_step(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Metrics]:
        """A step without discriminators."""

        def loss(trained: Any):
            return self._generator_loss(trained, state, batch, key, adversarial=False)

        gradients, metrics, _ = mean_gradients(loss, self._trained(state))
        absent = dict.fromkeys(("adversarial", "feature_matching", "discriminator"), jnp.zeros(()))
        return self._updated(state, gradients, {**metrics, **absent})

    def _adversarial_step(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Metrics]:
        """A step of generators and discriminators."""

        def generator_loss(trained: Any):
            return self._generator_loss(trained, state, batch, key, adversarial=True)

        def discriminator_loss(params: Any):
            real_logits, _ = self._discriminator_outputs(params["discriminators"], batch["image"])
            generated_logits, _ = self._discriminator_outputs(params["discriminators"], generated)
            kind = self.settings.adversarial
            loss = _of_each(functools.partial(losses.l2i_gan_discriminator, kind), real_logits, generated_logits)
            return loss.sum(), ({"discriminator": loss}, None)

        gradients, metrics, generated = mean_gradients(generator_loss, self._trained(state))
        generated = jax.lax.stop_gradient(generated)
        discriminators = {"discriminators": state.params["discriminators"]}
        of_discriminators, loss, _ = mean_gradients(discriminator_loss, discriminators)
        return self._updated(state, {**gradients, **of_discriminators}, {**metrics, **loss})

    def _trained(self, state: TrainState) -> dict[str, Any]:
        """The parameters that the generators' loss trains."""
        return {name: state.params[name] for name in self._optimizers if name != "discriminators"}

    def _generator_loss(
        self, trained: Any, state: TrainState, batch: Batch, key: jax.Array, *, adversarial: bool
    ) -> tuple[Float[Array, ""], tuple[Metrics, Images]]:
        """The generators' loss, summed over identities; its metrics, and the generated faces for D_t.

        A metric has one value per identity, `(identities,)`, or is a scalar.
        """
        del key
        generated = self._rendered(state, trained["generators"], batch["landmarks"])
        metrics = self._reconstruction(state, batch["image"], batch["landmarks"], generated)
        if adversarial:
            metrics |= self._gan(state, batch["image"], generated)
        total = self._weighted(metrics)
        return total.sum(), ({**metrics, "total": total}, generated)

    def _reconstruction(
        self, state: TrainState, image: Images, landmarks: Landmarks, generated: Images
    ) -> dict[str, Array]:
        """Eq. 2 and 3."""
        features, pixels = self.settings.weights.features, None
        if features:
            pixels = pixel_weights(landmarks, self.faces.scheme, self.faces.size, features)
        return {
            "l2i": _of_each(losses.l2i, image, generated, pixels),
            "i2l": self._i2l(self._heatmaps(state, generated), landmarks),
        }

    def _i2l(self, heatmaps: Array, landmarks: Landmarks) -> health.PerIdentity:
        """Eq. 3."""
        points = losses.point_weights(self.faces.scheme, self.settings.weights.inner)
        return _of_each(lambda maps, at: losses.i2l(maps, at, points, self.settings.sigma), heatmaps, landmarks)

    def _gan(self, state: TrainState, image: Images, generated: Images) -> dict[str, Array]:
        """The generators' part of Eq. 6, and feature matching."""
        logits, features = self._discriminator_outputs(state.params["discriminators"], generated)
        _, real_features = self._discriminator_outputs(state.params["discriminators"], image)
        return {
            "adversarial": _of_each(functools.partial(losses.l2i_gan_generator, self.settings.adversarial), logits),
            "feature_matching": _of_each(feature_matching, real_features, features),
        }

    def _weighted(self, metrics: Mapping[str, Array]) -> health.PerIdentity:
        weights, zero = self.settings.weights, jnp.zeros(len(self.faces.identities))
        return sum((getattr(weights, name) * value for name, value in metrics.items()), start=zero)

    def _rendered(self, state: TrainState, generators: Any, landmarks: Landmarks) -> Images:
        """Θ_t(L_t) for every identity t."""
        del state
        return stacked.apply_each(lambda p, x: self._generator.apply({"params": p}, x), generators, landmarks)

    def _discriminator_outputs(self, discriminators: Any, image: Images) -> tuple[Array, Array]:
        """D_t's logits and features for every identity t."""
        return stacked.apply_each(lambda p, x: self._discriminator.apply({"params": p}, x), discriminators, image)

    def _heatmaps(self, state: TrainState, image: Images) -> Float[Array, "batch identities rows columns n"]:
        """The frozen detector's heatmaps of all identities' images, as one batch."""
        heatmaps = self.detector.heatmaps(state.frozen["detector"], image.reshape(-1, *image.shape[2:]))
        return heatmaps.reshape(*image.shape[:2], *heatmaps.shape[1:])


def _of_each(loss: Callable[..., Array], *arrays: Array | None) -> health.PerIdentity:
    """One loss per identity, from arrays with identities on axis 1."""
    return jax.vmap(loss, in_axes=1)(*arrays)


def required(earlier: Mapping[str, Finished], name: str) -> Finished:
    """The earlier phase of this name; raises `ValueError` if it is missing."""
    if name not in earlier:
        raise ValueError(f"this phase needs a finished {name!r} phase before it; the config lists none")
    return earlier[name]
