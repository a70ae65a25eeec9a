"""Agreement of expressions estimated from action units with the labels, where a data set has both."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from lgan_jax.action_units import EXPRESSIONS, NUMBERS
from lgan_jax.data import FaceData
from lgan_jax.evaluation.unit_estimates import COLUMNS, with_noise
from lgan_jax.faces.expression_estimate import UNCLEAR, estimate
from lgan_jax.faces.unit_estimate import estimate as estimate_units
from lgan_jax.faces.unit_estimate import neutral_head


def against_truth(
    faces: FaceData, from_landmarks: bool = False, noise: float = 0.0, seed: int = 0
) -> Int[np.ndarray, "8 9"]:
    """Confusion matrix over training frames: labels are rows, estimates columns; the last column is unclear.

    Each identity must be one person (built-in faces: variation "video").

    Args:
      faces: with landmarks, action units and expressions.
      from_landmarks: whether action units are estimated first, as `prepare` does; else they are the true ones.
      noise: see `unit_estimates.against_truth`.
      seed: of the noise.
    """
    random = np.random.default_rng(seed)
    counts = np.zeros((len(EXPRESSIONS), len(EXPRESSIONS) + 1), np.int64)
    for identity in np.unique(faces.train.identity):
        records = [faces.train[int(i)] for i in np.flatnonzero(faces.train.identity == identity)]
        units = np.stack([record["action_units"] for record in records])
        if from_landmarks:
            scheme = faces.info.scheme
            points = with_noise(np.stack([record["landmarks"] for record in records]), scheme, noise, random)
            units = np.zeros((len(records), len(NUMBERS)), np.float32)
            units[:, COLUMNS] = estimate_units(points, neutral_head(points, scheme), scheme)
        found = estimate(units)
        np.add.at(counts, ([int(record["expression"]) for record in records], np.where(found == UNCLEAR, -1, found)), 1)
    return counts
