"""The image pairs on which expression synthesis is measured: two test images of one person.

The model gets the source's image and the target's landmarks and expression; the target's image is the ground truth.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Bool, Float32, Int, UInt8

from lgan_jax.action_units import EXPRESSIONS
from lgan_jax.data import FaceData, Split

Images = UInt8[np.ndarray, "n H W 3"]


@dataclasses.dataclass(frozen=True)
class Pairs:
    """n pairs.

    Attributes:
      source, target: records of the test split.
      identity: who they show.
      images: of the sources.
      ground_truth: images of the targets.
      landmarks: of the targets.
      expression: of the targets.
    """

    source: Int[np.ndarray, " n"]
    target: Int[np.ndarray, " n"]
    identity: Int[np.ndarray, " n"]
    images: Images
    ground_truth: Images
    landmarks: Float32[np.ndarray, "n N 2"]
    expression: Int[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.target)

    def at(self, indices: Int[np.ndarray, " k"]) -> Pairs:
        """Some of them."""
        return Pairs(**{field.name: getattr(self, field.name)[indices] for field in dataclasses.fields(self)})


def choose(data: FaceData, count: int) -> Pairs:
    """At most `count` pairs of test images, in a fixed random order; no image is a target twice.

    Raises `ValueError` where no test person has two expressions.
    """
    data.require(["landmarks", "expression"])
    rng = np.random.default_rng(0)
    pairs = []
    for target in rng.permutation(len(data.test)):
        others = partners(data.test, int(target))
        if len(others):
            pairs.append((rng.choice(others), target))
        if len(pairs) == count:
            break
    if not pairs:
        raise ValueError(f"{data.name}: nobody in the test split has images with two different expressions")
    return pairs_of(data, *np.array(sorted(pairs, key=lambda pair: pair[1])).T)


def partners(split: Split, index: int) -> Int[np.ndarray, " k"]:
    """The records of the same person with other expressions."""
    return np.flatnonzero((split.identity == split.identity[index]) & (split.expression != split.expression[index]))


def across_people(data: FaceData, pairs: Pairs) -> Pairs | None:
    """The same sources with the landmarks and expressions of other people's test images, as in Fig. 8.

    `ground_truth` are those people's images: the source of the landmarks, not the target. None where only one person
    is in the test split.
    """
    rng = np.random.default_rng(1)
    others = [np.flatnonzero(data.test.identity != who) for who in pairs.identity]
    if not all(map(len, others)):
        return None
    return pairs_of(data, pairs.source, np.array([rng.choice(each) for each in others]))


def of_each_expression(data: FaceData, people: int) -> list[Pairs]:
    """Of some test people one source, neutral where there is one, with one of each other expression as targets.

    People with the most expressions come first.
    """
    split = data.test
    shown = {int(who): np.unique(split.expression[split.identity == who]) for who in np.unique(split.identity)}
    order = sorted(shown, key=lambda who: -len(shown[who]))[:people]
    rows = []
    for who in order:
        indices = [np.flatnonzero((split.identity == who) & (split.expression == each))[0] for each in shown[who]]
        if len(indices) > 1:
            targets = np.array(indices[1:])
            rows.append(pairs_of(data, np.full_like(targets, indices[0]), targets))
    return rows


def pairs_of(data: FaceData, source: Int[np.ndarray, " n"], target: Int[np.ndarray, " n"]) -> Pairs:
    """The pairs of these records of the test split; at least one."""
    split = data.test
    first, second = ([split[int(index)] for index in indices] for indices in (source, target))
    return Pairs(
        source=source,
        target=target,
        identity=split.identity[source],
        images=np.stack([record["image"] for record in first]),
        ground_truth=np.stack([record["image"] for record in second]),
        landmarks=np.stack([record["landmarks"] for record in second]).astype(np.float32),
        expression=split.expression[target],
    )


def names(expressions: Int[np.ndarray, " n"]) -> list[str]:
    """The expressions' names."""
    return [EXPRESSIONS[each] for each in expressions]


def own_images(pairs: Pairs, gallery: Int[np.ndarray, " m"]) -> Bool[np.ndarray, "n m"]:
    """Which records of a gallery are a pair's own source or target."""
    return (gallery[None] == pairs.source[:, None]) | (gallery[None] == pairs.target[:, None])
