"""A trained BEGAN with its landmark generator to work with: numbers in, faces with landmarks out, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float32, Int

from lgan_jax import checks
from lgan_jax.core import FaceInfo, Finished
from lgan_jax.inversion import Progress
from lgan_jax.landmarks import Scheme
from lgan_jax.methods.began.began import uniform
from lgan_jax.methods.began.inverse import Search
from lgan_jax.methods.began.landmark_generator import LandmarkGeneratorPhase
from lgan_jax.methods.began.nearby import Nearby
from lgan_jax.methods.began.networks import LATENT
from lgan_jax.nn.chunks import in_chunks
from lgan_jax.training.train_state import TrainState


class Sampled(NamedTuple):
    """Made faces: numbers `(B, 64)`, pictures `(B, size, size, 3)` in [-1, 1] and landmarks `(B, N, 2)` in [0, 1]."""

    z: Float32[np.ndarray, "batch latent"]
    image: Float32[np.ndarray, "batch size size 3"]
    landmarks: Float32[np.ndarray, "batch n 2"]


class Inverted(NamedTuple):
    """What was found of pictures: as `Sampled`; `error` is Eq. 3's, on [-1, 1]; `updates` how many it took."""

    z: Float32[np.ndarray, "batch latent"]
    image: Float32[np.ndarray, "batch size size 3"]
    landmarks: Float32[np.ndarray, "batch n 2"]
    error: Float32[np.ndarray, " batch"]
    updates: Int[np.ndarray, " batch"]


class Searched(NamedTuple):
    """What was found of each training picture; `error` is -1 where it was not searched for."""

    z: Float32[np.ndarray, "pictures latent"]
    error: Float32[np.ndarray, " pictures"]


class BEGAN:
    """Makes faces with their landmarks, and finds the numbers behind a face.

    Attributes:
      info: the scheme and size of what it was trained on.
      searched: the z of the training pictures, in their order.
    """

    def __init__(
        self, info: FaceInfo, phase: LandmarkGeneratorPhase, state: TrainState, began: Finished, inverse: Finished
    ) -> None:
        """From the phase that trained the landmark generator and its last state, and the two before it."""
        self.info = info
        found = inverse.state.variables
        self.searched = Searched(np.asarray(found["z"]), np.asarray(found["error"]))
        self._networks = began.phase.networks(began.state)
        self._points = state.for_use("landmark_generator").replace(frozen={})
        self._generate = jax.jit(lambda networks, z: jnp.clip(began.phase.generate(networks, z), -1, 1))
        self._landmarks = jax.jit(phase.landmarks)
        self._search = Search(began.phase, self._networks, inverse.phase.settings.search)

    @property
    def size(self) -> int:
        """Pixels a side of the faces that it takes and makes."""
        return self.info.size

    @property
    def scheme(self) -> Scheme:
        """Of the landmarks that it makes."""
        return self.info.scheme

    def draw(self, seed: int, numbers: ArrayLike, near: bool = False) -> Float32[np.ndarray, "batch latent"]:
        """z of faces by their numbers `(B,)`, from 0; each depends on the seed and its own number alone.

        They are uniform in [-1, 1], as the paper's; with `near`, where training pictures' z are: see `nearby`.
        """
        if near:
            return Nearby(self.searched.z[self.searched.error >= 0]).draw(seed, np.asarray(numbers))
        key = jax.random.key(seed)
        return np.asarray(uniform(jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.asarray(numbers, jnp.uint32))))

    def sample(self, seed: int, count: int, first: int = 0, near: bool = False) -> Sampled:
        """The made faces number `first` up to `first` + `count` of a seed; for `near` see `draw`."""
        z = self.draw(seed, np.arange(first, first + count), near)
        return Sampled(z, self.generate(z), self.landmarks(z))

    def generate(self, z: ArrayLike) -> Float32[np.ndarray, "batch size size 3"]:
        """Faces in [-1, 1] of `(B, 64)` numbers in [-1, 1]. Raises `ValueError` for another shape or range."""
        return in_chunks(lambda chunk: self._generate(self._networks, chunk), _checked(z))

    def landmarks(self, z: ArrayLike) -> Float32[np.ndarray, "batch n 2"]:
        """Landmarks in [0, 1] of the faces that `generate` makes. Raises `ValueError` for another shape or range."""
        return in_chunks(lambda chunk: self._landmarks(self._points, chunk), _checked(z))

    def invert(self, image: ArrayLike, progress: Callable[[Progress], None] | None = None) -> Inverted:
        """The z of faces `(B, size, size, 3)` in [-1, 1], searched for as in training; `progress` as in `inversion`.

        Raises `ValueError` for images of another size or outside [-1, 1], or none; `FloatingPointError` where the
        generator's are not finite.
        """
        image = checks.images(image, None, self.size, self.size, 3)
        if not len(image):
            raise ValueError("there are no images to invert; give at least one")
        found = self._search(image, progress=progress)
        z = found.parameters
        return Inverted(z, self.generate(z), self.landmarks(z), found.loss, found.steps)


def _checked(z: ArrayLike) -> np.ndarray:
    return checks.ranged("the numbers z", z, (None, LATENT), -1.0, 1.0)
