"""The faces on which an editor of expressions is measured: test pictures, and the action units each is given.

Of a built-in face the library can draw what an edit should have made: the same person, pose, light and background with
the other expression. In recordings another frame of nearly the same pose shows it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float32, Int, UInt8

from lgan_jax import action_units
from lgan_jax.data import FaceData, synthetic
from lgan_jax.data.kept import evenly
from lgan_jax.evaluation import redrawn

Pictures = UInt8[np.ndarray, "n H W 3"]
Units = Float32[np.ndarray, "n 17"]

# What is looked at alone, set on top of a face's own action units.
SINGLE = {
    "smile": {12: 1.0, 25: 0.8},
    "open mouth": {25: 1.0, 26: 1.0},
    "raised brows": {1: 1.0, 2: 1.0},
    "closed eyes": {45: 1.0},
}


@dataclasses.dataclass(frozen=True)
class Cases:
    """Test faces with the action units that they shall be given.

    Attributes:
      places: which records of the test split.
      pictures: of the faces as they are.
      identity: who they are.
      units: their own action units.
      wanted: the action units to be given, each another face's.
      giver: whose they are: the place among these cases.
      true: what should come out, where the data has it: drawn, or the giver, of a pair.
    """

    places: Int[np.ndarray, " n"]
    pictures: Pictures
    identity: Int[np.ndarray, " n"]
    units: Units
    wanted: Units
    giver: Int[np.ndarray, " n"]
    true: Pictures | None


def choose(data: FaceData, count: int) -> Cases:
    """At most `count` test faces, evenly spaced; each is given another's action units, at random but always alike.

    Where a recording has pairs (`Split.pairs`), both faces of a pair are chosen, and given each other's action units.

    Raises `ValueError` where there are fewer than two, or they come without action units.
    """
    data.require(["action_units"])
    in_pairs = data.drawn is None and len(data.test.pairs) > 0
    places = (
        evenly(data.test.pairs, max(count // 2, 1)).ravel() if in_pairs else evenly(np.arange(len(data.test)), count)
    )
    if len(places) < 2:
        raise ValueError(f"{data.name} has fewer than two test pictures; there is nobody to exchange expressions")
    records = [data.test[int(place)] for place in places]
    pictures = np.stack([record["image"] for record in records])
    units = np.stack([record["action_units"] for record in records]).astype(np.float32)
    giver = np.arange(len(places)) ^ 1 if in_pairs else _round(len(places))
    return Cases(
        places=places,
        pictures=pictures,
        identity=np.array([record["identity"] for record in records]),
        units=units,
        wanted=units[giver],
        giver=giver,
        # The side of a one-sided smile too, which no action unit tells.
        true=pictures[giver] if in_pairs else redrawn.taking(redrawn.EXPRESSION, data, places, places[giver]),
    )


def calmest(cases: Cases, count: int) -> Int[np.ndarray, " k"]:
    """The faces with the least sum of action units, the calmest first."""
    return np.argsort(cases.units.sum(-1), kind="stable")[:count]


def with_units(units: Units, changes: Mapping[int, float]) -> Units:
    """Action units with some, by their numbers, set to an intensity."""
    changed = units.copy()
    for number, intensity in changes.items():
        changed[:, action_units.NUMBERS.index(number)] = intensity
    return changed


def drawn(data: FaceData, places: Int[np.ndarray, " n"], units: Units) -> Pictures | None:
    """The built-in faces at these places of the test split with other action units; None for other data."""
    if data.drawn is None:
        return None
    return np.stack([_draw(data, int(place), row) for place, row in zip(places, units)])


def neutral(data: FaceData, places: Int[np.ndarray, " n"]) -> Pictures | None:
    """The same people, poses and lights with a neutral face."""
    return drawn(data, places, np.zeros((len(places), len(action_units.NUMBERS)), np.float32))


def _round(count: int) -> np.ndarray:
    """Each one's giver, one round through all in a random order: nobody keeps an expression."""
    circle = np.random.default_rng(0).permutation(count)
    giver = np.empty_like(circle)
    giver[circle] = np.roll(circle, -1)
    return giver


def _draw(data: FaceData, place: int, units: np.ndarray) -> np.ndarray:
    sample = synthetic.sample(data.drawn, "test", place)
    return redrawn.draw(data, dataclasses.replace(sample, action_units=tuple(map(float, units))))
