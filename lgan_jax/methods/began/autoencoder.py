"""A start for BEGAN where there is little time: its auto-encoder learns to decode faces before there is a generator.

The generator has the decoder's structure. So it can start as the decoder, seen through the affine map that gives z the
mean and the covariance of real faces' features: it makes blurred faces from its first step on, and a generator that
starts at random none for long. The papers do without.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from lgan_jax import config, optimizers
from lgan_jax.core import DATA_AXIS, Batch, FaceInfo, Finished, Metrics
from lgan_jax.losses.reconstruction import pixel_weights
from lgan_jax.methods.began import losses
from lgan_jax.methods.began.networks import LATENT, SMALLEST, AutoEncoder, Image
from lgan_jax.nn.initialisers import initial_variables

_ROWS = 8  # of the pictures to look at
_KEPT = 0.995  # at each step of the features' mean and products
_ADAM = optimizers.Adam(learning_rate=1e-3)


@dataclasses.dataclass(frozen=True)
class Settings:
    """The autoencoder phase.

    Attributes:
      steps: how many.
      batch_size: pictures a step.
      optimizer: its fields.
      width, skips: of the network, see there.
      norm: see `method.Settings`.
      features: additional weight of pixels near the points inside the face; see `reconstruction.pixel_weights`.
    """

    steps: int = 10_000
    batch_size: int = 16
    optimizer: optimizers.Settings = _ADAM
    width: int = 64
    skips: bool = False
    norm: losses.Norm = "squared"
    features: float = 0.0

    def __post_init__(self) -> None:
        config.within(self, 1, math.inf, "steps", "batch_size", "width")
        config.within(self, 0, math.inf, "features")


@flax.struct.dataclass
class State:
    """Everything that training changes.

    Attributes:
      step: of this phase.
      params: of the auto-encoder.
      optimizer: its state.
      mean, products: of real faces' features, over the last some hundred steps: `(64,)`, E[f], and `(64, 64)`, E[ffᵀ].
    """

    step: Any  # scalar int32
    params: Any
    optimizer: Any
    mean: Any
    products: Any


class AutoEncoding:
    """The phase that trains D alone, as BEGAN does while k is 0."""

    Settings = Settings
    grouping = "single"
    keys = ("image", "landmarks")

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """`dtype` is what to compute in; of `earlier` phases none is needed.

        Raises `ValueError` for pictures of a size that the network cannot take.
        """
        del earlier
        check_size(faces.size)
        self.settings, self.faces = settings, faces
        self._network = AutoEncoder(LATENT, faces.size, settings.width, settings.skips, dtype)
        self._optimizer = optimizers.make(settings.optimizer, settings.steps)

    def init(self, key: jax.Array, batch: Batch) -> State:
        """See `core.Method`."""
        del batch
        image = jnp.zeros((1, self.faces.size, self.faces.size, 3))
        params = initial_variables(self._network, key, image)["params"]
        return State(
            step=jnp.zeros((), jnp.int32),
            params=params,
            optimizer=self._optimizer.init(params),
            mean=jnp.zeros(LATENT),
            products=jnp.zeros((LATENT, LATENT)),
        )

    def train_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Metrics]:
        """See `core.Method`. Metrics: real (L(x) of Eq. 1, weighted)."""
        del key
        image, weights = jnp.asarray(batch["image"]), 1.0
        if self.settings.features:
            landmarks = jnp.asarray(batch["landmarks"])
            weights = pixel_weights(landmarks, self.faces.scheme, self.faces.size, self.settings.features)

        def loss(params: Any):
            decoded, features = self._network.apply({"params": params}, image, method="both")
            products = features.T @ features / len(features)
            error = losses.reconstruction(self.settings.norm, image, decoded, weights)
            return error, {"real": error, "mean": features.mean(0), "products": products}

        found = jax.grad(loss, has_aux=True)(state.params)
        gradients, found = jax.lax.pmean(found, DATA_AXIS)
        updates, optimizer = self._optimizer.update(gradients, state.optimizer, state.params)
        seen = {name: found.pop(name) for name in ("mean", "products")}
        seen = optimizers.averaged(_KEPT, state.step, {name: getattr(state, name) for name in seen}, seen)
        params = optax.apply_updates(state.params, updates)
        return state.replace(step=state.step + 1, params=params, optimizer=optimizer, **seen), found

    def eval_step(self, state: State, batch: Batch) -> Metrics:
        """See `core.Method`. Metrics: real, of validation faces."""
        image = jnp.asarray(batch["image"])
        return {"real": losses.reconstruction(self.settings.norm, image, self._decoded(state, image))}

    def pictures(self, state: State, batch: Batch) -> Mapping[str, Array]:
        """See `core.Method`: a real face, and what D decodes of it, in a row."""
        image = jnp.asarray(batch["image"])[:_ROWS]
        return {"decoded": jnp.stack([image, self._decoded(state, image)], 1)}

    def _decoded(self, state: State, image: Image) -> Image:
        return self._network.apply({"params": state.params}, image)


def check_size(size: int) -> None:
    """Raises `ValueError` for pictures of a size that the networks cannot take."""
    times = size // SMALLEST
    if size % SMALLEST or times < 2 or times & (times - 1):
        raise ValueError(f"pictures are {size} pixels wide; BEGAN takes 8 times a power of two: 32, 64 or 128")


def started_from(state: State) -> dict[str, Any]:
    """Parameters of BEGAN's `autoencoder` and `generator`: D as it is, and G as D's decoder of faces' features.

    z is uniform in [-1, 1], of variance 1/3: the features μ + √3·C^½·z have the mean μ and the covariance C.
    """
    covariance = state.products - jnp.outer(state.mean, state.mean)
    values, vectors = jnp.linalg.eigh(covariance)
    spread = (vectors * jnp.sqrt(jnp.maximum(values, 0))[None]) @ vectors.T * math.sqrt(3)
    decoder = jax.tree.map(jnp.copy, state.params["decoder"])
    kernel, bias = decoder["maps"]["kernel"], decoder["maps"]["bias"]
    decoder["maps"] = {"kernel": spread @ kernel, "bias": bias + state.mean @ kernel}
    return {"autoencoder": jax.tree.map(jnp.copy, state.params), "generator": decoder}
