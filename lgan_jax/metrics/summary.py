"""A figure as it is printed: the mean of a measure with how many images it saw, out of how many."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from jaxtyping import Float, Int

_DRAWS = 2000  # of the bootstrap


@dataclasses.dataclass(frozen=True)
class Figure:
    """The mean of one measure over images.

    Attributes:
      mean: over the measured images; None where none was measured.
      deviation: standard deviation over the same images (divided by their number); None where none was measured.
      measured: how many images have a value.
      of: how many images there were.
    """

    mean: float | None
    deviation: float | None
    measured: int
    of: int


def summarize(values: Float[np.ndarray, " n"]) -> Figure:
    """The figure of one value for each image; NaN marks an image that could not be measured.

    Raises `ValueError` for an infinite value: it would hide all others in the mean.
    """
    if np.isinf(values).any():
        raise ValueError(
            f"{int(np.isinf(values).sum())} of {len(values)} values are infinite; a mean would say nothing"
        )
    measured = values[~np.isnan(values)].astype(np.float64)
    if len(measured) == 0:
        return Figure(None, None, 0, len(values))
    return Figure(float(measured.mean()), float(measured.std()), len(measured), len(values))


def share(flags: np.ndarray) -> Figure:
    """The share of true flags `(n,)`, in [0, 1]; its deviation is that of a coin with this share."""
    count = len(flags)
    if count == 0:
        return Figure(None, None, 0, 0)
    mean = float(np.mean(flags))
    return Figure(mean, math.sqrt(mean * (1 - mean)), count, count)


def interval_over_groups(values: Float[np.ndarray, " n"], groups: Int[np.ndarray, " n"]) -> tuple[float, float]:
    """The 95 % interval of the mean of group means, by a bootstrap over groups (people, say, not their frames).

    NaN marks what was not measured. The interval is the same every time. Raises `ValueError` where nothing was.
    """
    measured = ~np.isnan(values)
    means = np.array([values[measured & (groups == group)].mean() for group in np.unique(groups[measured])])
    if len(means) == 0:
        raise ValueError("nothing was measured, so there is no interval")
    drawn = means[np.random.default_rng(0).integers(0, len(means), (_DRAWS, len(means)))].mean(1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(low), float(high)
