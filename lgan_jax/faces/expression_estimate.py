"""An estimate of the expression from action units: the nearest of the eight expressions' usual combinations.

It is an estimate: people smile without being happy, talk with open mouths, and no two show anger alike. It reads
how far each unit goes beyond the person's usual face, relative to the person's own range, since some show little.
Expressions whose units are mostly not seen are not estimated: from landmarks alone (`unit_estimate`) these are contempt
and disgust. docs/data.md has the agreement with the ground truth of built-in faces.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int32

from lgan_jax.action_units import EXPRESSIONS, NUMBERS, expression_units

UNCLEAR = -1
_NEUTRAL = EXPRESSIONS.index("neutral")
_RANGE = 97  # percentile of a unit over a person's frames that is taken for its full strength
_LEAST = 0.5  # what full strength is at least: the ranges of units that a person hardly uses are noise
_NONE, _SOME = 0.3, 0.4  # strengths below the first are no expression, those from the second on one
_SEEN = 0.5  # share of a combination's squares that must be in units that are seen
# Talking opens the mouth without expressing anything, and so does blinking with the eyes.
_WEIGHTS = np.array([{25: 0.5, 26: 0.5, 45: 0.0}.get(number, 1.0) for number in NUMBERS])
_COMBINATIONS = _WEIGHTS * np.stack([expression_units(name) for name in EXPRESSIONS])


def estimate(units: Float[np.ndarray, "n 17"]) -> Int32[np.ndarray, " n"]:
    """The expression of each of a person's frames, an index into `EXPRESSIONS` or `UNCLEAR`.

    Each frame is compared with all combinations at the strength in [0, 1] that fits best, in least squares. It is
    neutral where the nearest one is weaker than 0.3, and unclear from there to 0.4. A person's usual face is the median
    of the frames; so most frames must not show one and the same expression, and a single frame is neutral.

    Args:
      units: action units in [0, 1] of the frames of one person, of any number; units that are 0 in all are not seen.
    """
    beyond = np.maximum(units - np.median(units, 0), 0)
    beyond = (beyond / np.maximum(np.percentile(beyond, _RANGE, axis=0), _LEAST)).clip(max=1) * _WEIGHTS
    shown = _COMBINATIONS * units.any(0)
    squares = (shown**2).sum(1)
    separable = squares > _SEEN * (_COMBINATIONS**2).sum(1)  # never neutral, whose squares are 0
    fit = beyond @ shown.T
    strength = (fit / np.where(separable, squares, 1)).clip(0, 1)
    nearness = np.where(separable, 2 * strength * fit - strength**2 * squares, -1)
    nearest = nearness.argmax(1)
    shows = strength[np.arange(len(units)), nearest]
    none = (shows < _NONE) | ~separable[nearest]
    return np.where(none, _NEUTRAL, np.where(shows < _SOME, UNCLEAR, nearest)).astype(np.int32)
