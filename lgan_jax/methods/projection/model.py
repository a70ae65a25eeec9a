"""The StyleGAN2 model for inference: generates faces, detects landmarks, and projects images."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float32

from lgan_jax import checks
from lgan_jax.core import FaceInfo, Finished, TrainedModel
from lgan_jax.methods.projection.discriminator import ResidualBlock
from lgan_jax.methods.projection.losses import landmark_weights
from lgan_jax.methods.projection.networks import Image
from lgan_jax.methods.projection.projector import Projector, Seer, Settings
from lgan_jax.methods.projection.stylegan2 import StyleGAN2Phase
from lgan_jax.nn import lpips
from lgan_jax.nn.chunks import detect_in_chunks, in_chunks
from lgan_jax.ops import dsnt
from lgan_jax.training.train_state import TrainState

# For the networks of a run. At a landmark weight of 0.1 the appearance is lost on built-in faces. A network trained for
# minutes generates faces of training styles alone; from their mean, or in large steps, a search often ends at another
# person.
SETTINGS = Settings(landmarks=0.03, prior=0.01, candidates=1000, learning_rate=0.03)


class Sampled(NamedTuple):
    """Generated faces: latents z `(B, latent)` and images `(B, size, size, 3)` in [-1, 1]."""

    z: Float32[np.ndarray, "batch latent"]
    image: Float32[np.ndarray, "batch size size 3"]


class StyleGAN2(TrainedModel):
    """Generates faces, detects landmarks, and projects image pairs: one face's appearance, another's landmarks.

    Attributes:
      info: landmark scheme and image size of the model.
    """

    def __init__(
        self, info: FaceInfo, phase: StyleGAN2Phase, state: TrainState, detector: Finished | None = None
    ) -> None:
        """Builds the model from the phase that trained the networks, its final state, and the detector phase.

        Raises `ValueError` without a detector.
        """
        if detector is None:
            raise ValueError("this run has no landmark detector: name the phases detector and stylegan2 in its config")
        self.info = info
        self._phase, self._variables = phase, phase.variables(state)
        self._discriminator = {"params": state.params["discriminator"]}
        self._heatmaps, self._detector = detector.phase.heatmaps, detector.phase.weights(detector.state)
        self._sigma = detector.phase.settings.sigma
        self._height = 2 * math.pi * self._sigma**2  # scales a Gaussian with sum 1 to the height 1 of FAN's heatmaps
        self._generate, self._look = jax.jit(phase.generator.apply), jax.jit(self._features)
        self._detect = jax.jit(lambda weights, image: _located(self._heatmaps(weights, image)))

    @property
    def places(self) -> int:
        """Number of the generator's layers that take a style of their own."""
        return self._phase.generator.places

    def sample(self, seed: int, count: int, truncation: float = 1.0, truncation_cutoff: int | None = None) -> Sampled:
        """Samples the first `count` faces of a seed; each depends on the seed and its number alone. See `generate`."""
        key, latent = jax.random.key(seed), self._phase.settings.z_dim
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(count, dtype=jnp.uint32))
        z = np.asarray(jax.vmap(lambda key: jax.random.normal(key, (latent,)))(keys))
        return Sampled(z, self.generate(z, truncation, truncation_cutoff))

    def generate(
        self, z: ArrayLike, truncation: float = 1.0, truncation_cutoff: int | None = None
    ) -> Float32[np.ndarray, "batch size size 3"]:
        """Generates faces in [-1, 1] from z `(B, latent)`, with the generator's own noise maps.

        Args:
          z: latents, normally distributed.
          truncation: truncation ψ, the weight of the latent's own style; `w_avg` has the weight 1 − ψ.
          truncation_cutoff: how many of the `places`, from the lowest resolution on, are truncated; all where it is
            None.

        Raises `ValueError` for z of another shape or not finite, and for a cutoff that is no number of places.
        """
        z = checks.array("the numbers z", z, (None, self._phase.settings.z_dim))
        cutoff = self.places if truncation_cutoff is None else truncation_cutoff
        if not 0 <= cutoff <= self.places:
            raise ValueError(f"truncation_cutoff is {cutoff}; it must be from 0 to {self.places}, the places of styles")
        share, cutoff = jnp.float32(truncation), jnp.int32(cutoff)
        generated = in_chunks(lambda chunk: self._generate(self._variables, chunk, None, share, None, cutoff), z)
        return np.clip(generated, -1, 1)

    def detect(self, images: ArrayLike) -> Float32[np.ndarray, "*batch n 2"]:
        """Detects landmarks in [0, 1] of faces `(..., size, size, 3)` in [-1, 1]; raises `ValueError` for others."""
        return detect_in_chunks(lambda chunk: self._detect(self._detector, chunk), images, self.info)

    def look_distance(self, images: ArrayLike, others: ArrayLike) -> Float32[np.ndarray, " batch"]:
        """Appearance distance of image pairs in the discriminator's features, by LPIPS's formula; at least 0.

        Both `(B, size, size, 3)` in [-1, 1]; else a `ValueError`.
        """
        apply = functools.partial(self._look, self._discriminator)
        images, others = (checks.images(x, None, self.size, self.size, 3) for x in (images, others))
        seen = [jax.tree.map(jnp.asarray, in_chunks(apply, x)) for x in (images, others)]
        return np.asarray(lpips.distance(*seen))

    def projector(
        self,
        settings: Settings = SETTINGS,
        weights: Mapping[str, float] | None = None,
        say: Callable[[str], None] = print,
    ) -> Projector:
        """Builds a `Projector` onto this generator.

        Args:
          settings: see `Settings`; by default those chosen for trained runs.
          weights: of groups of landmarks, instead of the default ones.
          say: called with lines for the user.
        """
        return Projector(
            (self._phase.generator, self._variables),
            Seer(self._features, self._discriminator),
            Seer(lambda weights, image: self._height * self._heatmaps(weights, image), self._detector),
            landmark_weights(self.scheme, weights),
            settings,
            say,
            self.scheme,
            lambda heatmaps: _located(heatmaps / self._height),
            self._sigma,
        )

    def _features(self, variables: Any, image: Image) -> lpips.Features:
        """Features of the discriminator's blocks, prepared as LPIPS's features are, all blocks alike.

        Features of every place divided by their norm, and by the root of the number of places and of blocks: the
        distance of two images is the mean squared distance of such directions, from 0 to 4.
        """
        network = self._phase.discriminator.clone(group=1)  # any number of images; the blocks know of no group
        blocks = {"capture_intermediates": lambda module, _: isinstance(module, ResidualBlock)}
        _, seen = network.apply(variables, image, mutable=["intermediates"], **blocks)
        maps = [each["__call__"][0].astype(jnp.float32) for each in seen["intermediates"].values()]
        return [lpips.directions(x) / math.sqrt(len(maps)) for x in maps]


def _located(heatmaps: Array) -> Array:
    return dsnt.to_landmarks(dsnt.dsnt(heatmaps))
