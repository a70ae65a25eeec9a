"""The converter phase of LandmarkGAN: one encoder Φ for all identities, one decoder Ψ_t per identity (Eq. 4, 5)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Mapping
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from lgan_jax import config, optimizers
from lgan_jax.core import Batch, FaceInfo, Finished, Metrics
from lgan_jax.methods.landmarkgan import initialization, losses
from lgan_jax.methods.landmarkgan.networks import LandmarkMLP
from lgan_jax.metrics.lmk import nme
from lgan_jax.nn import stacked
from lgan_jax.nn.initialisers import initial_variables
from lgan_jax.ops.heatmaps import with_dots
from lgan_jax.training.phase import Phase
from lgan_jax.training.train_state import TrainState

Landmarks = Float[Array, "batch identities n 2"]


@dataclasses.dataclass(frozen=True)
class Weights:
    """own·(distance·Eq. 4 left + Eq. 4 right) + cross·(distance·Eq. 5 + Eq. 4 right on the converted landmarks).

    Attributes:
      own, cross, distance: factors as above.
      inner: weight of the points inside the face in distances (the outline's is 1).
      norm: weight of every point in the terms on the right.
    """

    own: float = 10.0
    cross: float = 2.0
    distance: float = 5.0
    inner: float = 1.5
    norm: float = 3.5


_DRIVING = 4  # driving images among the sample images
_AS_PUBLISHED = optimizers.RMSProp(learning_rate=1e-5, weight_decay=1e-4)


@dataclasses.dataclass(frozen=True)
class Settings:
    """The converter phase.

    Attributes:
      steps: number of training steps.
      batch_size: examples per step; an example has one landmark set of every identity.
      optimizer: settings of the optimizer.
      width: width of the hidden layers, an even number.
      start: initialisation: "kaiming" as published, or "shift", a shift to the target's mean face
        (`initialization.shifting`). "shift" preserves driving expressions that the target never showed; "kaiming" pulls
        them towards expressions that the target showed. Use "shift" where all recordings have similar expressions and
        poses.
      weights: weights of the losses.
      origin: origin of the coordinate system of Φ's landmarks, in [0, 1] across the image; see `losses.l2l_norm`. The
        published weights use 1/128, the center of the first of 64 heatmap pixels.
    """

    steps: int = 45_000
    batch_size: int = 4
    optimizer: optimizers.Settings = _AS_PUBLISHED
    width: int = 512
    start: Literal["kaiming", "shift"] = "kaiming"
    weights: Weights = Weights()
    origin: float = 0.0

    def __post_init__(self) -> None:
        if self.width % 2:
            raise ValueError(f"the converter's width is {self.width}; it must be even")
        config.within(self, 1, math.inf, "steps", "batch_size", "width")


class ConverterPhase(Phase):
    """The phase that trains Φ and every Ψ_t together: `encoder` and `decoders` (stacked) of its state's `converter`."""

    Settings = Settings
    grouping = "one_of_each"
    keys = ("image", "landmarks")
    worst: ClassVar = {"reconstruction": max, "cycle": max}
    per_identity = ("converter.decoders",)

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """Needs no `earlier` phases and ignores `dtype`: networks this small compute in float32."""
        super().__init__(settings, faces, dtype, earlier)
        self.network = LandmarkMLP(settings.width)
        self._optimizers = {"converter": make_optimizer(settings.optimizer, settings.steps)}

    def init(self, key: jax.Array, batch: Batch) -> TrainState:
        """See `Phase`. With `start="shift"` the initialisation depends on the landmarks in `batch`."""
        params = self.initial(key, jnp.asarray(batch["landmarks"]))
        return TrainState.create({"converter": params}, self._optimizers)

    def train_step(
        self, state: TrainState, batch: Batch, key: jax.Array, variant: Hashable = None
    ) -> tuple[TrainState, Metrics]:
        """See `Phase`. Metrics: l2l, norm, total; with two or more identities also x_l2l and norm_cycle."""

        def loss(params: Any):
            shift = partner_shift(key, len(self.faces.identities))
            total, metrics = self.loss(params["converter"], batch["landmarks"], shift)
            return total, (metrics, None)

        state, metrics, _ = state.descend(self._optimizers, loss, "converter")
        return state.finished_step(), metrics

    def eval_step(self, state: TrainState, batch: Batch) -> Metrics:
        """See `Phase`.

        Metrics `(identities,)` are mean distances divided by the distance between the outer eye corners:
        `reconstruction` by the identity's own decoder, and `cycle` through the next identity's decoder and back.
        """
        landmarks = jnp.asarray(batch["landmarks"])
        own = self.reconstructed(state.params["converter"], landmarks)
        back, _, _ = self._there_and_back(state.params["converter"], landmarks, jnp.int32(1))
        found = {"reconstruction": own, "cycle": back}
        return {name: nme(points, landmarks, self.faces.scheme).mean(0) for name, points in found.items()}

    def sample_images(self, state: TrainState, batch: Batch) -> Mapping[str, Array]:
        """See `Phase`. Each row: a face with its landmarks, then these landmarks converted to every identity."""
        image, landmarks, _ = driving(batch)
        converted = self.to_all(state.params["converter"], landmarks)
        blank = jnp.full((*converted.shape[:2], *image.shape[1:]), -1.0)
        columns = [with_dots(image, landmarks)[:, None], with_dots(blank, converted)]
        return {"driving_landmarks_converted": jnp.concatenate(columns, 1)}

    def initial(self, key: jax.Array, landmarks: Landmarks) -> Any:
        """Initial parameters of Φ and every Ψ_t; `landmarks` are training examples."""
        keys = jax.random.split(key)
        example = jnp.zeros((1, self.faces.scheme.count, 2))
        decoders = stacked.initialise(self.network, keys[1], len(self.faces.identities), example)
        encoder = initial_variables(self.network, keys[0], example)["params"]
        params = {"encoder": encoder, "decoders": decoders}
        return initialization.shifting(params, landmarks) if self.settings.start == "shift" else params

    def convert(self, params: Any, landmarks: Float[Array, "batch n 2"], target: Any) -> Float[Array, "batch n 2"]:
        """Ψ_t(Φ(L)): converts any person's landmarks to the identity of index `target`."""
        latent = self.network.apply({"params": params["encoder"]}, landmarks)
        return self.network.apply({"params": stacked.pick(params["decoders"], target)}, latent)

    def to_all(self, params: Any, landmarks: Float[Array, "batch n 2"]) -> Landmarks:
        """Converts landmarks to every identity."""
        latent = self.network.apply({"params": params["encoder"]}, landmarks)
        return self._decoded(params, jnp.stack([latent] * len(self.faces.identities), 1))

    def reconstructed(self, params: Any, landmarks: Landmarks) -> Landmarks:
        """Ψ_t(Φ(L_t)) for every identity t."""
        return self._decoded(params, self._encoded(params, landmarks))

    def from_others(self, params: Any, landmarks: Landmarks, shift: Int[Array, ""]) -> Landmarks:
        """Ψ_t(Φ(L_s)) for every identity t, where s is `shift` positions before t."""
        return self._decoded(params, jnp.roll(self._encoded(params, landmarks), shift, 1))

    def loss(self, params: Any, landmarks: Landmarks, shift: Int[Array, ""]) -> tuple[Float[Array, ""], Metrics]:
        """The converter's loss, and the metrics of `train_step`; s is `shift` positions from t.

        The loss is a sum over identities, so each decoder gets the gradients of training alone, and weight decay has
        the same relative effect. Metrics are means.
        """
        weights = self.settings.weights
        distances = losses.point_weights(self.faces.scheme, weights.inner)
        every = jnp.full((self.faces.scheme.count,), weights.norm)
        latent = self._encoded(params, landmarks)
        rec = losses.l2l(landmarks, self._decoded(params, latent), distances)
        norm = losses.l2l_norm(landmarks, latent, every, self.settings.origin)
        total = weights.own * (weights.distance * rec + norm)
        metrics = {"l2l": rec, "norm": norm}
        if len(self.faces.identities) > 1:
            back, converted, latent_converted = self._there_and_back(params, landmarks, shift)
            cycle = losses.x_l2l(landmarks, back, distances)
            norm_cycle = losses.l2l_norm(converted, latent_converted, every, self.settings.origin)
            total = total + weights.cross * (weights.distance * cycle + norm_cycle)
            metrics |= {"x_l2l": cycle, "norm_cycle": norm_cycle}
        return total * len(self.faces.identities), {**metrics, "total": total}

    def _there_and_back(
        self, params: Any, landmarks: Landmarks, shift: Int[Array, ""]
    ) -> tuple[Landmarks, Landmarks, Landmarks]:
        """Ψ_t(Φ(Ψ_s(Φ(L_t)))) at index t; Ψ_s(Φ(L_t)) and its latent at index s, `shift` positions after t."""
        converted = self.from_others(params, landmarks, shift)
        latent = self._encoded(params, converted)
        return self._decoded(params, jnp.roll(latent, -shift, 1)), converted, latent

    def _encoded(self, params: Any, landmarks: Landmarks) -> Landmarks:
        flat = landmarks.reshape(-1, *landmarks.shape[2:])
        return self.network.apply({"params": params["encoder"]}, flat).reshape(landmarks.shape)

    def _decoded(self, params: Any, latent: Landmarks) -> Landmarks:
        def decode(params: Any, latent: Array) -> Array:
            return self.network.apply({"params": params}, latent)

        return stacked.apply_each(decode, params["decoders"], latent, dense=True)


def make_optimizer(settings: optimizers.Settings, steps: int) -> optax.GradientTransformation:
    """The optimizer of the encoder and of each identity's decoder, for a phase of `steps` steps."""
    parts = {"encoder": optimizers.make(settings, steps), "decoders": optimizers.make_stacked(settings, steps)}
    return optax.partition(parts, {name: name for name in parts})


def partner_shift(key: jax.Array, count: int) -> Int[Array, ""]:
    """The index distance of each identity and its partner in this step: uniform over 1 … count − 1, 0 for one identity.

    One draw serves all identities: each partner is uniform over the others, and no two identities share a partner.
    """
    return jax.random.randint(key, (), 1, count) if count > 1 else jnp.zeros((), jnp.int32)


def driving(
    batch: Batch,
) -> tuple[Float[Array, "rows height width 3"], Float[Array, "rows n 2"], Int[Array, " rows"]]:
    """At most four driving images, their landmarks and identities, alternating (`one_of_each` batches)."""
    image, landmarks = jnp.asarray(batch["image"]), jnp.asarray(batch["landmarks"])
    examples, identities = image.shape[:2]
    row = jnp.arange(min(_DRIVING, examples * identities))
    identity = row % identities
    chosen = (identity + row // identities) % examples, identity
    return image[chosen], landmarks[chosen], identity
