"""Drawing z where those of training pictures lie: ours, beside the paper's, which are uniform in [-1, 1].

A generator that was not trained for long makes whole faces of the z that the inverse finds for real ones, and torn
faces of many others. So z are drawn by a smoothed bootstrap (Silverman & Young, Biometrika 1987), smoothed by what
varies around each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Int

_NEIGHBOURS = 16  # z that one is drawn from
_MOST = 20_000  # training pictures that count, evenly spaced


class Nearby:
    """Draws z near those of training pictures."""

    def __init__(self, z: Float32[np.ndarray, "pictures latent"]) -> None:
        """From the z of training pictures. Raises `ValueError` where there are none."""
        if not len(z):
            raise ValueError("no training picture's z was searched for: train the inverse phase")
        self._z = z[:: math.ceil(len(z) / _MOST)]

    def draw(self, seed: int, numbers: Sequence[int] | Int[np.ndarray, " n"]) -> Float32[np.ndarray, "n latent"]:
        """z in [-1, 1], one for each number from 0; each depends on the seed and its own number alone.

        A training picture is chosen at random; z is normal, with the mean and the covariance of those nearest to its z.
        """
        return np.stack([self._drawn(np.random.default_rng((seed, int(number)))) for number in numbers])

    def _drawn(self, rng: np.random.Generator) -> Float32[np.ndarray, " latent"]:
        apart = ((self._z - self._z[rng.integers(len(self._z))]) ** 2).sum(1)
        near = self._z[np.argsort(apart, kind="stable")[:_NEIGHBOURS]]
        centre = near.mean(0)
        shares = rng.normal(size=len(near)) / math.sqrt(len(near))
        return np.clip(centre + shares @ (near - centre), -1, 1).astype(np.float32)
