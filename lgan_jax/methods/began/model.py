"""The BEGAN model for inference: generates faces with landmarks from latents, and inverts images."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float32, Int

from lgan_jax import checks
from lgan_jax.core import FaceInfo, Finished, TrainedModel
from lgan_jax.inversion import Progress
from lgan_jax.methods.began.began import uniform
from lgan_jax.methods.began.inverse import Search
from lgan_jax.methods.began.landmark_generator import LandmarkGeneratorPhase
from lgan_jax.methods.began.latent_bootstrap import LatentBootstrap
from lgan_jax.methods.began.networks import LATENT
from lgan_jax.nn.chunks import in_chunks
from lgan_jax.training.train_state import TrainState


class Sampled(NamedTuple):
    """Generated faces: latents `(B, 64)`, images `(B, size, size, 3)` in [-1, 1], landmarks `(B, N, 2)` in [0, 1]."""

    z: Float32[np.ndarray, "batch latent"]
    image: Float32[np.ndarray, "batch size size 3"]
    landmarks: Float32[np.ndarray, "batch n 2"]


class Inverted(NamedTuple):
    """Inverted images: fields of `Sampled`; `error`, Eq. 3 on [-1, 1]; `updates`, the number of updates."""

    z: Float32[np.ndarray, "batch latent"]
    image: Float32[np.ndarray, "batch size size 3"]
    landmarks: Float32[np.ndarray, "batch n 2"]
    error: Float32[np.ndarray, " batch"]
    updates: Int[np.ndarray, " batch"]


class Searched(NamedTuple):
    """Inversions of the training images; `error` is -1 for an image without an inversion."""

    z: Float32[np.ndarray, "images latent"]
    error: Float32[np.ndarray, " images"]


class BEGAN(TrainedModel):
    """Generates faces with their landmarks from latents, and finds the latent of an image.

    Attributes:
      info: landmark scheme and image size of the model.
      searched: inversions of the training images, in their order.
    """

    def __init__(
        self, info: FaceInfo, phase: LandmarkGeneratorPhase, state: TrainState, began: Finished, inverse: Finished
    ) -> None:
        """Builds the model from the phase of the landmark generator, its final state, and the two earlier phases."""
        self.info = info
        found = inverse.state.variables
        self.searched = Searched(np.asarray(found["z"]), np.asarray(found["error"]))
        self._networks = began.phase.networks(began.state)
        self._points = state.for_use("landmark_generator").replace(frozen={})
        self._generate = jax.jit(lambda networks, z: jnp.clip(began.phase.generate(networks, z), -1, 1))
        self._landmarks = jax.jit(phase.landmarks)
        self._search = Search(began.phase, self._networks, inverse.phase.settings.search)

    def draw(self, seed: int, numbers: ArrayLike, near: bool = False) -> Float32[np.ndarray, "batch latent"]:
        """Samples the z of faces by their numbers `(B,)`, from 0; each depends on the seed and its number alone.

        They are uniform in [-1, 1], as in the paper; with `near`, they are sampled near the z of training images: see
        `latent_bootstrap`.
        """
        if near:
            return LatentBootstrap(self.searched.z[self.searched.error >= 0]).draw(seed, np.asarray(numbers))
        key = jax.random.key(seed)
        return np.asarray(uniform(jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.asarray(numbers, jnp.uint32))))

    def sample(self, seed: int, count: int, first: int = 0, near: bool = False) -> Sampled:
        """Samples faces with the numbers `first` to `first` + `count` − 1 of a seed; for `near` see `draw`."""
        z = self.draw(seed, np.arange(first, first + count), near)
        return Sampled(z, self.generate(z), self.landmarks(z))

    def generate(self, z: ArrayLike) -> Float32[np.ndarray, "batch size size 3"]:
        """Generates faces in [-1, 1] from z `(B, 64)` in [-1, 1]. Raises `ValueError` for another shape or range."""
        return in_chunks(lambda chunk: self._generate(self._networks, chunk), _checked(z))

    def landmarks(self, z: ArrayLike) -> Float32[np.ndarray, "batch n 2"]:
        """Landmarks in [0, 1] of the faces that `generate` returns. Raises `ValueError` for another shape or range."""
        return in_chunks(lambda chunk: self._landmarks(self._points, chunk), _checked(z))

    def invert(self, image: ArrayLike, progress: Callable[[Progress], None] | None = None) -> Inverted:
        """Inverts faces `(B, size, size, 3)` in [-1, 1] with the settings of training; `progress` as in `inversion`.

        Raises `ValueError` for no images, another size or values outside [-1, 1]; `FloatingPointError` if the
        generator's images are not finite.
        """
        image = checks.images(image, None, self.size, self.size, 3)
        if not len(image):
            raise ValueError("there are no images to invert; give at least one")
        found = self._search(image, progress=progress)
        z = found.parameters
        return Inverted(z, self.generate(z), self.landmarks(z), found.loss, found.steps)


def _checked(z: ArrayLike) -> np.ndarray:
    return checks.ranged("the latents z", z, (None, LATENT), -1.0, 1.0)
