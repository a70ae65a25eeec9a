"""The Face Landmarker's detector: boxes and six keypoints of the faces in an image, by BlazeFace (short range).

Sources: Bazarevsky et al., "BlazeFace", 2019 (arXiv 1907.05047); anchors and thresholds as MediaPipe's
face_detector_graph sets them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from lgan_jax.faces.boxes import Box

SIDE = 128  # pixels of the network's input
_GRIDS = ((16, 2), (8, 6))  # cells a side, and anchors in each cell
_OVERLAP = 0.3  # intersection over union from which two boxes are of one face
_RIGHT_EYE, _LEFT_EYE = 0, 1  # the subject's


class Detection(NamedTuple):
    """A face: its box, with the logit as its score, and keypoints `(6, 2)`, both in pixels from edge to edge.

    Keypoints: the subject's right eye, left eye, nose tip, mouth, right ear, left ear.
    """

    box: Box
    keypoints: np.ndarray

    @property
    def eyes(self) -> np.ndarray:
        """The subject's right and left eye, `(2, 2)`."""
        return self.keypoints[[_RIGHT_EYE, _LEFT_EYE]]


def _anchors() -> np.ndarray:
    """Centers `(896, 2)` of the anchors, in [0, 1]; their sides are all 1."""
    centers = []
    for cells, each in _GRIDS:
        middle = (np.arange(cells) + 0.5) / cells
        grid = np.stack(np.meshgrid(middle, middle), -1).reshape(-1, 2)
        centers.append(np.repeat(grid, each, 0))
    return np.concatenate(centers)


_ANCHORS = _anchors()


def letterboxed(image: UInt8[np.ndarray, "H W 3"]) -> tuple[UInt8[np.ndarray, "128 128 3"], float, np.ndarray]:
    """The image within a black square of `SIDE` pixels, the scale, and the offset (x, y) of its corner there."""
    height, width = image.shape[:2]
    scale = SIDE / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
    square = np.zeros((SIDE, SIDE, 3), np.uint8)
    square[top : top + size[1], left : left + size[0]] = resized
    return square, scale, np.array([left, top], float)


def detections(
    regressors: Float[np.ndarray, "896 16"], logits: Float[np.ndarray, "896 1"], threshold: float = 0.0
) -> list[Detection]:
    """The faces in a square of `SIDE` pixels, best first, from the network's answers for it.

    Anchors whose logit is above `threshold` and that overlap are one face: the mean of their boxes and keypoints,
    weighted by their probabilities.
    """
    scores = logits[:, 0].clip(-100, 100)
    chosen = np.flatnonzero(scores > threshold)
    chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
    points = regressors[chosen].reshape(-1, 8, 2).astype(float)
    points[:, [0, *range(2, 8)]] += SIDE * _ANCHORS[chosen, None]
    half = points[:, 1] / 2
    points = np.concatenate([(points[:, 0] - half)[:, None], (points[:, 0] + half)[:, None], points[:, 2:]], 1)
    weights = 1 / (1 + np.exp(-scores[chosen]))
    found = []
    while len(points):
        near = np.array([_box(points[0]).overlap(_box(other)) > _OVERLAP for other in points])
        near[0] = True
        mean = np.average(points[near], axis=0, weights=weights[near])
        found.append(Detection(_box(mean)._replace(score=float(scores[chosen][0])), mean[2:]))
        points, weights, chosen = points[~near], weights[~near], chosen[~near]
    return found


def moved(found: Sequence[Detection], scale: float, offset: np.ndarray) -> list[Detection]:
    """Detections in the frame where what was at p is at `scale`·p + `offset`."""
    answers = []
    for box, keypoints in found:
        left, top, right, bottom = (scale * np.array(box[:4]).reshape(2, 2) + offset).ravel().tolist()
        answers.append(Detection(Box(left, top, right, bottom, box.score), scale * keypoints + offset))
    return answers


def _box(points: np.ndarray) -> Box:
    """The box whose corners are the first two points."""
    return Box(*points[:2].ravel().tolist())


def distinct(found: Sequence[Detection]) -> list[Detection]:
    """Detections without those that overlap a better one, best first."""
    separate: list[Detection] = []
    for each in sorted(found, key=lambda detection: -detection.box.score):
        if all(each.box.overlap(other.box) <= _OVERLAP for other in separate):
            separate.append(each)
    return separate
