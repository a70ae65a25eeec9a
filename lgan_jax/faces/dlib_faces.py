"""Face detection, 68 landmarks and face descriptors by dlib's published models, which no training here has seen.

Images are uint8 RGB `(H, W, 3)`, boxes are in pixels from edge to edge. Landmarks are float32 `(68, 2)`, (x, y), iBUG's
scheme, in [0, 1] across the image, pixel centers at (i + 0.5) / size; points outside the image are below 0 or above 1.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32

from lgan_jax.faces import dlib_models
from lgan_jax.faces.boxes import Box, check_image

_BOX_SIDE = 300  # pixels that a face's box is scaled to before the landmark model: it answers in whole pixels
_MARGIN = 0.5  # of the box's side, around it, for the landmark model to see
_SHIFTS = ((0.0, 0.0), (0.04, 0.0), (-0.04, 0.0), (0.0, 0.04), (0.0, -0.04))  # of the box's side
_FACE_EXTENT = 300  # pixels that a smaller face is enlarged to first


class Faces:
    """dlib's detector, landmark model and descriptor. Each is loaded when it is first used.

    Raises `ModuleNotFoundError` at that moment where a package is missing, saying how to install it.
    """

    def find(self, image: np.ndarray, upsample: int = 0, threshold: float = 0.0) -> list[Box]:
        """The faces of an image, best score first. Faces narrower than about 80 pixels are not seen.

        `upsample` doubles the image that many times first; `threshold` is the lowest score that counts.
        """
        check_image(image)
        rectangles, scores, _ = self._detector.run(np.ascontiguousarray(image), upsample, threshold)
        boxes = [Box(r.left(), r.top(), r.right() + 1, r.bottom() + 1, float(s)) for r, s in zip(rectangles, scores)]
        return sorted(boxes, key=lambda box: -box.score)

    def landmarks(self, image: np.ndarray, box: Box) -> Float32[np.ndarray, "68 2"]:
        """The 68 landmarks of the face in a box.

        The model answers in whole pixels and depends on where exactly the box lies. So the face is scaled to a fixed
        size first, and the answers for the box and for four copies shifted by 4 % are averaged.
        """
        check_image(image)
        if not box.area > 0:
            raise ValueError(f"a box needs a positive width and height: {box}")
        dlib = dlib_models.dlib()
        scale = _BOX_SIDE / max(box.right - box.left, box.bottom - box.top)
        origin = np.array([box.left - _MARGIN * _BOX_SIDE / scale, box.top - _MARGIN * _BOX_SIDE / scale])
        side = round((1 + 2 * _MARGIN) * _BOX_SIDE)
        # Pixel centers: x of the crop shows (x + 0.5) / scale + origin of the image, edge to edge.
        offset = (0.5 / scale + origin) - 0.5
        matrix = np.array([[1 / scale, 0, offset[0]], [0, 1 / scale, offset[1]]])
        crop = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        width, height = (box.right - box.left) * scale, (box.bottom - box.top) * scale
        answers = []
        for x, y in _SHIFTS:
            left, top = round((_MARGIN + x) * _BOX_SIDE), round((_MARGIN + y) * _BOX_SIDE)
            rectangle = dlib.rectangle(left, top, left + round(width) - 1, top + round(height) - 1)
            answers.append([(p.x, p.y) for p in self._landmark_model(crop, rectangle).parts()])
        points = (np.mean(answers, axis=0) + 0.5) / scale + origin
        return (points / (image.shape[1], image.shape[0])).astype(np.float32)

    def descriptor(self, image: np.ndarray, landmarks: np.ndarray) -> Float32[np.ndarray, " 128"]:
        """The face's 128-d identity vector. The distance of two faces is Euclidean; 0.6 separates people."""
        return self.descriptors([image], [landmarks])[0]

    def descriptors(
        self, images: Sequence[np.ndarray], landmarks: Sequence[np.ndarray]
    ) -> Float32[np.ndarray, "B 128"]:
        """`descriptor` of B images (of any sizes) with one face each, in one call of the network."""
        if len(images) != len(landmarks):
            raise ValueError(f"{len(images)} images but {len(landmarks)} sets of landmarks")
        if not images:
            return np.zeros((0, 128), np.float32)
        chips = [face_chip(image, points) for image, points in zip(images, landmarks)]
        return np.array(self._recognizer.compute_face_descriptor(chips), np.float32)

    def measure(self, image: np.ndarray, minimum: int = 256) -> Float32[np.ndarray, "68 2"] | None:
        """The landmarks of an image's largest face, or None where the detector finds none.

        An image whose shorter side is below `minimum` pixels is enlarged to it (bicubic) before; landmarks are
        fractions of the image, so they need no way back.
        """
        check_image(image)
        enlarge = minimum / min(image.shape[:2])
        if enlarge > 1:
            image = cv2.resize(image, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_CUBIC)
        boxes = self.find(image)
        return self.landmarks(image, max(boxes, key=lambda box: box.area)) if boxes else None

    @functools.cached_property
    def _detector(self) -> Any:
        return dlib_models.detector()

    @property
    def _landmark_model(self) -> Any:
        return dlib_models.landmark_model()

    @functools.cached_property
    def _recognizer(self) -> Any:
        return dlib_models.recognizer()


def face_chip(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The aligned 150x150 image that the descriptor's network expects."""
    check_image(image)
    if landmarks.shape != (68, 2):
        raise ValueError(f"a face's descriptor needs landmarks of shape (68, 2), not {landmarks.shape}")
    dlib = dlib_models.dlib()
    points = landmarks * (image.shape[1], image.shape[0])
    extent = float(np.ptp(points, axis=0).max())
    if not extent > 0:
        raise ValueError("the landmarks span no area (or are not finite)")
    scale = _FACE_EXTENT / extent
    if scale > 1:  # dlib takes whole pixels: enlarge, so that rounding does not matter
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        points = landmarks * (image.shape[1], image.shape[0])
    corners = np.concatenate([points.min(0), points.max(0)]).round().astype(int)
    whole = [dlib.point(int(x), int(y)) for x, y in np.floor(points)]
    return dlib.get_face_chip(
        np.ascontiguousarray(image), dlib.full_object_detection(dlib.rectangle(*corners.tolist()), whole), 150, 0.25
    )
