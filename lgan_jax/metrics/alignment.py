"""How well a detector places landmarks: NME, failure rate and AUC, as WFLW reports them.

Landmarks are `(n, N, 2)`, fractions of the image; errors are in units of the inter-ocular distance (0.10 is 10 %).
Source: Wu et al., "Look at Boundary", CVPR 2018, section 4.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float

THRESHOLD = 0.10


@dataclasses.dataclass(frozen=True)
class Alignment:
    """Figures of one group of images; the three are None where the group is empty.

    Attributes:
      nme: mean error in inter-ocular units.
      failure_rate: share of images, in [0, 1], whose error is above the threshold.
      auc: area under the curve of cumulative errors from 0 to the threshold, in [0, 1]; 1 is best.
      count: how many images.
    """

    nme: float | None
    failure_rate: float | None
    auc: float | None
    count: int


def failure_rate(errors: Float[np.ndarray, " n"], threshold: float = THRESHOLD) -> float:
    """Share of errors above the threshold. Raises `ValueError` for no errors, or negative or not finite ones."""
    _check(errors, threshold)
    return float((errors > threshold).mean())


def auc(errors: Float[np.ndarray, " n"], threshold: float = THRESHOLD) -> float:
    """Area under the cumulative error curve on [0, threshold], divided by the threshold.

    The curve is a staircase, so the area is exact: an image of error e adds max(0, 1 − e / threshold) / n.
    Published code integrates the same curve on a grid and differs by at most a step of it.
    Raises `ValueError` as `failure_rate`.
    """
    _check(errors, threshold)
    return float(np.maximum(0.0, 1.0 - errors.astype(np.float64) / threshold).mean())


def align(errors: Float[np.ndarray, " n"], threshold: float = THRESHOLD) -> Alignment:
    """All figures of one group of images. Raises `ValueError` for errors that are negative or not finite."""
    if len(errors) == 0:
        return Alignment(None, None, None, 0)
    return Alignment(
        nme=float(errors.astype(np.float64).mean()),
        failure_rate=failure_rate(errors, threshold),
        auc=auc(errors, threshold),
        count=len(errors),
    )


def by_attribute(
    errors: Float[np.ndarray, " n"], attributes: Mapping[str, Bool[np.ndarray, " n"]], threshold: float = THRESHOLD
) -> dict[str, Alignment]:
    """Figures of all images (under "all") and of those that have each attribute, in the attributes' order."""
    return {"all": align(errors, threshold)} | {
        name: align(errors[flags], threshold) for name, flags in attributes.items()
    }


def _check(errors: np.ndarray, threshold: float) -> None:
    if threshold <= 0:
        raise ValueError(f"the threshold of failure must be above 0, not {threshold}")
    if len(errors) == 0:
        raise ValueError("there are no errors to average")
    if not np.isfinite(errors).all() or errors.min() < 0:
        raise ValueError("errors of landmarks must be finite and not negative")
