"""Metrics of projected test pairs: one image's appearance, another's landmarks, over the weight of the landmarks.

Images are uint8 RGB as a screen shows them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from lgan_jax.data import FaceData
from lgan_jax.evaluation import ground_truth
from lgan_jax.evaluation.dlib_evaluator import DlibEvaluator
from lgan_jax.evaluation.tables import Values
from lgan_jax.landmarks import IBUG68
from lgan_jax.media.images import to_bytes, to_floats
from lgan_jax.metrics.identity import distance_where_known
from lgan_jax.metrics.lmk import nme_where_known
from lgan_jax.ops.spacing import evenly_spaced
from lgan_jax.protocols import LandmarkProjector, ProjectingGenerator

# Rows: both ends, each weight between them, and the images themselves.
APPEARANCE, LANDMARKS = "appearance alone", "landmarks alone"
APPEARANCE_IMAGE, LANDMARK_IMAGE = "the appearance image itself", "the landmark image itself"
GROUND_TRUTH = "ground truth"
DETECTOR, DLIB, HEATMAPS, FEATURES, IDENTITY = "detector", "dlib", "heatmaps", "features", "identity"
TRUE_LANDMARKS, TRUE_MOUTH = "landmarks of the ground truth", "mouth of the ground truth"
_MARGIN = 1 / 32  # around the lips, of the image's side

Images = UInt8[np.ndarray, "n H W 3"]


@dataclasses.dataclass(frozen=True)
class Pairs:
    """n test images that give the appearance, as many that give the landmarks, and the latter's true landmarks.

    And, of built-in faces, the ground truth: the appearance's people in their light, with the others' expressions and
    poses.
    """

    appearance: Images
    others: Images
    landmarks: Float[np.ndarray, "n N 2"]
    ground_truth: Images | None = None


class Measured(NamedTuple):
    """Generated faces, training images and test images; the pairs, their projections, and the rows' metrics.

    `weight` is the measured weight that is nearest to the default of the app.
    """

    test: Images
    generated: Images
    training: Images
    pairs: Pairs
    projected: Mapping[str, Images]
    rows: Mapping[str, Values]
    weight: str


def pairs(data: FaceData, count: int) -> Pairs:
    """At most `count`: test images, evenly spaced, each with the next one's landmarks."""
    indices = evenly_spaced(np.arange(len(data.test)), count)
    records = [data.test[int(i)] for i in indices]
    images, landmarks = (np.stack([record[name] for record in records]) for name in ("image", "landmarks"))
    fields = (*ground_truth.EXPRESSION, *ground_truth.POSE)
    truth = ground_truth.with_fields_of(fields, data, indices, np.roll(indices, -1))
    return Pairs(images, np.roll(images, -1, 0), np.roll(landmarks, -1, 0), truth)


def projected(projector: LandmarkProjector, some: Pairs, weights: Sequence[float]) -> dict[str, Images]:
    """Projections by row: the two ends, and between them each weight of the landmarks, rising."""
    shares = {APPEARANCE: (1.0, 0.0), **{str(w): (1.0, w) for w in sorted(weights)}, LANDMARKS: (0.0, max(weights))}
    count = len(some.appearance)
    looks, others = (np.tile(to_floats(x), (len(shares), 1, 1, 1)) for x in (some.appearance, some.others))
    found = projector(looks, others, shares=np.repeat(np.float32(list(shares.values())), count, 0))
    images = to_bytes(found.image)
    return {name: images[i * count : (i + 1) * count] for i, name in enumerate(shares)}


def measure_images(
    model: ProjectingGenerator, projector: LandmarkProjector, dlib: DlibEvaluator, some: Pairs, images: Images
) -> Values:
    """Distances of images from the pairs' landmarks and appearance, and from the ground truth where there is one."""
    image, appearance, other = (to_floats(x) for x in (images, some.appearance, some.others))
    truth, values = some.ground_truth, {
        DETECTOR: nme_where_known(np.asarray(model.detect(image)), some.landmarks, model.info.scheme),
        HEATMAPS: np.asarray(projector.heatmap_distance(image, other)),
        FEATURES: np.asarray(model.look_distance(image, appearance)),
    }  # fmt: skip
    if truth is not None:
        points = np.asarray(model.detect(to_floats(truth)))
        values[TRUE_MOUTH] = mouth_difference(images, truth, points[:, list(model.info.scheme.groups["outer_lip"])])
    if dlib.installed:
        seen = dlib.landmarks(images)
        values[DLIB] = nme_where_known(seen, dlib.landmarks(some.others), IBUG68)
        values[IDENTITY] = distance_where_known(dlib.descriptors(images), dlib.descriptors(some.appearance))
        if truth is not None:
            values[TRUE_LANDMARKS] = nme_where_known(seen, dlib.landmarks(truth), IBUG68)
    return values


def mouth_difference(images: Images, truth: Images, lips: Float[np.ndarray, "n points 2"]) -> Float[np.ndarray, " n"]:
    """Mean difference of images, of the range, in the box around the ground truth's lips."""
    size = truth.shape[1]
    low = np.clip(np.floor((lips.min(1) - _MARGIN) * size).astype(int), 0, size - 1)
    high = np.clip(np.ceil((lips.max(1) + _MARGIN) * size).astype(int), low + 1, size)
    apart = np.abs(images.astype(np.float64) - truth).mean(-1) / 255
    return np.array([each[y:b, x:r].mean() for each, (x, y), (r, b) in zip(apart, low, high)])
