"""Training phase of a differentiable landmark detector: heatmaps, DSNT and its regularisers (Nibali et al. 2018).

LandmarkGAN trains it on WFLW and freezes it. Batches can have single images, or one image of each identity.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax import config, optimizers
from lgan_jax.core import DATA_AXIS, Batch, FaceInfo, Finished, Metrics, example_keys
from lgan_jax.methods.detector.networks import HeatmapDetector
from lgan_jax.metrics.lmk import nme
from lgan_jax.nn.initialisers import initial_variables
from lgan_jax.ops import augment, dsnt
from lgan_jax.ops.heatmaps import with_dots
from lgan_jax.training.phase import Phase
from lgan_jax.training.train_state import TrainState

_OPTIMIZER = optimizers.RMSProp(
    learning_rate=2.5e-4, schedule=optimizers.Step(factor=0.1, every=20_000, final_learning_rate=1e-6)
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the detector phase.

    Attributes:
      steps: number of training steps.
      batch_size: images per step, over all devices.
      optimizer: settings of the optimizer.
      width: channels of the hourglass, a multiple of 8.
      depth: number of downsamplings in the hourglass (fewer if feature maps would be smaller than 4 pixels).
      distance: distance of predicted and target landmarks: "euclidean", "l1" or "mse"; see `dsnt.DISTANCES`.
      regulariser: regulariser of the heatmaps' shape: "js", "kl" or "variance".
      regulariser_weight: λ.
      sigma: the regulariser's σ, in heatmap pixels.
      augmentation: augmentation of the training images.
    """

    steps: int = 60_000
    batch_size: int = 16
    optimizer: optimizers.Settings = _OPTIMIZER
    width: int = 256
    depth: int = 4
    distance: Literal["euclidean", "l1", "mse"] = "euclidean"
    regulariser: Literal["js", "kl", "variance"] = "js"
    regulariser_weight: float = 1.0
    sigma: float = 1.0
    augmentation: augment.Settings = dataclasses.field(default_factory=augment.Settings)

    def __post_init__(self) -> None:
        if self.width < 8 or self.width % 8:
            raise ValueError(f"width is {self.width}; it must be a multiple of 8")
        config.within(self, 1, math.inf, "steps", "batch_size", "depth")
        config.within(self, 1e-3, math.inf, "sigma")
        config.within(self, 0, math.inf, "regulariser_weight")


class DetectorPhase(Phase):
    """The phase that trains Ω. Its state has the variables `batch_stats`, of batch normalization."""

    Settings = Settings
    grouping = "single"
    keys = ("image", "landmarks")
    network_variables = ("batch_stats",)

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """Needs no `earlier` phases; `dtype` is the dtype of computations."""
        super().__init__(settings, faces, dtype, earlier)
        self._network = HeatmapDetector(faces.scheme.count, settings.width, settings.depth, dtype)
        self._optimizers = {"detector": optimizers.make(settings.optimizer, settings.steps)}

    def init(self, key: jax.Array, batch: Batch) -> TrainState:
        """See `Phase`."""
        image, _ = _flat(batch)
        weights = dict(initial_variables(self._network, key, image[:1]))
        return TrainState.create({"detector": weights.pop("params")}, self._optimizers, variables=weights)

    def train_step(
        self, state: TrainState, batch: Batch, key: jax.Array, variant: Hashable = None
    ) -> tuple[TrainState, Metrics]:
        """See `Phase`. Metrics: total, distance (in DSNT's coordinates, where the image is 2 wide), regulariser."""
        image, landmarks = self._augmented(*_flat(batch), key)

        def loss(params: Any):
            heatmaps, changed = self._network.apply(
                {**state.variables, "params": params["detector"]}, image, train=True, mutable=["batch_stats"]
            )
            metrics = self._losses(heatmaps, landmarks, DATA_AXIS)
            return metrics["total"], (metrics, changed["batch_stats"])

        state, metrics, statistics = state.descend(self._optimizers, loss, "detector")
        return state.with_variables(batch_stats=statistics).finished_step(), metrics

    def eval_step(self, state: TrainState, batch: Batch) -> Metrics:
        """See `Phase`. Metrics: nme (mean distance divided by the distance between the outer eye corners), total."""
        image, landmarks = _flat(batch)
        heatmaps = self._network.apply(self.weights(state), image)
        found = dsnt.to_landmarks(dsnt.dsnt(heatmaps))
        error = nme(found, landmarks, self.faces.scheme).mean()
        return {"nme": error, "total": self._losses(heatmaps, landmarks)["total"]}

    def sample_images(self, state: TrainState, batch: Batch) -> Mapping[str, Array]:
        """See `Phase`. Each row: an image with its target landmarks (green) and the detected landmarks (yellow)."""
        image, landmarks = (x[:8] for x in _flat(batch))
        image = 2 * image - 1
        found = self.landmarks(self.weights(state), image)
        columns = [with_dots(image, landmarks), with_dots(image, found, (1.0, 1.0, -1.0))]
        return {"detected": jnp.stack(columns, 1)}

    def weights(self, state: TrainState) -> Any:
        """The weights in a state that `heatmaps` takes."""
        return {**state.variables, "params": state.params["detector"]}

    def heatmaps(
        self, weights: Any, image: Float[Array, "batch height width 3"]
    ) -> Float[Array, "batch rows columns n"]:
        """Ω's heatmaps of images in [-1, 1], one per landmark, float32, each with sum 1."""
        return self._network.apply(weights, (image + 1) / 2)

    def landmarks(self, weights: Any, image: Float[Array, "batch height width 3"]) -> Float[Array, "batch n 2"]:
        """Landmarks in [0, 1] of images in [-1, 1]."""
        return dsnt.to_landmarks(dsnt.dsnt(self.heatmaps(weights, image)))

    def _augmented(self, image: Array, landmarks: Array, key: jax.Array) -> tuple[Array, Array]:
        def one(key: jax.Array, image: Array, landmarks: Array):
            return augment.augmented(self.settings.augmentation, self.faces.scheme, key, image, landmarks)

        return jax.vmap(one)(example_keys(key, image.shape[0]), image, landmarks)

    def _losses(self, heatmaps: Array, landmarks: Array, axis: str | None = None) -> Metrics:
        """Means over the landmarks inside the image; see `dsnt.average` for `axis`."""
        target = dsnt.from_landmarks(landmarks)
        inside = jnp.all(jnp.abs(target) <= 1, -1)
        distance = dsnt.DISTANCES[self.settings.distance](dsnt.dsnt(heatmaps), target)
        regulariser = dsnt.REGULARISERS[self.settings.regulariser](heatmaps, target, self.settings.sigma)
        distance, regulariser = (dsnt.average(x, inside, axis) for x in (distance, regulariser))
        total = distance + self.settings.regulariser_weight * regulariser
        return {"distance": distance, "regulariser": regulariser, "total": total}


def _flat(batch: Batch) -> tuple[Array, Array]:
    """Images `(batch, H, W, 3)` in [0, 1] and landmarks `(batch, N, 2)` of a batch of either grouping."""
    image, landmarks = jnp.asarray(batch["image"]), jnp.asarray(batch["landmarks"])
    image = image.reshape(-1, *image.shape[-3:])
    return (image + 1) / 2, landmarks.reshape(-1, *landmarks.shape[-2:])
