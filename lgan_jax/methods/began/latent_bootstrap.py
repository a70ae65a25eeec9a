"""Smoothed bootstrap of z: samples latents near those of training images.

This is not in the paper, which samples z uniformly in [-1, 1]. After a short training, the generator's faces are intact
for the z of inverted images, but many uniform z show severe artifacts. So z are sampled by a smoothed bootstrap
(Silverman & Young, Biometrika 1987) with the local covariance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Int

_NEIGHBORS = 16  # number of z for the local mean and covariance
_MAX_IMAGES = 20_000  # largest number of training images, evenly spaced


class LatentBootstrap:
    """Samples z near those of training images."""

    def __init__(self, z: Float32[np.ndarray, "images latent"]) -> None:
        """Takes the z of inverted training images. Raises `ValueError` if there are none."""
        if not len(z):
            raise ValueError("no training image was inverted: train the inverse phase")
        self._z = z[:: math.ceil(len(z) / _MAX_IMAGES)]

    def draw(self, seed: int, numbers: Sequence[int] | Int[np.ndarray, " n"]) -> Float32[np.ndarray, "n latent"]:
        """Samples z in [-1, 1], one per number from 0; each depends on the seed and its number alone.

        A training image is chosen at random; z is normal with the mean and covariance of its z's nearest neighbors.
        """
        return np.stack([self._sample(np.random.default_rng((seed, int(number)))) for number in numbers])

    def _sample(self, rng: np.random.Generator) -> Float32[np.ndarray, " latent"]:
        apart = ((self._z - self._z[rng.integers(len(self._z))]) ** 2).sum(1)
        near = self._z[np.argsort(apart, kind="stable")[:_NEIGHBORS]]
        center = near.mean(0)
        shares = rng.normal(size=len(near)) / math.sqrt(len(near))
        return np.clip(center + shares @ (near - center), -1, 1).astype(np.float32)
