"""Measuring projections of test pairs: one picture's look, another's landmarks, over the weight of the landmarks.

Pictures are uint8 RGB as a screen shows them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from lgan_jax.core import FaceInfo
from lgan_jax.data import FaceData
from lgan_jax.data.kept import evenly
from lgan_jax.evaluation import redrawn
from lgan_jax.evaluation.judge import Judge
from lgan_jax.landmarks import IBUG68
from lgan_jax.media.images import to_bytes, to_floats
from lgan_jax.metrics.identity import distance_where_known
from lgan_jax.metrics.lmk import error_where_known

LOOK, LANDMARKS = "look alone", "landmarks alone"
THE_LOOK, THE_LANDMARKS = "the look's photo itself", "the landmarks' photo itself"
DRAWN = "drawn: what should come out"
DETECTOR, DLIB, HEATMAPS, FEATURES, IDENTITY = "detector", "dlib", "heatmaps", "features", "identity"
WANTED, MOUTH = "wanted landmarks", "wanted mouth"  # how far from what should come out
_MARGIN = 1 / 32  # around the lips, of the picture's side

Pictures = UInt8[np.ndarray, "n H W 3"]
Values = Mapping[str, Float[np.ndarray, " n"]]  # by what was measured, NaN where it could not be


@runtime_checkable
class Model(Protocol):
    """What an evaluation needs of a trained model; see `methods.projection.model.StyledFaces`."""

    info: FaceInfo

    def sample(self, seed: int, count: int) -> Any:
        """Made faces by number: `image` in [-1, 1]."""

    def detect(self, images: Any) -> Any:
        """Landmarks in [0, 1]."""

    def look_distance(self, images: Any, others: Any) -> Any:
        """How far apart the looks of faces are."""

    def projector(self, settings: Any) -> Projector:
        """What projects onto its generator."""


@runtime_checkable
class Projector(Protocol):
    """What projects; see `methods.projection.projector.Projector`."""

    def __call__(self, look: Any, landmarks: Any, *, shares: Any) -> Any:
        """Of pairs in [-1, 1], with weights of look and landmarks for each: `image`."""

    def heatmap_distance(self, images: Any, others: Any) -> Any:
        """How far apart the landmarks' maps are."""


@dataclasses.dataclass(frozen=True)
class Pairs:
    """n test pictures with the look, as many with the landmarks, and the true landmarks of the latter.

    And, of built-in faces, what should come out: the look's people in their light, with the others' expressions and
    poses.
    """

    looks: Pictures
    others: Pictures
    landmarks: Float[np.ndarray, "n N 2"]
    drawn: Pictures | None = None


def pairs(data: FaceData, count: int) -> Pairs:
    """At most `count`: test pictures, evenly spaced, each with the next one's landmarks."""
    places = evenly(np.arange(len(data.test)), count)
    records = [data.test[int(i)] for i in places]
    pictures, landmarks = (np.stack([record[name] for record in records]) for name in ("image", "landmarks"))
    drawn = redrawn.taking((*redrawn.EXPRESSION, *redrawn.POSE), data, places, np.roll(places, -1))
    return Pairs(pictures, np.roll(pictures, -1, 0), np.roll(landmarks, -1, 0), drawn)


def projected(projector: Projector, some: Pairs, weights: Sequence[float]) -> dict[str, Pictures]:
    """Pictures by what they are made for: the two ends, and between them each weight of the landmarks, rising."""
    shares = {LOOK: (1.0, 0.0), **{str(w): (1.0, w) for w in sorted(weights)}, LANDMARKS: (0.0, max(weights))}
    count = len(some.looks)
    looks, others = (np.tile(to_floats(x), (len(shares), 1, 1, 1)) for x in (some.looks, some.others))
    found = projector(looks, others, shares=np.repeat(np.float32(list(shares.values())), count, 0))
    made = to_bytes(found.image)
    return {name: made[i * count : (i + 1) * count] for i, name in enumerate(shares)}


def measured(model: Model, projector: Projector, judge: Judge | None, some: Pairs, made: Pictures) -> Values:
    """How far the landmarks of pictures made for pairs are from the one photo's, and their looks from the other's.

    And how far landmarks and mouths are from what should come out, where that can be drawn.
    """
    image, look, other = (to_floats(x) for x in (made, some.looks, some.others))
    values = {
        DETECTOR: error_where_known(np.asarray(model.detect(image)), some.landmarks, model.info.scheme),
        HEATMAPS: np.asarray(projector.heatmap_distance(image, other)),
        FEATURES: np.asarray(model.look_distance(image, look)),
    }
    if some.drawn is not None:
        points = np.asarray(model.detect(to_floats(some.drawn)))
        values[MOUTH] = mouths_apart(made, some.drawn, points[:, list(model.info.scheme.groups["outer_lip"])])
    if judge is not None:
        seen = judge.landmarks(made)
        values[DLIB] = error_where_known(seen, judge.landmarks(some.others), IBUG68)
        values[IDENTITY] = distance_where_known(judge.descriptors(made), judge.descriptors(some.looks))
        if some.drawn is not None:
            values[WANTED] = error_where_known(seen, judge.landmarks(some.drawn), IBUG68)
    return values


def mouths_apart(made: Pictures, wanted: Pictures, lips: Float[np.ndarray, "n points 2"]) -> Float[np.ndarray, " n"]:
    """Mean difference of pictures, of the range, in the box around the lips of those that are wanted."""
    size = wanted.shape[1]
    low = np.clip(np.floor((lips.min(1) - _MARGIN) * size).astype(int), 0, size - 1)
    high = np.clip(np.ceil((lips.max(1) + _MARGIN) * size).astype(int), low + 1, size)
    apart = np.abs(made.astype(np.float64) - wanted).mean(-1) / 255
    return np.array([each[y:b, x:r].mean() for each, (x, y), (r, b) in zip(apart, low, high)])
