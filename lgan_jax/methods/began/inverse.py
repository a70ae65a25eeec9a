"""The inverse of the generator (Bazrafkan et al., Eq. 3): the z of every training picture, and of any other.

This phase has one step for each batch of pictures, not for each update: a step is a whole search (`inversion`) for
their z, which is compiled by itself.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lgan_jax import config, inversion
from lgan_jax.core import Batch, FaceInfo, Finished, Metrics
from lgan_jax.inversion import Diverged, Found, Inverter, Moment, Progress
from lgan_jax.methods.began import losses
from lgan_jax.methods.began.method import Began, State, uniform
from lgan_jax.methods.began.networks import LATENT, Image, Latent
from lgan_jax.nn.chunks import in_chunks

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


@flax.struct.dataclass
class Latents:
    """What has been found: a row for each training picture.

    Attributes:
      step: of this phase.
      z: `(pictures, 64)`, 0 where it has not been searched for.
      error: `(pictures,)`, Eq. 3; -1 where it has not been searched for.
    """

    step: Any  # scalar int32
    z: Any
    error: Any


class Inverse:
    """The phase that finds the z of training pictures; a later search for a picture takes the place of an earlier."""

    Settings = Settings
    grouping = "single"
    keys = ("image", "index")
    looks_at = "train"  # there is no z of validation pictures
    on_host = True

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """Of `earlier` phases `began` is needed: raises `ValueError` without it."""
        del dtype
        if "began" not in earlier:
            raise ValueError("the inverse phase needs a generator: list began before it in config.phases")
        self.settings, self.faces = settings, faces
        began = earlier["began"]
        self._began, self._generator = began.method, generator_of(began)
        self.search = Search(self._began, self._generator, settings.search)

    @staticmethod
    def length(settings: Settings, pictures: int) -> int:
        """See `core.Method`."""
        return settings.steps or math.ceil(pictures / settings.batch_size)

    def init(self, key: jax.Array, batch: Batch) -> Latents:
        """See `core.Method`."""
        del key, batch
        count = self.faces.pictures
        return Latents(jnp.zeros((), jnp.int32), jnp.zeros((count, LATENT)), jnp.full(count, -1.0))

    def train_step(self, state: Latents, batch: Batch, key: jax.Array) -> tuple[Latents, Metrics]:
        """See `core.Method`; it is not compiled. Metrics: error (Eq. 3 of the batch), updates (mean of each)."""
        # There may be fewer pictures than in a batch.
        index, places = np.unique(np.asarray(batch["index"]), return_index=True)
        found = self.search(np.asarray(batch["image"])[places], key)
        z, error = np.array(state.z), np.array(state.error)
        z[index], error[index] = found.parameters, found.loss
        metrics = {"error": jnp.asarray(found.loss.mean()), "updates": jnp.asarray(found.steps.mean(), jnp.float32)}
        return Latents(np.int32(state.step + 1), z, error), metrics

    def eval_step(self, state: Latents, batch: Batch) -> Metrics:
        """See `core.Method`. Metrics: searched (share of all training pictures), error (mean of those, 0 for none)."""
        del batch
        there = state.error >= 0
        count = jnp.maximum(there.sum(), 1)
        return {"searched": there.mean(), "error": jnp.where(there, state.error, 0).sum() / count}

    def pictures(self, state: Latents, batch: Batch) -> Mapping[str, Array]:
        """See `core.Method`: a training picture and what the generator makes of its z, in a row."""
        image, index = (jnp.asarray(batch[name])[:_ROWS] for name in self.keys)
        made = self._began.generate(self._generator, state.z[index])
        return {"inverted": jnp.stack([image, made], 1)}


class Search:
    """Finds z in [-1, 1] of pictures by Eq. 3, from a guess on: a linear map of D's features.

    The map is fitted, when it is first needed, to the features of made faces, whose z are known. So the z of pictures
    that are alike are near each other, and the search is shorter than from the middle of the space, where the paper's
    may have begun; it does not say.
    """

    def __init__(self, began: Began, generator: State, settings: inversion.Settings) -> None:
        """From what `generator_of` gives."""

        def objective(generator: State, z: Latent, image: Image, moment: Moment):
            del moment
            return losses.inversion(image, began.generate(generator, z)), {}

        self._inverter, self._generator = Inverter(objective, settings, lambda z: jnp.clip(z, -1, 1)), generator
        self._features = jax.jit(began.features)
        self._features_of_made = jax.jit(lambda state, z: began.features(state, began.generate(state, z)))

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
            return self._inverter(self._generator, self.guess(image), image, key, progress)
        except Diverged as error:
            raise FloatingPointError(f"{error}: {_BROKEN}") from None

    def guess(self, image: Float[np.ndarray, "n height width 3"]) -> Float[np.ndarray, "n latent"]:
        """Where the search begins."""
        features = in_chunks(lambda chunk: self._features(self._generator, chunk), image)
        return np.clip(_with_one(features) @ self._map, -1, 1)

    @functools.cached_property
    def _map(self) -> Float[np.ndarray, "features_and_one latent"]:
        """By least squares, with a small penalty on its size."""
        z = np.asarray(uniform(jax.vmap(jax.random.key)(jnp.arange(_GUESSED))))
        seen = _with_one(in_chunks(lambda chunk: self._features_of_made(self._generator, chunk), z))
        products = seen.T @ seen
        return np.linalg.solve(
            products + _RIDGE * np.trace(products) / len(products) * np.eye(len(products)), seen.T @ z
        )


def generator_of(began: Finished) -> State:
    """What `Began.generate` and `Began.features` need of a finished phase's state, and no more."""
    encoder = began.state.params["autoencoder"]["encoder"]
    return began.state.replace(params={"autoencoder": {"encoder": encoder}}, optimizer=())


def _with_one(features: Float[np.ndarray, "n features"]) -> Float[np.ndarray, "n features_and_one"]:
    return np.concatenate([features, np.ones((len(features), 1), np.float32)], 1)
