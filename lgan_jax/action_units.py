"""Action units, and the eight expressions as combinations of them.

An array of action units is float32 `(..., 17)` in [0, 1] (OpenFace's intensities / 5), in the order of `NUMBERS`.

Sources: the units are those whose intensity OpenFace estimates, under the names of Ekman, Friesen and Hager's Facial
Action Coding System (2002). The combinations are the usual ones of EMFACS, with the intensities that make them easy to
read.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

NAMES = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    5: "upper lid raiser",
    6: "cheek raiser",
    7: "lid tightener",
    9: "nose wrinkler",
    10: "upper lip raiser",
    12: "lip corner puller",
    14: "dimpler",
    15: "lip corner depressor",
    17: "chin raiser",
    20: "lip stretcher",
    23: "lip tightener",
    25: "lips part",
    26: "jaw drop",
    45: "blink",
}
NUMBERS = tuple(NAMES)
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

    Raises `ValueError` for a unit that is not one of `NUMBERS`.
    """
    unknown = set(intensities) - set(NUMBERS)
    if unknown:
        raise ValueError(f"there is no action unit {min(unknown)}; the units are {', '.join(map(str, NUMBERS))}")
    return np.array([intensities.get(number, 0.0) for number in NUMBERS], np.float32)


def expression_units(name: str) -> Float32[np.ndarray, " units"]:
    """The usual combination of action units `(17,)` of one of `EXPRESSIONS`. Raises `ValueError` for another name."""
    expression(name)
    return units(_COMBINATIONS[name])


def expression(name: str) -> int:
    """The index of one of `EXPRESSIONS`. Raises `ValueError` for another name, with those that there are."""
    if name not in EXPRESSIONS:
        raise ValueError(f"there is no expression {name!r}; the expressions are {', '.join(EXPRESSIONS)}")
    return EXPRESSIONS.index(name)
