"""The One-Euro filter: steadies what rests and follows what moves.

Source: Casiez, Roussel and Vogel, "1 € Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive
Systems", CHI 2012.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

_SPEED_CUTOFF = 1.0  # hertz, of the low-pass of the speed
_GAP = 0.5  # seconds without a value, after which the filter begins afresh
_LEAST_STEP = 1 / 240  # seconds from call to call; a video whose times are closer has wrong times


class OneEuro:
    """Filters an array of coordinates over time: a low-pass whose cutoff grows with the speed, per coordinate.

    The cutoff is f = `least` + `follow`·|speed| in hertz, the speed itself a low-pass of the differences.
    """

    def __init__(self, least: float, follow: float) -> None:
        """`least` in hertz; `follow` in hertz per unit a second."""
        self._least, self._follow = least, follow
        self._time = -math.inf

    def __call__(self, values: Float[np.ndarray, "*shape"], time: float) -> Float[np.ndarray, "*shape"]:
        """The filtered values at `time`, in seconds, which must not fall from call to call."""
        past = max(time - self._time, _LEAST_STEP)
        self._time = time
        if past > _GAP:
            self._values, self._speed = values.astype(np.float64), np.zeros(values.shape)
            return self._values
        self._speed += _share(_SPEED_CUTOFF, past) * ((values - self._values) / past - self._speed)
        cutoff = self._least + self._follow * np.abs(self._speed)
        self._values = self._values + _share(cutoff, past) * (values - self._values)
        return self._values


def _share(cutoff, past: float):
    """The weight α of the new value: 1 / (1 + τ/T) with τ = 1 / (2πf) (the paper's section "Filter")."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff * past))
