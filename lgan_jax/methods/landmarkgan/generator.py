"""The generator phase of LandmarkGAN: Θ_t and D_t of every identity, against a finished detector (Eq. 2, 3 and 6).

Faces are made from each identity's own landmarks, as the published code trains; `joint.py` has the coupling of Eq. 6.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Protocol

import dm_pix
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax import optimizers
from lgan_jax.core import Batch, FaceInfo, Finished, Metrics
from lgan_jax.landmarks import inter_ocular
from lgan_jax.losses import adversarial
from lgan_jax.losses.reconstruction import feature_matching, pixel_weights
from lgan_jax.methods.landmarkgan import health, losses, shape_model, starts
from lgan_jax.methods.landmarkgan.converter import ConverterPhase, driving
from lgan_jax.methods.landmarkgan.networks import SIZES, LandmarkToFace
from lgan_jax.methods.landmarkgan.settings import Settings
from lgan_jax.methods.landmarkgan.watched import OWN, Watched
from lgan_jax.nn import stacked
from lgan_jax.nn.patch_discriminator import PatchDiscriminator
from lgan_jax.ops import dsnt
from lgan_jax.ops.norms import safe_norm
from lgan_jax.training.train_state import TrainState, mean_gradients

Images = Float[Array, "batch identities height width 3"]
Landmarks = Float[Array, "batch identities n 2"]


class LandmarkDetector(Protocol):
    """What is needed of the phase that trained the detector."""

    def weights(self, state: Any) -> Any:
        """What `heatmaps` needs of a state."""

    def heatmaps(self, weights: Any, image: Array) -> Array:
        """One map a landmark `(batch, rows, columns, N)`, each summing to 1, of pictures in [-1, 1]."""


class LandmarksPhase(Watched):
    """The phase that trains Θ_t and D_t of every identity, with detector and converter frozen.

    Its state has the `params` of `generators`, `discriminators` (both stacked along identities) and `converter`, and
    the EMA of `generators`; the variable `watch`, over the health of each identity's networks; and, frozen, the weights
    of the `detector`, the `shape` of the training landmarks (`shape_model.ShapeModel`) and, where the form takes some,
    the `references` (`references.References`).
    """

    Settings = Settings
    grouping = "one_of_each"
    keys = ("image", "landmarks")

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """`dtype` is what to compute in. Needs the phases "detector" and "converter" in `earlier`.

        Raises:
          ValueError: where one of them is missing, or pictures have a size that the generator cannot make.
        """
        if faces.size not in SIZES:
            raise ValueError(f"pictures are {faces.size} pixels wide; LandmarkGAN makes {', '.join(map(str, SIZES))}")
        super().__init__(settings, faces, dtype, earlier)
        finished = required(earlier, "detector")
        self.detector: LandmarkDetector = finished.phase
        self._detector_weights = self.detector.weights(finished.state)
        self.converter, self._converter_params = self._make_converter(earlier)
        self._build(settings, faces, dtype)
        self._optimizers = {
            "generators": optimizers.make_stacked(settings.optimizer, settings.steps),
            "discriminators": optimizers.make_stacked(settings.discriminator_optimizer, settings.steps),
        }

    def _build(self, settings: Settings, faces: FaceInfo, dtype: Any) -> None:
        """Makes the networks of this form."""
        self._generator = LandmarkToFace(faces.size, settings.width, dtype)
        self._discriminator = PatchDiscriminator(settings.discriminator_width, dtype)

    def init(self, key: jax.Array, batch: Batch) -> TrainState:
        """See `Phase`. The generators start from what is typical of the landmarks in `batch`; see `starts`."""
        keys = jax.random.split(key, 3)
        count, size = len(self.faces.identities), self.faces.size
        landmarks, image = jnp.zeros((1, self.faces.scheme.count, 2)), jnp.zeros((1, size, size, 3))
        params = {
            "generators": starts.whitened(
                stacked.initialise(self._generator, keys[0], count, landmarks), jnp.asarray(batch["landmarks"])
            ),
            "discriminators": stacked.initialise(self._discriminator, keys[1], count, image),
            "converter": self._initial_converter(keys[2], jnp.asarray(batch["landmarks"])),
        }
        return self._beginning(params, batch)

    def _beginning(self, params: dict[str, Any], batch: Batch) -> TrainState:
        """The state with these parameters at step 0."""
        own = {name: self._stack(params[name]) for name in OWN}
        moments = {name: each.init(own.get(name, params.get(name))) for name, each in self._optimizers.items()}
        variables = {"watch": health.watch(jnp.asarray(batch["image"]), **own)}
        frozen = {"detector": self._detector_weights, "shape": shape_model.fit(jnp.asarray(batch["landmarks"]))}
        return TrainState.create(params, {}, ("generators",), variables, frozen).replace(optimizers=moments)

    def step_variant(self, step: int) -> bool:
        """See `Phase`: whether discriminators take part in the step after `step` others."""
        return adversarial.has_started(self.settings.adversarial_start, self.settings.steps, step)

    def train_step(
        self, state: TrainState, batch: Batch, key: jax.Array, variant: Hashable = True
    ) -> tuple[TrainState, Metrics]:
        """See `Phase`. Generators and discriminators take one step each, from the same made faces.

        Both see the other as it was before the step, so the generators run once; what the two gradients have in common
        (D_t of the made and of the real faces) the compiler computes once.
        Metrics: l2i, i2l, adversarial, feature_matching, total, discriminator, and what the converter adds. What has to
        do with discriminators is 0 before they take part. An identity whose loss or gradient is not finite is not
        updated; `skipped` counts them.
        """
        return (self._adversarial_step if variant else self._plain_step)(state, batch, key)

    def eval_step(self, state: TrainState, batch: Batch) -> Metrics:
        """See `Phase`. Of faces made by the averaged generators from each identity's own landmarks.

        Metrics `(identities,)`: l1 on [0, 1], ssim, nme (distance of the detector's landmarks of the made face from
        those it was made of, over the distance between the eyes' outer corners), detector_nme (the same of the real
        picture), and those of `health.measure`.
        """
        image, landmarks = jnp.asarray(batch["image"]), jnp.asarray(batch["landmarks"])
        made = self._made(state, state.ema["generators"], landmarks)
        unit = inter_ocular(landmarks, self.faces.scheme)

        def nme(image: Images) -> health.PerIdentity:
            found = dsnt.to_landmarks(dsnt.dsnt(self._heatmaps(state, image)))
            return jnp.mean(safe_norm(found - landmarks).mean(-1) / unit, 0)

        flat = (-1, *image.shape[2:])
        ssim = dm_pix.ssim((image.reshape(flat) + 1) / 2, (made.reshape(flat) + 1) / 2)
        measured = health.measure(image, made, state.variables["watch"].mean_face)
        ssim = ssim.reshape(image.shape[:2]).mean(0)
        return {"l1": measured["l1"], "ssim": ssim, "nme": nme(made), "detector_nme": nme(image), **measured}

    def sample_images(self, state: TrainState, batch: Batch) -> Mapping[str, Array]:
        """See `Phase`: the driving face, then the face every identity makes of its landmarks, in each row."""
        image, landmarks = driving(batch)
        made = self._made(state, state.ema["generators"], self.to_all(state, landmarks))
        return {"driving_made": jnp.concatenate([image[:, None], made], 1)}

    def convert(
        self, state: TrainState, landmarks: Float[Array, "batch n 2"], target: Any
    ) -> Float[Array, "batch n 2"]:
        """Anybody's landmarks as the identity of index `target` would have them, held where that identity has been."""
        return self._constrained(state, self.unconstrained(state, landmarks, target), target)

    def unconstrained(
        self, state: TrainState, landmarks: Float[Array, "batch n 2"], target: Any
    ) -> Float[Array, "batch n 2"]:
        """As `convert`, wherever they lie: Ψ_t(Φ(L))."""
        return self.converter.convert(state.params["converter"], landmarks, target)

    def clamped(self, state: TrainState, landmarks: Float[Array, "batch n 2"], target: Any) -> Float[Array, " batch"]:
        """How much of anybody's landmarks, converted, the constraint takes away; see `shape_model.clamped`."""
        if not self.settings.constraint:
            return jnp.zeros(len(landmarks))
        converted = self.unconstrained(state, landmarks, target)
        return shape_model.clamped(state.frozen["shape"], converted, target, self.settings.constraint)

    def to_all(self, state: TrainState, landmarks: Float[Array, "batch n 2"]) -> Landmarks:
        """`convert` to every identity."""
        converted = [self.convert(state, landmarks, target) for target in range(len(self.faces.identities))]
        return jnp.stack(converted, 1)

    def synthesize(
        self, state: TrainState, landmarks: Float[Array, "batch n 2"], target: Any
    ) -> Float[Array, "batch size size 3"]:
        """Faces in [-1, 1] of the identity of index `target`, from landmarks converted to it."""
        return self._generator.apply({"params": stacked.pick(state.ema["generators"], target)}, landmarks)

    def detect(self, state: TrainState, image: Float[Array, "batch size size 3"]) -> Float[Array, "batch n 2"]:
        """The frozen detector's landmarks of pictures in [-1, 1]."""
        return dsnt.to_landmarks(dsnt.dsnt(self.detector.heatmaps(state.frozen["detector"], image)))

    def _constrained(self, state: TrainState, landmarks: Array, target: Any) -> Array:
        limit = self.settings.constraint
        return shape_model.constrain(state.frozen["shape"], landmarks, target, limit) if limit else landmarks

    def _make_converter(self, earlier: Mapping[str, Finished]) -> tuple[ConverterPhase, Any]:
        """The converter, and its parameters as an earlier phase left them."""
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
            real_logits, _ = self._judged(params["discriminators"], batch["image"])
            made_logits, _ = self._judged(params["discriminators"], made)
            kind = self.settings.adversarial
            loss = _of_each(functools.partial(losses.l2i_gan_discriminator, kind), real_logits, made_logits)
            return loss.sum(), ({"discriminator": loss}, None)

        gradients, metrics, made = mean_gradients(generator_loss, self._trained(state))
        made = jax.lax.stop_gradient(made)
        discriminators = {"discriminators": state.params["discriminators"]}
        of_discriminators, loss, _ = mean_gradients(discriminator_loss, discriminators)
        return self._updated(state, {**gradients, **of_discriminators}, {**metrics, **loss})

    def _trained(self, state: TrainState) -> dict[str, Any]:
        """The parameters that the generators' loss changes."""
        return {name: state.params[name] for name in self._optimizers if name != "discriminators"}

    def _generator_loss(
        self, trained: Any, state: TrainState, batch: Batch, key: jax.Array, *, adversarial: bool
    ) -> tuple[Float[Array, ""], tuple[Metrics, Images]]:
        """What the generators minimise, summed over identities; its metrics, and the made faces that D_t is shown.

        A metric is one value for each identity, `(identities,)`, or a scalar.
        """
        del key
        made = self._made(state, trained["generators"], batch["landmarks"])
        metrics = self._reconstruction(state, batch["image"], batch["landmarks"], made)
        if adversarial:
            metrics |= self._gan(state, batch["image"], made)
        total = self._weighted(metrics)
        return total.sum(), ({**metrics, "total": total}, made)

    def _reconstruction(self, state: TrainState, image: Images, landmarks: Landmarks, made: Images) -> dict[str, Array]:
        """Eq. 2 and 3."""
        features, pixels = self.settings.weights.features, None
        if features:
            pixels = pixel_weights(landmarks, self.faces.scheme, self.faces.size, features)
        return {
            "l2i": _of_each(losses.l2i, image, made, pixels),
            "i2l": self._i2l(self._heatmaps(state, made), landmarks),
        }

    def _i2l(self, heatmaps: Array, landmarks: Landmarks) -> health.PerIdentity:
        """Eq. 3."""
        points = losses.point_weights(self.faces.scheme, self.settings.weights.inner)
        return _of_each(lambda maps, at: losses.i2l(maps, at, points, self.settings.sigma), heatmaps, landmarks)

    def _gan(self, state: TrainState, image: Images, made: Images) -> dict[str, Array]:
        """The generators' part of Eq. 6, and feature matching."""
        logits, features = self._judged(state.params["discriminators"], made)
        _, real_features = self._judged(state.params["discriminators"], image)
        return {
            "adversarial": _of_each(functools.partial(losses.l2i_gan_generator, self.settings.adversarial), logits),
            "feature_matching": _of_each(feature_matching, real_features, features),
        }

    def _weighted(self, metrics: Mapping[str, Array]) -> health.PerIdentity:
        weights, zero = self.settings.weights, jnp.zeros(len(self.faces.identities))
        return sum((getattr(weights, name) * value for name, value in metrics.items()), start=zero)

    def _made(self, state: TrainState, generators: Any, landmarks: Landmarks) -> Images:
        """Θ_t(L_t) for every identity t."""
        del state
        return stacked.apply_each(lambda p, x: self._generator.apply({"params": p}, x), generators, landmarks)

    def _judged(self, discriminators: Any, image: Images) -> tuple[Array, Array]:
        """D_t's logits and features for every identity t."""
        return stacked.apply_each(lambda p, x: self._discriminator.apply({"params": p}, x), discriminators, image)

    def _heatmaps(self, state: TrainState, image: Images) -> Float[Array, "batch identities rows columns n"]:
        """The frozen detector's, of all identities' pictures as one batch."""
        heatmaps = self.detector.heatmaps(state.frozen["detector"], image.reshape(-1, *image.shape[2:]))
        return heatmaps.reshape(*image.shape[:2], *heatmaps.shape[1:])


def _of_each(loss: Callable[..., Array], *arrays: Array | None) -> health.PerIdentity:
    """A loss of each identity, from arrays with identities on axis 1."""
    return jax.vmap(loss, in_axes=1)(*arrays)


def required(earlier: Mapping[str, Finished], name: str) -> Finished:
    """The earlier phase of that name. Raises `ValueError` where there is none."""
    if name not in earlier:
        raise ValueError(f"this phase needs a finished {name!r} phase before it; the config lists none")
    return earlier[name]
