"""The generator phase of LandmarkGAN: Θ_t and D_t of every identity, against a finished detector (Eq. 2, 3 and 6).

Faces are made from each identity's own landmarks, as the published code trains; `joint.py` has the coupling of Eq. 6.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import dm_pix
import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax import optimizers
from lgan_jax.core import DATA_AXIS, Batch, FaceInfo, Finished, Metrics
from lgan_jax.landmarks import inter_ocular
from lgan_jax.losses.reconstruction import feature_matching, pixel_weights
from lgan_jax.methods.landmarkgan import health, losses, shape_model, starts
from lgan_jax.methods.landmarkgan.converter import Converter, driving
from lgan_jax.methods.landmarkgan.networks import SIZES, LandmarkToFace
from lgan_jax.methods.landmarkgan.settings import Settings
from lgan_jax.methods.landmarkgan.watched import OWN, Watched
from lgan_jax.nn import stacked
from lgan_jax.nn.patch_discriminator import PatchDiscriminator
from lgan_jax.ops import dsnt
from lgan_jax.ops.norms import safe_norm

Images = Float[Array, "batch identities height width 3"]
Landmarks = Float[Array, "batch identities n 2"]


class LandmarkDetector(Protocol):
    """What is needed of the method that trained the detector."""

    def weights(self, state: Any) -> Any:
        """What `heatmaps` needs of a state."""

    def heatmaps(self, weights: Any, image: Array) -> Array:
        """One map a landmark `(batch, rows, columns, N)`, each summing to 1, of pictures in [-1, 1]."""


@flax.struct.dataclass
class State:
    """Everything that training changes, and the frozen networks that using the result takes.

    Attributes:
      step: of this phase.
      params: `generators`, `discriminators` (both stacked along identities) and `converter`.
      optimizers: the state of the optimizer of each entry of `params` that is trained.
      average: the exponential average of `params["generators"]`.
      detector: the frozen detector's weights.
      shape: statistics of the training landmarks, a `shape_model.ShapeModel`.
      references: frames of the identities, `references.References`; None where the form needs none.
      watch: over the health of each identity's networks.
    """

    step: Any  # scalar int32
    params: dict[str, Any]
    optimizers: dict[str, Any]
    average: Any
    detector: Any
    shape: Any
    watch: Any
    references: Any = None


class Generator(Watched):
    """The phase that trains Θ_t and D_t of every identity, with detector and converter frozen."""

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
        self.settings, self.faces = settings, faces
        finished = required(earlier, "detector")
        self.detector: LandmarkDetector = finished.method
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

    def init(self, key: jax.Array, batch: Batch) -> State:
        """See `core.Method`. The generators start from what is typical of the landmarks in `batch`; see `starts`."""
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

    def _beginning(self, params: dict[str, Any], batch: Batch) -> State:
        """The state with these parameters at step 0."""
        own = {name: self._stack(params[name]) for name in OWN}
        moments = {name: each.init(own.get(name, params.get(name))) for name, each in self._optimizers.items()}
        return State(
            step=jnp.zeros((), jnp.int32),
            params=params,
            optimizers=moments,
            average=jax.tree.map(jnp.copy, params["generators"]),
            detector=self._detector_weights,
            shape=shape_model.fit(jnp.asarray(batch["landmarks"])),
            watch=health.watch(jnp.asarray(batch["image"]), **own),
        )

    def turn(self, step: int) -> bool:
        """See `core.Method`: whether discriminators take part in the step after `step` others."""
        return step >= int(self.settings.adversarial_start * self.settings.steps)

    def train_step(self, state: State, batch: Batch, key: jax.Array, turn: bool = True) -> tuple[State, Metrics]:
        """See `core.Method`. Generators and discriminators take one step each, from the same made faces.

        Both see the other as it was before the step, so the generators run once; what the two gradients have in common
        (D_t of the made and of the real faces) the compiler computes once.
        Metrics: l2i, i2l, adversarial, feature_matching, total, discriminator, and what the converter adds. What has to
        do with discriminators is 0 before they take part. An identity whose loss or gradient is not finite is not
        updated; `skipped` counts them.
        """
        return (self._adversarial_step if turn else self._plain_step)(state, batch, key)

    def eval_step(self, state: State, batch: Batch) -> Metrics:
        """See `core.Method`. Of faces made by the averaged generators from each identity's own landmarks.

        Metrics `(identities,)`: l1 on [0, 1], ssim, nme (distance of the detector's landmarks of the made face from
        those it was made of, over the distance between the eyes' outer corners), detector_nme (the same of the real
        picture), and those of `health.measure`.
        """
        image, landmarks = jnp.asarray(batch["image"]), jnp.asarray(batch["landmarks"])
        made = self._made(state, state.average, landmarks)
        unit = inter_ocular(landmarks, self.faces.scheme)

        def nme(image: Images) -> health.PerIdentity:
            found = dsnt.to_landmarks(dsnt.dsnt(self._heatmaps(state, image)))
            return jnp.mean(safe_norm(found - landmarks).mean(-1) / unit, 0)

        flat = (-1, *image.shape[2:])
        ssim = dm_pix.ssim((image.reshape(flat) + 1) / 2, (made.reshape(flat) + 1) / 2)
        measured = health.measure(image, made, state.watch.mean_face)
        ssim = ssim.reshape(image.shape[:2]).mean(0)
        return {"l1": measured["l1"], "ssim": ssim, "nme": nme(made), "detector_nme": nme(image), **measured}

    def pictures(self, state: State, batch: Batch) -> Mapping[str, Array]:
        """See `core.Method`: the driving face, then the face every identity makes of its landmarks, in each row."""
        image, landmarks = driving(batch)
        made = self._made(state, state.average, self.to_all(state, landmarks))
        return {"driving_made": jnp.concatenate([image[:, None], made], 1)}

    def convert(self, state: State, landmarks: Float[Array, "batch n 2"], target: Any) -> Float[Array, "batch n 2"]:
        """Anybody's landmarks as the identity of index `target` would have them, held where that identity has been."""
        return self._constrained(state, self.unconstrained(state, landmarks, target), target)

    def unconstrained(
        self, state: State, landmarks: Float[Array, "batch n 2"], target: Any
    ) -> Float[Array, "batch n 2"]:
        """As `convert`, wherever they lie: Ψ_t(Φ(L))."""
        return self.converter.convert(state.params["converter"], landmarks, target)

    def clamped(self, state: State, landmarks: Float[Array, "batch n 2"], target: Any) -> Float[Array, " batch"]:
        """How much of anybody's landmarks, converted, the constraint takes away; see `shape_model.clamped`."""
        if not self.settings.constraint:
            return jnp.zeros(len(landmarks))
        converted = self.unconstrained(state, landmarks, target)
        return shape_model.clamped(state.shape, converted, target, self.settings.constraint)

    def to_all(self, state: State, landmarks: Float[Array, "batch n 2"]) -> Landmarks:
        """`convert` to every identity."""
        converted = [self.convert(state, landmarks, target) for target in range(len(self.faces.identities))]
        return jnp.stack(converted, 1)

    def synthesize(
        self, state: State, landmarks: Float[Array, "batch n 2"], target: Any
    ) -> Float[Array, "batch size size 3"]:
        """Faces in [-1, 1] of the identity of index `target`, from landmarks converted to it."""
        return self._generator.apply({"params": stacked.pick(state.average, target)}, landmarks)

    def detect(self, state: State, image: Float[Array, "batch size size 3"]) -> Float[Array, "batch n 2"]:
        """The frozen detector's landmarks of pictures in [-1, 1]."""
        return dsnt.to_landmarks(dsnt.dsnt(self.detector.heatmaps(state.detector, image)))

    def _constrained(self, state: State, landmarks: Array, target: Any) -> Array:
        limit = self.settings.constraint
        return shape_model.constrain(state.shape, landmarks, target, limit) if limit else landmarks

    def _make_converter(self, earlier: Mapping[str, Finished]) -> tuple[Converter, Any]:
        """The converter, and its parameters as an earlier phase left them."""
        finished = required(earlier, "converter")
        return finished.method, finished.state.params

    def _initial_converter(self, key: jax.Array, landmarks: Landmarks) -> Any:
        """The converter's parameters at the start of this phase."""
        del key, landmarks
        return self._converter_params

    def _plain_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Metrics]:
        """A step without discriminators."""

        def loss(trained: Any):
            return self._generator_loss(trained, state, batch, key, adversarial=False)

        gradients, (metrics, _) = jax.grad(loss, has_aux=True)(self._trained(state))
        gradients, metrics = jax.lax.pmean((gradients, metrics), DATA_AXIS)
        absent = dict.fromkeys(("adversarial", "feature_matching", "discriminator"), jnp.zeros(()))
        return self._updated(state, gradients, {**metrics, **absent})

    def _adversarial_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Metrics]:
        """A step of generators and discriminators."""

        def generator_loss(trained: Any):
            return self._generator_loss(trained, state, batch, key, adversarial=True)

        def discriminator_loss(params: Any, made: Images):
            real_logits, _ = self._judged(params, batch["image"])
            made_logits, _ = self._judged(params, made)
            kind = self.settings.adversarial
            loss = _of_each(functools.partial(losses.l2i_gan_discriminator, kind), real_logits, made_logits)
            return loss.sum(), loss

        gradients, (metrics, made) = jax.grad(generator_loss, has_aux=True)(self._trained(state))
        made = jax.lax.stop_gradient(made)
        discriminators = state.params["discriminators"]
        of_discriminators, loss = jax.grad(discriminator_loss, has_aux=True)(discriminators, made)
        gradients = {**gradients, "discriminators": of_discriminators}
        gradients, metrics = jax.lax.pmean((gradients, {**metrics, "discriminator": loss}), DATA_AXIS)
        return self._updated(state, gradients, metrics)

    def _trained(self, state: State) -> dict[str, Any]:
        """The parameters that the generators' loss changes."""
        return {name: state.params[name] for name in self._optimizers if name != "discriminators"}

    def _generator_loss(
        self, trained: Any, state: State, batch: Batch, key: jax.Array, *, adversarial: bool
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

    def _reconstruction(self, state: State, image: Images, landmarks: Landmarks, made: Images) -> dict[str, Array]:
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

    def _gan(self, state: State, image: Images, made: Images) -> dict[str, Array]:
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

    def _made(self, state: State, generators: Any, landmarks: Landmarks) -> Images:
        """Θ_t(L_t) for every identity t."""
        del state
        return stacked.apply_each(lambda p, x: self._generator.apply({"params": p}, x), generators, landmarks)

    def _judged(self, discriminators: Any, image: Images) -> tuple[Array, Array]:
        """D_t's logits and features for every identity t."""
        return stacked.apply_each(lambda p, x: self._discriminator.apply({"params": p}, x), discriminators, image)

    def _heatmaps(self, state: State, image: Images) -> Float[Array, "batch identities rows columns n"]:
        """The frozen detector's, of all identities' pictures as one batch."""
        heatmaps = self.detector.heatmaps(state.detector, image.reshape(-1, *image.shape[2:]))
        return heatmaps.reshape(*image.shape[:2], *heatmaps.shape[1:])


def _of_each(loss: Callable[..., Array], *arrays: Array | None) -> health.PerIdentity:
    """A loss of each identity, from arrays with identities on axis 1."""
    return jax.vmap(loss, in_axes=1)(*arrays)


def required(earlier: Mapping[str, Finished], name: str) -> Finished:
    """The earlier phase of that name. Raises `ValueError` where there is none."""
    if name not in earlier:
        raise ValueError(f"this phase needs a finished {name!r} phase before it; the config lists none")
    return earlier[name]
