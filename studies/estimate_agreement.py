"""Agreement of action units and expressions estimated from landmarks with the labels, where a data set has both.

docs/data.md has the calls and their results.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int

from lgan_jax import checks
from lgan_jax.action_units import EXPRESSIONS, NUMBERS
from lgan_jax.data import FaceData
from lgan_jax.faces import expression_estimate, unit_estimate
from lgan_jax.faces.unit_estimate import ESTIMATED, neutral_head
from lgan_jax.landmarks import Scheme, inter_ocular

_COLUMNS = tuple(NUMBERS.index(number) for number in ESTIMATED)  # of the estimated units among all


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


def compare_units(faces: FaceData, noise: float = 0.0, seed: int = 0) -> Agreement:
    """Agreement of the estimate with the true units of the test split, unit by unit in the order of `ESTIMATED`.

    A person's neutral face is found among the person's training frames, as `prepare` finds it; so each identity must
    be one person (built-in faces: variation "video").

    Args:
      faces: with landmarks and action units.
      noise: mean distance of the landmarks' random displacement, in inter-ocular distances; a landmark model is off by
        0.01 to 0.03.
      seed: of the noise.
    """
    random = np.random.default_rng(seed)
    scheme = faces.info.scheme
    estimates, targets = [], []
    for identity in range(len(faces.info.identities)):
        train, test = (
            [split[int(i)] for i in np.flatnonzero(split.identity == identity)] for split in (faces.train, faces.test)
        )
        known, asked = (
            _with_noise(np.stack([record["landmarks"] for record in part]), scheme, noise, random)
            for part in (train, test)
        )
        estimates.append(unit_estimate.estimate(asked, neutral_head(known, scheme), scheme))
        targets.append(np.stack([record["action_units"] for record in test])[:, _COLUMNS])
    return agreement(np.concatenate(estimates), np.concatenate(targets))


def compare_expressions(
    faces: FaceData, from_landmarks: bool = False, noise: float = 0.0, seed: int = 0
) -> Int[np.ndarray, "8 9"]:
    """Confusion matrix over training frames: labels are rows, estimates columns; the last column is unclear.

    Each identity must be one person (built-in faces: variation "video").

    Args:
      faces: with landmarks, action units and expressions.
      from_landmarks: whether action units are estimated first, as `prepare` does; else they are the true ones.
      noise: see `compare_units`.
      seed: of the noise.
    """
    random = np.random.default_rng(seed)
    counts = np.zeros((len(EXPRESSIONS), len(EXPRESSIONS) + 1), np.int64)
    for identity in np.unique(faces.train.identity):
        records = [faces.train[int(i)] for i in np.flatnonzero(faces.train.identity == identity)]
        units = np.stack([record["action_units"] for record in records])
        if from_landmarks:
            scheme = faces.info.scheme
            points = _with_noise(np.stack([record["landmarks"] for record in records]), scheme, noise, random)
            units = np.zeros((len(records), len(NUMBERS)), np.float32)
            units[:, _COLUMNS] = unit_estimate.estimate(points, neutral_head(points, scheme), scheme)
        found = expression_estimate.estimate(units)
        columns = np.where(found == expression_estimate.UNCLEAR, -1, found)
        np.add.at(counts, ([int(record["expression"]) for record in records], columns), 1)
    return counts


def _with_noise(
    landmarks: Float[np.ndarray, "n N 2"], scheme: Scheme, noise: float, random: np.random.Generator
) -> Float[np.ndarray, "n N 2"]:
    """Landmarks displaced at random in any direction, by `noise` inter-ocular distances on the average."""
    spread = noise * inter_ocular(landmarks, scheme) / np.sqrt(np.pi / 2)
    return landmarks + (spread[:, None, None] * random.normal(size=landmarks.shape)).astype(np.float32)
