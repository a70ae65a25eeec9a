"""The inverse of the generator (Bazrafkan et al., Eq. 3): the z of every training picture, and of any other.

This phase has one step for each batch of pictures, not for each update: a step is a whole search (`inversion`) for
their z, which is compiled by itself.
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

_ROWS = 8  # of the pictures to look at
_GUESSED = 1024  # made faces that the guess learns from
_BROKEN = "the generator's pictures are not finite; go back to a checkpoint of began before that, or train it again"
_RIDGE = 1e-4  # penalty of its map, as a share of the features' mean square


@dataclasses.dataclass(frozen=True)
class Settings:
    """The inverse phase.

    Attributes:
      steps: batches; 0: as many as go once through all training pictures.
      batch_size: pictures in one search.
      search: how to search; see `inversion.Settings`.
    """

    steps: int = 0
    batch_size: int = 256
    search: inversion.Settings = dataclasses.field(default_factory=inversion.Settings)

    def __post_init__(self) -> None:
        config.within(self, 0, math.inf, "steps")
        config.within(self, 1, math.inf, "batch_size")


class InversePhase(Phase):
    """The phase that finds the z of training pictures; a later search for a picture takes the place of an earlier.

    Its state has the variables `z` `(pictures, 64)`, 0 for a picture that was not searched for, and `error`
    `(pictures,)`, Eq. 3, -1 for such a picture; and, frozen, BEGAN's `networks`.
    """

    Settings = Settings
    grouping = "single"
    keys = ("image", "index")
    eval_split = "train"  # there is no z of validation pictures
    host_step = True

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """Of `earlier` phases `began` is needed: raises `ValueError` without it."""
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
        count = self.faces.pictures
        found = {"z": jnp.zeros((count, LATENT)), "error": jnp.full(count, -1.0)}
        return TrainState.create({}, {}, variables=found, frozen={"networks": self._networks})

    def train_step(
        self, state: TrainState, batch: Batch, key: jax.Array, variant: Hashable = None
    ) -> tuple[TrainState, Metrics]:
        """See `Phase`; it is not compiled. Metrics: error (Eq. 3 of the batch), updates (mean of each)."""
        # There may be fewer pictures than in a batch.
        index, places = np.unique(np.asarray(batch["index"]), return_index=True)
        if self._search is None:
            self._search = Search(self._began, state.frozen["networks"], self.settings.search)
        found = self._search(np.asarray(batch["image"])[places], key)
        z, error = (np.array(state.variables[name]) for name in ("z", "error"))
        z[index], error[index] = found.parameters, found.loss
        metrics = {"error": jnp.asarray(found.loss.mean()), "updates": jnp.asarray(found.steps.mean(), jnp.float32)}
        return state.with_variables(z=z, error=error).replace(step=np.int32(state.step + 1)), metrics

    def eval_step(self, state: TrainState, batch: Batch) -> Metrics:
        """See `Phase`. Metrics: searched (share of all training pictures), error (mean of those, 0 for none)."""
        del batch
        error = state.variables["error"]
        there = error >= 0
        count = jnp.maximum(there.sum(), 1)
        return {"searched": there.mean(), "error": jnp.where(there, error, 0).sum() / count}

    def sample_images(self, state: TrainState, batch: Batch) -> Mapping[str, Array]:
        """See `Phase`: a training picture and what the generator makes of its z, in a row."""
        image, index = (jnp.asarray(batch[name])[:_ROWS] for name in self.keys)
        made = self._began.generate(state.frozen["networks"], state.variables["z"][index])
        return {"inverted": jnp.stack([image, made], 1)}


class Search:
    """Finds z in [-1, 1] of pictures by Eq. 3, from a guess on: a linear map of D's features.

    The map is fitted, when it is first needed, to the features of made faces, whose z are known. So the z of pictures
    that are alike are near each other, and the search is shorter than from the middle of the space, where the paper's
    may have begun; it does not say.
    """

    def __init__(self, began: BEGANPhase, networks: Mapping[str, Any], settings: inversion.Settings) -> None:
        """`networks` are what `BEGANPhase.networks` gives."""

        def objective(networks: Mapping[str, Any], z: Latent, image: Image, moment: Moment):
            del moment
            return losses.inversion(image, began.generate(networks, z)), {}

        self._inverter = Inverter(objective, settings, lambda z: jnp.clip(z, -1, 1))
        self._networks = jax.device_put(networks)  # once, not at every step of a search
        self._features = jax.jit(began.features)
        self._features_of_made = jax.jit(lambda networks, z: began.features(networks, began.generate(networks, z)))

    def __call__(
        self,
        image: Float[np.ndarray, "n height width 3"],
        key: jax.Array | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Found:
        """The z of pictures in [-1, 1]; see `Inverter`.

        Raises `FloatingPointError` where one diverged: z are between -1 and 1, so it can only be the generator.
        """
        image = image.astype(np.float32)
        try:
            return self._inverter(self._networks, self.guess(image), image, key, progress)
        except Diverged as error:
            raise FloatingPointError(f"{error}: {_BROKEN}") from None

    def guess(self, image: Float[np.ndarray, "n height width 3"]) -> Float[np.ndarray, "n latent"]:
        """Where the search begins."""
        features = in_chunks(lambda chunk: self._features(self._networks, chunk), image)
        return np.clip(_with_one(features) @ self._map, -1, 1)

    @functools.cached_property
    def _map(self) -> Float[np.ndarray, "features_and_one latent"]:
        """By least squares, with a small penalty on its size."""
        z = np.asarray(uniform(jax.vmap(jax.random.key)(jnp.arange(_GUESSED))))
        seen = _with_one(in_chunks(lambda chunk: self._features_of_made(self._networks, chunk), z))
        products = seen.T @ seen
        return np.linalg.solve(
            products + _RIDGE * np.trace(products) / len(products) * np.eye(len(products)), seen.T @ z
        )


def _with_one(features: Float[np.ndarray, "n features"]) -> Float[np.ndarray, "n features_and_one"]:
    return np.concatenate([features, np.ones((len(features), 1), np.float32)], 1)
