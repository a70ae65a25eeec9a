"""Pretraining phase of BEGAN for short trainings: trains the auto-encoder on real faces before the generator.

The generator has the decoder's architecture. So the decoder can initialise it, after an affine map that gives z the
mean and the covariance of real faces' features. This generator outputs blurred faces from its first step; a randomly
initialised generator needs many steps. This phase is not in the papers.
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

_ROWS = 8  # rows of the sample images
_FEATURE_DECAY = 0.995  # EMA decay of the features' mean and products
_ADAM = optimizers.Adam(learning_rate=1e-3)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the autoencoder phase.

    Attributes:
      steps: number of training steps.
      batch_size: images per step.
      optimizer: settings of the optimizer.
      width, skips: see `networks.Decoder`.
      norm: see `began.Settings`.
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
    """The phase that trains D, `autoencoder`, alone, like BEGAN with k = 0.

    Its state has the variables `mean` `(64,)`, E[f], and `products` `(64, 64)`, E[ffᵀ]: moving averages over real
    faces' features.
    """

    Settings = Settings
    grouping = "single"
    keys = ("image", "landmarks")

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """Needs no `earlier` phases; `dtype` is the dtype of computations.

        Raises `ValueError` for an unsupported image size.
        """
        check_size(faces.size)
        super().__init__(settings, faces, dtype, earlier)
        self.network = AutoEncoder(LATENT, faces.size, settings.width, settings.skips, dtype)
        self._optimizers = {"autoencoder": optimizers.make(settings.optimizer, settings.steps)}

    def init(self, key: jax.Array, batch: Batch) -> TrainState:
        """See `Phase`."""
        del batch
        image = jnp.zeros((1, self.faces.size, self.faces.size, 3))
        params = initial_variables(self.network, key, image)["params"]
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
            decoded, features = self.network.apply({"params": params["autoencoder"]}, image, method="both")
            products = features.T @ features / len(features)
            error = losses.reconstruction(self.settings.norm, image, decoded, weights)
            return error, ({"real": error, "mean": features.mean(0), "products": products}, None)

        after, metrics, _ = state.descend(self._optimizers, loss, "autoencoder")
        features = {name: metrics.pop(name) for name in state.variables}
        features = ema_update(warmed_up(_FEATURE_DECAY, state.step), state.variables, features)
        return after.with_variables(**features).finished_step(), metrics

    def eval_step(self, state: TrainState, batch: Batch) -> Metrics:
        """See `Phase`. Metrics: real, for validation faces."""
        image = jnp.asarray(batch["image"])
        return {"real": losses.reconstruction(self.settings.norm, image, self._decoded(state, image))}

    def sample_images(self, state: TrainState, batch: Batch) -> Mapping[str, Array]:
        """See `Phase`. Each row: a real face and its reconstruction by D."""
        image = jnp.asarray(batch["image"])[:_ROWS]
        return {"decoded": jnp.stack([image, self._decoded(state, image)], 1)}

    def _decoded(self, state: TrainState, image: Image) -> Image:
        return self.network.apply({"params": state.params["autoencoder"]}, image)


def check_size(size: int) -> None:
    """Raises `ValueError` for an unsupported image size."""
    times = size // SMALLEST
    if size % SMALLEST or times < 2 or times & (times - 1):
        raise ValueError(f"images are {size} pixels wide; BEGAN supports 8 times a power of two: 32, 64 or 128")


def started_from(state: TrainState) -> dict[str, Any]:
    """Initial parameters of BEGAN: `autoencoder` is D, and `generator` is D's decoder with rescaled inputs.

    z is uniform in [-1, 1] with variance 1/3, so the features μ + √3·C^½·z have the mean μ and the covariance C.
    """
    params, mean = state.params["autoencoder"], state.variables["mean"]
    covariance = state.variables["products"] - jnp.outer(mean, mean)
    values, vectors = jnp.linalg.eigh(covariance)
    spread = (vectors * jnp.sqrt(jnp.maximum(values, 0))[None]) @ vectors.T * math.sqrt(3)
    decoder = jax.tree.map(jnp.copy, params["decoder"])
    kernel, bias = decoder["maps"]["kernel"], decoder["maps"]["bias"]
    decoder["maps"] = {"kernel": spread @ kernel, "bias": bias + mean @ kernel}
    return {"autoencoder": jax.tree.map(jnp.copy, params), "generator": decoder}
