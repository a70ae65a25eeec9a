"""Tracks one face through a video, or detects it in photos: landmarks, their reliability, and sharpness."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np

from lgan_jax.faces import Box, Faces, align
from lgan_jax.landmarks import IBUG68

_SEARCHED = (
    480,
    1280,
)  # longer side, in pixels, of the reduced image in which faces are searched, one after the other
_CLOSER = (1280, 2560)  # likewise, to report that an undetected face is too small
_ENLARGED = 4  # largest factor by which an image is enlarged for it
_NEAR = 110  # pixels to which a known face is scaled for the detector, which detects faces from 80 pixels
_AROUND = 0.5  # of a known face's side, searched on each side of it
_DOUBT = -0.2  # the detector's threshold near a known face
_BOX_PER_SPREAD = 3.13  # side of the detector's box per root mean square distance of the inner points from their mean


class Observation(NamedTuple):
    """Measurements in one frame, or in n frames with a leading axis.

    Attributes:
      readable: whether there was an image.
      found: whether a face is detected in it.
      landmarks: float32 `(68, 2)`, fractions of the image; NaN without a face.
      agreement: overlap (0 to 1) of the detector's box with the box of the landmarks.
      sharpness: variance of the Laplacian of the aligned crop's gray levels (0 to 255).
      size: int32 (width, height) of the image in pixels.
      several: whether a photo shows several faces, of which this is the largest.
    """

    readable: np.ndarray
    found: np.ndarray
    landmarks: np.ndarray
    agreement: np.ndarray
    sharpness: np.ndarray
    size: np.ndarray
    several: np.ndarray


def stack(observations: list[Observation]) -> Observation:
    """Observations of single frames as one, with a leading axis."""
    return Observation(*(np.stack(field) for field in zip(*observations)))


class Tracker:
    """Tracks one person: the face that overlaps the last detected face, or else the largest face.

    Near a known face the detector confirms every frame at a small, fixed scale. The whole image is searched only
    while no face is known or the face is lost.

    Attributes:
      boxes: faces in the last fully searched image, best score first.
    """

    def __init__(self, faces: Faces, size: int, follow: bool):
        """`size` is the crop's side, for sharpness; `follow` is False for photos, which are no sequence."""
        self._faces, self._size, self._follow = faces, size, follow
        self._last: np.ndarray | None = None
        self._thread = ThreadPoolExecutor(1, "detector")
        self.boxes: list[Box] = []

    def resume(self, landmarks: np.ndarray) -> None:
        """Resumes from the last landmarks `(68, 2)` of an earlier run."""
        self._last = landmarks

    def observe(self, image: np.ndarray | None) -> Observation:
        """Detects the face in the next image, uint8 `(H, W, 3)`; None is an unreadable image."""
        if image is None:
            return _nothing(readable=False, size=(0, 0))
        size = (image.shape[1], image.shape[0])
        found = self.look(image)
        if found is None:
            return _nothing(readable=True, size=size)
        landmarks, seen = found
        points = landmarks * size
        crop = align.crop(image, align.alignment(points, self._size), self._size)
        return Observation(
            readable=np.bool_(True),
            found=np.bool_(True),
            landmarks=landmarks,
            agreement=np.float32(box_of(points).overlap(seen)),
            sharpness=np.float32(sharpness(crop)),
            size=np.array(size, np.int32),
            several=np.bool_(not self._follow and len(self.boxes) > 1),
        )

    def look(self, image: np.ndarray) -> tuple[np.ndarray, Box] | None:
        """The 68 landmarks `(68, 2)` of the face in the next image, in [0, 1] of it, and the detector's box."""
        size = (image.shape[1], image.shape[0])
        known = None if self._last is None else box_of(self._last * size)
        seen, landmarks = self._at(image, known) if known else (None, None)
        seen = seen or self._search(image, known)
        if seen is None:
            return None
        if landmarks is None or known.overlap(seen) <= 0.5:
            landmarks = self._faces.landmarks(image, seen)  # the detector's boxes come in coarse steps
            landmarks = self._faces.landmarks(image, box_of(landmarks * size))
        if self._follow:
            self._last = landmarks
        return landmarks, seen

    def _at(self, image: np.ndarray, known: Box) -> tuple[Box | None, np.ndarray]:
        """The face near a known one, and the landmarks in the known one's box, computed meanwhile in another thread."""
        confirmed = self._thread.submit(self._confirm, image, known)
        landmarks = self._faces.landmarks(image, known)
        return confirmed.result(), landmarks

    def _confirm(self, image: np.ndarray, known: Box) -> Box | None:
        """The face near a known one, found in a small image of its surroundings."""
        side = known.right - known.left
        left, top = max(int(known.left - _AROUND * side), 0), max(int(known.top - _AROUND * side), 0)
        part = image[top : max(int(known.bottom + _AROUND * side), 0), left : max(int(known.right + _AROUND * side), 0)]
        if 0 in part.shape:
            return None
        boxes = self._find(part, _NEAR / side, _DOUBT)
        boxes = [Box(b.left + left, b.top + top, b.right + left, b.bottom + top, b.score) for b in boxes]
        return max(boxes, key=known.overlap, default=None)

    def _search(self, image: np.ndarray, known: Box | None) -> Box | None:
        """A face anywhere in the image: the one that overlaps a known one, else the largest."""
        longer = max(image.shape[:2])
        for side in _SEARCHED:
            if side > _SEARCHED[0] and longer < side:
                break
            self.boxes = boxes = self._find(image, side / longer, 0.0)
            if boxes:
                nearest = max(boxes, key=known.overlap) if known else None
                return nearest if nearest and nearest.overlap(known) > 0.1 else max(boxes, key=lambda box: box.area)
        return None

    def small(self, image: np.ndarray) -> Box | None:
        """The largest face that is detected only in an enlarged image; None where there is none."""
        longer = max(image.shape[:2])
        for side in _CLOSER:
            if side <= _ENLARGED * longer and (boxes := self._find(image, side / longer, 0.0)):
                return max(boxes, key=lambda box: box.area)
        return None

    def _find(self, image: np.ndarray, scale: float, threshold: float) -> list[Box]:
        """The detector's boxes in the image scaled by `scale`, in the image's own pixels."""
        size = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
        scaled = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        x, y = image.shape[1] / scaled.shape[1], image.shape[0] / scaled.shape[0]
        boxes = self._faces.find(scaled, threshold=threshold)
        return [Box(b.left * x, b.top * y, b.right * x, b.bottom * y, b.score) for b in boxes]


def sharpness(crop: np.ndarray) -> float:
    """The variance of the Laplacian of an aligned crop's gray levels; see `Observation`."""
    return float(cv2.Laplacian(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.CV_32F).var())


def box_of(points: np.ndarray) -> Box:
    """The box in the detector's convention of landmarks `(68, 2)` in pixels."""
    inner = points[IBUG68.inner]
    x, y = inner.mean(0).tolist()
    half = 0.5 * _BOX_PER_SPREAD * float(np.sqrt(((inner - (x, y)) ** 2).sum(-1).mean()))
    return Box(x - half, y - half, x + half, y + half)


def _nothing(readable: bool, size: tuple[int, int]) -> Observation:
    return Observation(
        readable=np.bool_(readable),
        found=np.bool_(False),
        landmarks=np.full((68, 2), np.nan, np.float32),
        agreement=np.float32(0),
        sharpness=np.float32(0),
        size=np.array(size, np.int32),
        several=np.bool_(False),
    )
