"""A start for BEGAN where there is little time: its auto-encoder learns to decode faces before there is a generator.

The generator has the decoder's structure. So it can start as the decoder, seen through the affine map that gives z the
mean and the covariance of real faces' features: it makes blurred faces from its first step on, and a generator that
starts at random none for long. The papers do without.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from lgan_jax import config, optimizers
from lgan_jax.core import Batch, FaceInfo, Finished, Metrics
from lgan_jax.losses.reconstruction import pixel_weights
from lgan_jax.methods.began import losses
from lgan_jax.methods.began.networks import LATENT, SMALLEST, AutoEncoder, Image
from lgan_jax.nn.initialisers import initial_variables
from lgan_jax.training.phase import Phase
from lgan_jax.training.train_state import TrainState, ema_update, warmed_up

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


class AutoencoderPhase(Phase):
    """The phase that trains D, `autoencoder`, alone, as BEGAN does while k is 0.

    Its state has the variables `mean` `(64,)`, E[f], and `products` `(64, 64)`, E[ffᵀ], of real faces' features over
    the last some hundred steps.
    """

    Settings = Settings
    grouping = "single"
    keys = ("image", "landmarks")

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """`dtype` is what to compute in; of `earlier` phases none is needed.

        Raises `ValueError` for pictures of a size that the network cannot take.
        """
        check_size(faces.size)
        super().__init__(settings, faces, dtype, earlier)
        self._network = AutoEncoder(LATENT, faces.size, settings.width, settings.skips, dtype)
        self._optimizers = {"autoencoder": optimizers.make(settings.optimizer, settings.steps)}

    def init(self, key: jax.Array, batch: Batch) -> TrainState:
        """See `Phase`."""
        del batch
        image = jnp.zeros((1, self.faces.size, self.faces.size, 3))
        params = initial_variables(self._network, key, image)["params"]
        features = {"mean": jnp.zeros(LATENT), "products": jnp.zeros((LATENT, LATENT))}
        return TrainState.create({"autoencoder": params}, self._optimizers, variables=features)

    def train_step(
        self, state: TrainState, batch: Batch, key: jax.Array, variant: Hashable = None
    ) -> tuple[TrainState, Metrics]:
        """See `Phase`. Metrics: real (L(x) of Eq. 1, weighted)."""
        del key
        image, weights = jnp.asarray(batch["image"]), 1.0
        if self.settings.features:
            landmarks = jnp.asarray(batch["landmarks"])
            weights = pixel_weights(landmarks, self.faces.scheme, self.faces.size, self.settings.features)

        def loss(params: Any):
            decoded, features = self._network.apply({"params": params["autoencoder"]}, image, method="both")
            products = features.T @ features / len(features)
            error = losses.reconstruction(self.settings.norm, image, decoded, weights)
            return error, ({"real": error, "mean": features.mean(0), "products": products}, None)

        after, metrics, _ = state.descend(self._optimizers, loss, "autoencoder")
        features = {name: metrics.pop(name) for name in state.variables}
        features = ema_update(warmed_up(_KEPT, state.step), state.variables, features)
        return after.with_variables(**features).finished_step(), metrics

    def eval_step(self, state: TrainState, batch: Batch) -> Metrics:
        """See `Phase`. Metrics: real, of validation faces."""
        image = jnp.asarray(batch["image"])
        return {"real": losses.reconstruction(self.settings.norm, image, self._decoded(state, image))}

    def sample_images(self, state: TrainState, batch: Batch) -> Mapping[str, Array]:
        """See `Phase`: a real face, and what D decodes of it, in a row."""
        image = jnp.asarray(batch["image"])[:_ROWS]
        return {"decoded": jnp.stack([image, self._decoded(state, image)], 1)}

    def _decoded(self, state: TrainState, image: Image) -> Image:
        return self._network.apply({"params": state.params["autoencoder"]}, image)


def check_size(size: int) -> None:
    """Raises `ValueError` for pictures of a size that the networks cannot take."""
    times = size // SMALLEST
    if size % SMALLEST or times < 2 or times & (times - 1):
        raise ValueError(f"pictures are {size} pixels wide; BEGAN takes 8 times a power of two: 32, 64 or 128")


def started_from(state: TrainState) -> dict[str, Any]:
    """Parameters of BEGAN's `autoencoder` and `generator`: D as it is, and G as D's decoder of faces' features.

    z is uniform in [-1, 1], of variance 1/3: the features μ + √3·C^½·z have the mean μ and the covariance C.
    """
    params, mean = state.params["autoencoder"], state.variables["mean"]
    covariance = state.variables["products"] - jnp.outer(mean, mean)
    values, vectors = jnp.linalg.eigh(covariance)
    spread = (vectors * jnp.sqrt(jnp.maximum(values, 0))[None]) @ vectors.T * math.sqrt(3)
    decoder = jax.tree.map(jnp.copy, params["decoder"])
    kernel, bias = decoder["maps"]["kernel"], decoder["maps"]["bias"]
    decoder["maps"] = {"kernel": spread @ kernel, "bias": bias + mean @ kernel}
    return {"autoencoder": jax.tree.map(jnp.copy, params), "generator": decoder}
