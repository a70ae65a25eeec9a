"""Distance of a face's landmarks to the training landmarks of a run.

Landmarks are `(..., N, 2)` in [0, 1]. `known` holds the training landmarks `(k, N, 2)` of each identity.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

_KEPT = 0.999  # of the variance, by the principal components
_FARTHEST = 0.99  # quantile of the training distances that counts as their edge
_LEAST_SPREAD = (
    0.004  # of the frame: about a pixel of 256, what landmarks waver by; no distance is measured more finely
)


class TrainingDistance:
    """The Mahalanobis distance of landmarks to the training landmarks, in their principal components.

    Deviations that no component covers count too, in units of what is left of the training's variance there.
    Distances are given relative to those of held-out training landmarks: at 1 lies the farthest hundredth of them.
    (Landmarks of one half, every second frame, are measured with the other half's components.)
    """

    def __init__(self, known: Mapping[str, np.ndarray]) -> None:
        """Raises `ValueError` where no identity has two or more sets of landmarks."""
        people = [np.asarray(p, np.float64).reshape(len(p), -1) for p in known.values()]
        halves = [np.concatenate([p[first::2] for p in people]) for first in (0, 1)]
        if not len(halves[1]):
            raise ValueError("a distance to the training landmarks needs two or more faces of one person")
        held_out = [_Spread(one).distance(other) for one, other in (halves, halves[::-1])]
        self._farthest = float(np.quantile(np.concatenate(held_out), _FARTHEST))
        self._spread = _Spread(np.concatenate(people))

    def distance(self, landmarks: Float[np.ndarray, "N 2"]) -> float:
        """0 is the mean of the training landmarks; above 1 lie only the farthest hundredth of them."""
        return float(self._spread.distance(landmarks.astype(np.float64).reshape(1, -1))[0]) / self._farthest


class _Spread:
    """Mean, principal components and variances of flat landmarks `(n, 2N)`."""

    def __init__(self, flat: np.ndarray) -> None:
        self._mean = flat.mean(0)
        self._components, variances = principal(flat - self._mean)
        total = (flat - self._mean).var(0).sum()
        spare = max(flat.shape[1] - len(variances), 1)
        self._variances = np.maximum(variances, _LEAST_SPREAD**2)
        self._left = max((total - variances.sum()) / spare, _LEAST_SPREAD**2)

    def distance(self, flat: np.ndarray) -> np.ndarray:
        deviations = flat - self._mean
        scores = deviations @ self._components
        outside = ((deviations - scores @ self._components.T) ** 2).sum(1)
        return np.sqrt((scores**2 / self._variances).sum(1) + outside / self._left)


def principal(centered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The components `(2N, c)` that hold nearly all of the variance, and their variances `(c,)`."""
    variances, components = np.linalg.eigh(centered.T @ centered / len(centered))
    variances, components = np.maximum(variances[::-1], 0), components[:, ::-1]
    count = int(np.searchsorted(np.cumsum(variances), _KEPT * variances.sum())) + 1
    return components[:, :count], variances[:count]
