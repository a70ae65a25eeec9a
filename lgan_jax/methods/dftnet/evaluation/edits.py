"""The edits on which DFT-Net is measured: test images, each with target action units, and the ground truth.

The ground truth of a built-in face is rendered: the same person, pose, light and background with the target
expression. In recordings it is another frame of nearly the same pose.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float32, Int, UInt8

from lgan_jax import action_units
from lgan_jax.data import FaceData, synthetic
from lgan_jax.data.training_landmarks import evenly
from lgan_jax.evaluation import ground_truth

Images = UInt8[np.ndarray, "n H W 3"]
Units = Float32[np.ndarray, "n 17"]

# Single expressions, set on top of a face's own action units.
SINGLE = {
    "smile": {12: 1.0, 25: 0.8},
    "open mouth": {25: 1.0, 26: 1.0},
    "raised brows": {1: 1.0, 2: 1.0},
    "closed eyes": {45: 1.0},
}


@dataclasses.dataclass(frozen=True)
class Edits:
    """Test images with target action units.

    Attributes:
      indices: records of the test split.
      images: the sources.
      identity: who they are.
      units: their own action units.
      target: the target action units, each another face's.
      donor: whose they are: the index among these edits.
      ground_truth: where the data have it: rendered, or the donor, of a pair.
    """

    indices: Int[np.ndarray, " n"]
    images: Images
    identity: Int[np.ndarray, " n"]
    units: Units
    target: Units
    donor: Int[np.ndarray, " n"]
    ground_truth: Images | None


def choose(data: FaceData, count: int) -> Edits:
    """At most `count` test faces, evenly spaced; each gets another's action units, in a fixed random order.

    Where a recording has pairs (`Split.pairs`), both faces of a pair are chosen, and get each other's action units.

    Raises `ValueError` where there are fewer than two, or they come without action units.
    """
    data.require(["action_units"])
    in_pairs = data.drawn is None and len(data.test.pairs) > 0
    indices = (
        evenly(data.test.pairs, max(count // 2, 1)).ravel() if in_pairs else evenly(np.arange(len(data.test)), count)
    )
    if len(indices) < 2:
        raise ValueError(f"{data.name} has fewer than two test images; there is nobody to exchange expressions")
    records = [data.test[int(index)] for index in indices]
    images = np.stack([record["image"] for record in records])
    units = np.stack([record["action_units"] for record in records]).astype(np.float32)
    donor = np.arange(len(indices)) ^ 1 if in_pairs else _cycle(len(indices))
    # Built-in faces take the side of a one-sided smile too, which no action unit tells.
    rendered = ground_truth.with_fields_of(ground_truth.EXPRESSION, data, indices, indices[donor])
    return Edits(
        indices=indices,
        images=images,
        identity=np.array([record["identity"] for record in records]),
        units=units,
        target=units[donor],
        donor=donor,
        ground_truth=images[donor] if in_pairs else rendered,
    )


def calmest(edits: Edits, count: int) -> Int[np.ndarray, " k"]:
    """The faces with the least sum of action units, the calmest first."""
    return np.argsort(edits.units.sum(-1), kind="stable")[:count]


def largest(edits: Edits, count: int) -> Int[np.ndarray, " k"]:
    """The edits that change action units most, the largest first."""
    return np.argsort(-np.abs(edits.target - edits.units).sum(-1), kind="stable")[:count]


def with_units(units: Units, changes: Mapping[int, float]) -> Units:
    """Action units with some, by their numbers, set to an intensity."""
    changed = units.copy()
    for number, intensity in changes.items():
        changed[:, action_units.NUMBERS.index(number)] = intensity
    return changed


def rendered(data: FaceData, indices: Int[np.ndarray, " n"], units: Units) -> Images | None:
    """The built-in faces at these indices of the test split with other action units; None for other data."""
    if data.drawn is None:
        return None
    samples = [synthetic.sample(data.drawn, "test", int(index)) for index in indices]
    return np.stack([
        ground_truth.render(data, dataclasses.replace(sample, action_units=tuple(map(float, row))))
        for sample, row in zip(samples, units)
    ])  # fmt: skip


def _cycle(count: int) -> np.ndarray:
    """Each one's donor, one cycle through all in a random order: nobody keeps an expression."""
    circle = np.random.default_rng(0).permutation(count)
    donor = np.empty_like(circle)
    donor[circle] = np.roll(circle, -1)
    return donor
