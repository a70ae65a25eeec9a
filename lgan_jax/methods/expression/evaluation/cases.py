"""The faces on which the synthesis of expressions is measured: couples of test pictures of one person.

The first of a couple is the source, the second the target: its landmarks and its expression are asked for, and its
picture is what should come out.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Bool, Float32, Int, UInt8

from lgan_jax.action_units import EXPRESSIONS
from lgan_jax.data import FaceData, Split

Pictures = UInt8[np.ndarray, "n H W 3"]


@dataclasses.dataclass(frozen=True)
class Cases:
    """n couples.

    Attributes:
      source, target: which records of the test split.
      identity: who they show.
      pictures: of the sources.
      true: of the targets.
      landmarks: of the targets.
      expression: of the targets.
    """

    source: Int[np.ndarray, " n"]
    target: Int[np.ndarray, " n"]
    identity: Int[np.ndarray, " n"]
    pictures: Pictures
    true: Pictures
    landmarks: Float32[np.ndarray, "n N 2"]
    expression: Int[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.target)

    def at(self, places: Int[np.ndarray, " k"]) -> Cases:
        """Some of them."""
        return Cases(**{field.name: getattr(self, field.name)[places] for field in dataclasses.fields(self)})


def choose(data: FaceData, count: int) -> Cases:
    """At most `count` couples of test pictures, drawn at random but always alike; no picture is a target twice.

    Raises `ValueError` where no test person has two expressions.
    """
    data.require(["landmarks", "expression"])
    rng = np.random.default_rng(0)
    couples = []
    for target in rng.permutation(len(data.test)):
        others = partners(data.test, int(target))
        if len(others):
            couples.append((rng.choice(others), target))
        if len(couples) == count:
            break
    if not couples:
        raise ValueError(f"{data.name}: nobody in the test split has pictures with two different expressions")
    return couples_of(data, *np.array(sorted(couples, key=lambda couple: couple[1])).T)


def partners(split: Split, place: int) -> Int[np.ndarray, " k"]:
    """The records of the same person with other expressions."""
    return np.flatnonzero((split.identity == split.identity[place]) & (split.expression != split.expression[place]))


def strangers(data: FaceData, cases: Cases) -> Cases | None:
    """The same sources with the landmarks and expressions of other people's test pictures, as in Fig. 8.

    `true` are those people's pictures: where the landmarks come from, not what should come out. None where only one
    person is in the test split.
    """
    rng = np.random.default_rng(1)
    others = [np.flatnonzero(data.test.identity != who) for who in cases.identity]
    if not all(map(len, others)):
        return None
    return couples_of(data, cases.source, np.array([rng.choice(each) for each in others]))


def of_each_expression(data: FaceData, people: int) -> list[Cases]:
    """Of some test people one picture, neutral where there is one, with one of each other expression as targets.

    Those who show the most expressions come first.
    """
    split = data.test
    shown = {int(who): np.unique(split.expression[split.identity == who]) for who in np.unique(split.identity)}
    order = sorted(shown, key=lambda who: -len(shown[who]))[:people]
    rows = []
    for who in order:
        places = [np.flatnonzero((split.identity == who) & (split.expression == each))[0] for each in shown[who]]
        if len(places) > 1:
            targets = np.array(places[1:])
            rows.append(couples_of(data, np.full_like(targets, places[0]), targets))
    return rows


def couples_of(data: FaceData, source: Int[np.ndarray, " n"], target: Int[np.ndarray, " n"]) -> Cases:
    """The couples of these records of the test split; at least one."""
    split = data.test
    first, second = ([split[int(place)] for place in places] for places in (source, target))
    return Cases(
        source=source,
        target=target,
        identity=split.identity[source],
        pictures=np.stack([record["image"] for record in first]),
        true=np.stack([record["image"] for record in second]),
        landmarks=np.stack([record["landmarks"] for record in second]).astype(np.float32),
        expression=split.expression[target],
    )


def names(expressions: Int[np.ndarray, " n"]) -> list[str]:
    """The expressions' names."""
    return [EXPRESSIONS[each] for each in expressions]


def own_pictures(cases: Cases, gallery: Int[np.ndarray, " m"]) -> Bool[np.ndarray, "n m"]:
    """Which records of a gallery are a case's own source or target."""
    return (gallery[None] == cases.source[:, None]) | (gallery[None] == cases.target[:, None])
