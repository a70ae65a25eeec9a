"""Inversion of BEGAN's generator (Bazrafkan et al., Eq. 3): finds the z of every training image, and of any image.

A step of this phase is not one update but the whole inversion of a batch of images (`inversion`), which has its own
compiled program.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lgan_jax import config, inversion
from lgan_jax.core import Batch, FaceInfo, Finished, Metrics
from lgan_jax.inversion import Diverged, Found, Inverter, Moment, Progress
from lgan_jax.methods.began import losses
from lgan_jax.methods.began.began import BEGANPhase, uniform
from lgan_jax.methods.began.networks import LATENT, Image, Latent
from lgan_jax.nn.chunks import in_chunks
from lgan_jax.training.phase import Phase
from lgan_jax.training.train_state import TrainState

_ROWS = 8  # rows of the sample images
_GUESSED = 1024  # generated faces that the initial guess is fitted to
_BROKEN = "the generator's images are not finite; use an earlier checkpoint of began, or train it again"
_RIDGE = 1e-4  # ridge penalty of the initial guess, relative to the features' mean square


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the inverse phase.

    Attributes:
      steps: number of batches; 0: one epoch of the training images.
      batch_size: images per inversion.
      search: settings of the inversion; see `inversion.Settings`.
    """

    steps: int = 0
    batch_size: int = 256
    search: inversion.Settings = dataclasses.field(default_factory=inversion.Settings)

    def __post_init__(self) -> None:
        config.within(self, 0, math.inf, "steps")
        config.within(self, 1, math.inf, "batch_size")


class InversePhase(Phase):
    """The phase that inverts training images; a later inversion of an image replaces an earlier one.

    Its state has the variables `z` `(images, 64)`, 0 for an image without inversion, and `error` `(images,)` (Eq. 3),
    -1 for such an image; its frozen part has BEGAN's `networks`.
    """

    Settings = Settings
    grouping = "single"
    keys = ("image", "index")
    eval_split = "train"  # validation images have no z
    host_step = True

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """Needs the phase `began` in `earlier`; raises `ValueError` without it."""
        if "began" not in earlier:
            raise ValueError("the inverse phase needs a generator: list began before it in config.phases")
        super().__init__(settings, faces, dtype, earlier)
        self._began, state = earlier["began"]
        self._networks = self._began.networks(state)
        self._search: Search | None = None

    @classmethod
    def length(cls, settings: Settings, examples: int) -> int:
        """See `Phase`."""
        return settings.steps or math.ceil(examples / settings.batch_size)

    def init(self, key: jax.Array, batch: Batch) -> TrainState:
        """See `Phase`."""
        del key, batch
        count = self.faces.images
        found = {"z": jnp.zeros((count, LATENT)), "error": jnp.full(count, -1.0)}
        return TrainState.create({}, {}, variables=found, frozen={"networks": self._networks})

    def train_step(
        self, state: TrainState, batch: Batch, key: jax.Array, variant: Hashable = None
    ) -> tuple[TrainState, Metrics]:
        """See `Phase`; not compiled. Metrics: error (Eq. 3 of the batch), updates (mean number per image)."""
        # There may be fewer training images than a batch has.
        index, positions = np.unique(np.asarray(batch["index"]), return_index=True)
        if self._search is None:
            self._search = Search(self._began, state.frozen["networks"], self.settings.search)
        found = self._search(np.asarray(batch["image"])[positions], key)
        z, error = (np.array(state.variables[name]) for name in ("z", "error"))
        z[index], error[index] = found.parameters, found.loss
        metrics = {"error": jnp.asarray(found.loss.mean()), "updates": jnp.asarray(found.steps.mean(), jnp.float32)}
        return state.with_variables(z=z, error=error).replace(step=np.int32(state.step + 1)), metrics

    def eval_step(self, state: TrainState, batch: Batch) -> Metrics:
        """See `Phase`. Metrics: searched (share of inverted training images), error (their mean; 0 for none)."""
        del batch
        error = state.variables["error"]
        there = error >= 0
        count = jnp.maximum(there.sum(), 1)
        return {"searched": there.mean(), "error": jnp.where(there, error, 0).sum() / count}

    def sample_images(self, state: TrainState, batch: Batch) -> Mapping[str, Array]:
        """See `Phase`. Each row: a training image and the generated image of its z."""
        image, index = (jnp.asarray(batch[name])[:_ROWS] for name in self.keys)
        generated = self._began.generate(state.frozen["networks"], state.variables["z"][index])
        return {"inverted": jnp.stack([image, generated], 1)}


class Search:
    """Optimisation-based inversion: finds z in [-1, 1] of images by Eq. 3, from a linear map of D's features.

    On first use, the map is fitted to the features of generated faces with known z. So similar images have similar z,
    and the optimisation is shorter than from z = 0. The paper does not specify its starting point.
    """

    def __init__(self, began: BEGANPhase, networks: Mapping[str, Any], settings: inversion.Settings) -> None:
        """`networks` are the result of `BEGANPhase.networks`."""

        def objective(networks: Mapping[str, Any], z: Latent, image: Image, moment: Moment):
            del moment
            return losses.inversion(image, began.generate(networks, z)), {}

        self._inverter = Inverter(objective, settings, lambda z: jnp.clip(z, -1, 1))
        self._networks = jax.device_put(networks)  # once, not at every step
        self._features = jax.jit(began.features)
        self._features_of_generated = jax.jit(lambda networks, z: began.features(networks, began.generate(networks, z)))

    def __call__(
        self,
        image: Float[np.ndarray, "n height width 3"],
        key: jax.Array | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Found:
        """Inverts images in [-1, 1]; see `Inverter`.

        Raises `FloatingPointError` if a loss diverged: z are in [-1, 1], so the generator's output must be non-finite.
        """
        image = image.astype(np.float32)
        try:
            return self._inverter(self._networks, self.guess(image), image, key, progress)
        except Diverged as error:
            raise FloatingPointError(f"{error}: {_BROKEN}") from None

    def guess(self, image: Float[np.ndarray, "n height width 3"]) -> Float[np.ndarray, "n latent"]:
        """The initial z of the optimisation."""
        features = in_chunks(lambda chunk: self._features(self._networks, chunk), image)
        return np.clip(_with_one(features) @ self._map, -1, 1)

    @functools.cached_property
    def _map(self) -> Float[np.ndarray, "features_and_one latent"]:
        """The linear map from features to z, by ridge regression."""
        z = np.asarray(uniform(jax.vmap(jax.random.key)(jnp.arange(_GUESSED))))
        features = _with_one(in_chunks(lambda chunk: self._features_of_generated(self._networks, chunk), z))
        products = features.T @ features
        return np.linalg.solve(
            products + _RIDGE * np.trace(products) / len(products) * np.eye(len(products)), features.T @ z
        )


def _with_one(features: Float[np.ndarray, "n features"]) -> Float[np.ndarray, "n features_and_one"]:
    return np.concatenate([features, np.ones((len(features), 1), np.float32)], 1)
