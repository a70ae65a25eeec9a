"""An estimate of the expression from action units: the nearest of the eight expressions' usual combinations.

It is an estimate: people smile without feeling and talk with open mouths, and no two show anger alike. docs/results.md
has the agreement with the truth on the built-in faces.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int32

from lgan_jax.action_units import EXPRESSIONS, NUMBERS, expression_units

UNCLEAR = -1
_NEUTRAL = EXPRESSIONS.index("neutral")
_SEEN = 0.5  # share of a combination's squared intensities that must be in units that are seen at all
_WEIGHTS = np.array([{45: 0.0}.get(number, 1.0) for number in NUMBERS], np.float32)
_COMBINATIONS = np.stack([expression_units(name) for name in EXPRESSIONS])


def estimate(units: Float[np.ndarray, "n 17"], low: float = 0.3, high: float = 0.4) -> Int32[np.ndarray, " n"]:
    """The expression of each of a person's frames, or `UNCLEAR`, from their action units in [0, 1]."""
    seen = units.any(0) * _WEIGHTS
    combinations = _COMBINATIONS * seen
    norms = (combinations**2).sum(1)
    told = norms >= _SEEN * (_COMBINATIONS**2).sum(1)
    told[_NEUTRAL] = False
    fit = (units * seen) @ combinations.T
    strength = (fit / np.maximum(norms, 1e-6)).clip(0, 1)
    gain = np.where(told, 2 * strength * fit - strength**2 * norms, -1)
    best = gain.argmax(1)
    strong = strength[np.arange(len(units)), best]
    return np.where(strong < low, _NEUTRAL, np.where(strong < high, UNCLEAR, best)).astype(np.int32)
