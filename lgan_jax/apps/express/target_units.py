"""Target action units, parsed from the command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32

from lgan_jax import action_units

Units = Float32[np.ndarray, " 17"]

LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)  # of a sweep that is shown in one image
_FRAMES = 25  # of a video, from one end of a sweep to the other, and between positions of an interpolation


@dataclasses.dataclass(frozen=True)
class TargetUnits:
    """The target action units, as far as they do not depend on a face.

    Attributes:
      whole: all of them, where an expression is asked for.
      changes: unit → intensity, on top of `whole` or of a face's own.
    """

    whole: Units | None
    changes: dict[int, float]

    @classmethod
    def read(cls, au: Sequence[str], expression: str | None) -> TargetUnits:
        """From the values of --au and --expression. Raises `ValueError`, one line, for invalid ones."""
        changes: dict[int, float] = {}
        for text in au:
            number, intensity = _unit(text)
            if number in changes:
                raise ValueError(f"--au {text}: unit {number} is given twice")
            changes[number] = intensity
        return cls(None if expression is None else _expression(expression), changes)

    def units(self, own: Units, like: Units | None = None) -> Units:
        """For a face with its `own` action units; `like` are another face's to take over."""
        start = next(each for each in (like, self.whole, own) if each is not None)
        return changed(start, self.changes)


def changed(units: Units, changes: dict[int, float]) -> Units:
    """Action units with some set to an intensity, by their numbers."""
    result = units.copy()
    for number, intensity in changes.items():
        result[action_units.NUMBERS.index(number)] = intensity
    return result


def sweep(units: Units, number: int, moving: bool) -> tuple[Float[np.ndarray, " k"], Float32[np.ndarray, "k 17"]]:
    """One unit from 0 to 1, in a video back again too: its intensities, and all action units at each."""
    levels = np.array(LEVELS)
    if moving:
        rise = np.linspace(0, 1, _FRAMES, endpoint=False)
        levels = np.concatenate([rise, 1 - rise])
    return levels, np.stack([changed(units, {number: float(level)}) for level in levels])


def interpolated(
    own: Units, units: Units, levels: Sequence[float], moving: bool
) -> tuple[Float[np.ndarray, " k"], Float32[np.ndarray, "k 17"]]:
    """Interpolates a face's own action units and others at `levels`; in a video, at all positions between too."""
    places = np.array(levels, np.float64)
    if moving:
        knots = np.arange(len(places))
        places = np.interp(np.linspace(0, knots[-1], _FRAMES * knots[-1] + 1), knots, places)
    share = places[:, None]
    return places, ((1 - share) * own[None] + share * units[None]).astype(np.float32)


def label(text: str) -> int:
    """The index of the expression that --expression names. Raises `ValueError` for a strength, or for no such name."""
    if "=" in text:
        raise ValueError(f"--expression {text}: a run of this method knows expressions by name, without a strength")
    return action_units.expression(text)


def check_unit(number: int, flag: str) -> None:
    """Raises `ValueError` for a number that no unit has."""
    if number not in action_units.NUMBERS:
        known = ", ".join(map(str, action_units.NUMBERS))
        raise ValueError(f"{flag}: there is no action unit {number}; the units are {known}")


def check_intensity(value: float, flag: str) -> None:
    """Raises `ValueError` for a number that is not in [0, 1]."""
    if not 0 <= value <= 1:
        raise ValueError(f"{flag}: {value:g} is not between 0 and 1")


def _unit(text: str) -> tuple[int, float]:
    flag = f"--au {text}"
    number, _, intensity = text.partition("=")
    try:
        unit, value = int(number.upper().removeprefix("AU")), float(intensity)
    except ValueError:
        raise ValueError(f"{flag}: write UNIT=INTENSITY, such as 12=0.8") from None
    check_unit(unit, flag)
    check_intensity(value, flag)
    return unit, value


def _expression(text: str) -> Units:
    name, equals, strength = text.partition("=")
    try:
        value = float(strength) if equals else 1.0
    except ValueError:
        raise ValueError(f"--expression {text}: write NAME or NAME=STRENGTH, such as happiness=0.6") from None
    check_intensity(value, f"--expression {text}")
    return (value * action_units.expression_units(name)).astype(np.float32)
