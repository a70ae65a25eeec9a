"""How well two readings of action units agree: Pearson's correlation and the mean absolute error of each unit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64

from lgan_jax import checks


class Agreement(NamedTuple):
    """Of each unit, over `count` faces.

    Attributes:
      correlation: Pearson's, in [-1, 1]; NaN for a unit that is the same in all faces of a reading.
      error: mean absolute difference of the intensities, in [0, 1].
      count: number of faces.
    """

    correlation: Float64[np.ndarray, " units"]
    error: Float64[np.ndarray, " units"]
    count: int


def agreement(found: Float[np.ndarray, "n units"], true: Float[np.ndarray, "n units"]) -> Agreement:
    """Agreement of intensities in [0, 1]. Raises `ValueError` for fewer than two faces, and for what is outside."""
    found, true = (checks.ranged("action units", x, np.shape(x), 0.0, 1.0) for x in (found, true))
    if len(found) < 2:
        raise ValueError(f"a correlation needs at least 2 faces, not {len(found)}")
    x, y = (np.asarray(values, np.float64) - np.mean(values, 0, np.float64) for values in (found, true))
    spread = np.sqrt((x**2).sum(0) * (y**2).sum(0))
    correlation = np.divide((x * y).sum(0), spread, out=np.full(len(spread), np.nan), where=spread > 0)
    return Agreement(correlation, np.abs(found - true).mean(0, dtype=np.float64), len(found))
