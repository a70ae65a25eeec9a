"""Edits for DFT-Net's evaluation: test images, each with target action units, and the ground truth.

The ground truth of a built-in face is rendered: the same person, pose, light and background with the target
expression. In recordings it is another frame with nearly the same pose.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float32, Int, UInt8

from lgan_jax import action_units
from lgan_jax.data import FaceData, synthetic
from lgan_jax.evaluation import ground_truth
from lgan_jax.ops.spacing import evenly_spaced

Images = UInt8[np.ndarray, "n H W 3"]
Units = Float32[np.ndarray, "n 17"]

# Single expressions, which replace some of a face's own action units.
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
      identity: identities of the sources.
      units: action units of the sources.
      target: the target action units, from another face each.
      donor: index among these edits of the face with the target action units.
      ground_truth: rendered, or the donor in a pair; None if the data have none.
    """

    indices: Int[np.ndarray, " n"]
    images: Images
    identity: Int[np.ndarray, " n"]
    units: Units
    target: Units
    donor: Int[np.ndarray, " n"]
    ground_truth: Images | None


def choose(data: FaceData, count: int) -> Edits:
    """Selects at most `count` test faces, evenly spaced; targets are other faces' action units in a fixed random order.

    If a recording has pairs (`Split.pairs`), both faces of a pair are selected and exchange their action units.

    Raises `ValueError` for fewer than two faces, and for data without action units.
    """
    data.require(["action_units"])
    in_pairs = data.drawn is None and len(data.test.pairs) > 0
    indices = (
        evenly_spaced(data.test.pairs, max(count // 2, 1)).ravel()
        if in_pairs
        else evenly_spaced(np.arange(len(data.test)), count)
    )
    if len(indices) < 2:
        raise ValueError(f"{data.name} has fewer than two test images; exchanging expressions needs two")
    records = [data.test[int(index)] for index in indices]
    images = np.stack([record["image"] for record in records])
    units = np.stack([record["action_units"] for record in records]).astype(np.float32)
    donor = np.arange(len(indices)) ^ 1 if in_pairs else _cycle(len(indices))
    # The target of built-in faces includes the side of a one-sided smile, which action units do not encode.
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
    """The faces with the smallest sum of action units, the most neutral first."""
    return np.argsort(edits.units.sum(-1), kind="stable")[:count]


def largest(edits: Edits, count: int) -> Int[np.ndarray, " k"]:
    """The edits with the largest changes of action units, the largest first."""
    return np.argsort(-np.abs(edits.target - edits.units).sum(-1), kind="stable")[:count]


def with_units(units: Units, changes: Mapping[int, float]) -> Units:
    """Action units with some set to an intensity, by their FACS numbers."""
    changed = units.copy()
    for number, intensity in changes.items():
        changed[:, action_units.NUMBERS.index(number)] = intensity
    return changed


def rendered(data: FaceData, indices: Int[np.ndarray, " n"], units: Units) -> Images | None:
    """Renders the built-in faces at these indices of the test split with other action units; None for other data."""
    if data.drawn is None:
        return None
    samples = [synthetic.sample(data.drawn, "test", int(index)) for index in indices]
    return np.stack([
        ground_truth.render(data, dataclasses.replace(sample, action_units=tuple(map(float, row))))
        for sample, row in zip(samples, units)
    ])  # fmt: skip


def _cycle(count: int) -> np.ndarray:
    """Each face's donor, as one random cycle through all faces: no face is its own donor."""
    circle = np.random.default_rng(0).permutation(count)
    donor = np.empty_like(circle)
    donor[circle] = np.roll(circle, -1)
    return donor
