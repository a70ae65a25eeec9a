"""Action units and the eight expressions as combinations of them.

The combinations are the usual ones of EMFACS (Ekman and Friesen's emotional Facial Action Coding System), with the
intensities that make them easy to read. Units are in OpenFace's order, intensities in [0, 1].
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

ACTION_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
EXPRESSIONS = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")

_COMBINATIONS: dict[str, dict[int, float]] = {
    "neutral": {},
    "anger": {4: 1.0, 5: 0.5, 7: 0.8, 17: 0.4, 23: 1.0},
    "contempt": {12: 0.45, 14: 0.8},
    "disgust": {4: 0.4, 9: 1.0, 10: 0.8, 15: 0.5, 17: 0.5, 25: 0.3},
    "fear": {1: 1.0, 2: 0.5, 4: 0.7, 5: 1.0, 7: 0.2, 20: 1.0, 25: 0.7, 26: 0.35},
    "happiness": {6: 0.9, 12: 1.0, 25: 0.8},
    "sadness": {1: 1.0, 4: 0.5, 15: 1.0, 17: 0.6},
    "surprise": {1: 1.0, 2: 1.0, 5: 0.9, 25: 0.5, 26: 1.0},
}


def units(intensities: dict[int, float]) -> Float32[np.ndarray, " units"]:
    """The vector `(17,)` of all units from `{number of the unit: intensity}`; units that are not named are 0.

    Raises `ValueError` for a unit that is not one of `ACTION_UNITS`.
    """
    unknown = set(intensities) - set(ACTION_UNITS)
    if unknown:
        raise ValueError(f"there is no action unit {min(unknown)}; the units are {', '.join(map(str, ACTION_UNITS))}")
    return np.array([intensities.get(number, 0.0) for number in ACTION_UNITS], np.float32)


def expression_units(name: str) -> Float32[np.ndarray, " units"]:
    """The usual combination of action units `(17,)` of one of `EXPRESSIONS`. Raises `ValueError` for another name."""
    if name not in _COMBINATIONS:
        raise ValueError(f"there is no expression {name!r}; the expressions are {', '.join(EXPRESSIONS)}")
    return units(_COMBINATIONS[name])
