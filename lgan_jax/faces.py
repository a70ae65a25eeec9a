"""Finding faces, their 68 landmarks and their identity with dlib's published models, which no training here has seen.

Pictures are uint8 RGB `(H, W, 3)`. Boxes are in pixels from edge to edge: the whole picture is (0, 0, W, H).
Landmarks are float32 `(68, 2)`, (x, y), iBUG's scheme, in [0, 1] across the picture, pixel centres at (i + 0.5) / size;
points outside the picture are below 0 or above 1.

The models: histogram-of-gradients detector (Dalal and Triggs 2005, Felzenszwalb et al. 2010), ensemble of regression
trees (Kazemi and Sullivan 2014), residual network whose 128-d vectors of one person lie within 0.6 (King 2017).
dlib's landmark model was trained on 300-W, whose owners exclude commercial use.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import cv2
import numpy as np
from jaxtyping import Float32

_BOX_SIDE = 300  # pixels that a face's box is scaled to before the landmark model: it answers in whole pixels
_MARGIN = 0.5  # of the box's side, around it, for the landmark model to see
_SHIFTS = ((0.0, 0.0), (0.04, 0.0), (-0.04, 0.0), (0.0, 0.04), (0.0, -0.04))  # of the box's side


class Box(NamedTuple):
    """A face's box in pixels, edge to edge, and the detector's score (0 is its usual threshold)."""

    left: float
    top: float
    right: float
    bottom: float
    score: float = 0.0

    @property
    def area(self) -> float:
        """Square pixels; 0 where the box is empty."""
        return float(max(self.right - self.left, 0) * max(self.bottom - self.top, 0))

    def overlap(self, other: Box) -> float:
        """Intersection over union with another box, in [0, 1]."""
        common = Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        ).area
        union = self.area + other.area - common
        return common / union if union > 0 else 0.0


class Faces:
    """dlib's detector, landmark model and descriptor. Each is loaded when it is first used.

    Raises `ModuleNotFoundError` at that moment where a package is missing, saying how to install it.
    """

    def find(self, image: np.ndarray, upsample: int = 0, threshold: float = 0.0) -> list[Box]:
        """The faces of a picture, best score first. Faces narrower than about 80 pixels are not seen.

        `upsample` doubles the picture that many times first; `threshold` is the lowest score that counts.
        """
        _check(image)
        rectangles, scores, _ = self._detector.run(np.ascontiguousarray(image), upsample, threshold)
        boxes = [Box(r.left(), r.top(), r.right() + 1, r.bottom() + 1, float(s)) for r, s in zip(rectangles, scores)]
        return sorted(boxes, key=lambda box: -box.score)

    def landmarks(self, image: np.ndarray, box: Box) -> Float32[np.ndarray, "68 2"]:
        """The 68 landmarks of the face in a box.

        The model answers in whole pixels and depends on where exactly the box lies. So the face is scaled to a fixed
        size first, and the answers for the box and for four copies shifted by 4 % are averaged.
        """
        _check(image)
        if not box.area > 0:
            raise ValueError(f"a box needs a positive width and height: {box}")
        dlib = _dlib()
        scale = _BOX_SIDE / max(box.right - box.left, box.bottom - box.top)
        origin = np.array([box.left - _MARGIN * _BOX_SIDE / scale, box.top - _MARGIN * _BOX_SIDE / scale])
        side = round((1 + 2 * _MARGIN) * _BOX_SIDE)
        # Pixel centres: x of the crop shows (x + 0.5) / scale + origin of the picture, edge to edge.
        offset = (0.5 / scale + origin) - 0.5
        matrix = np.array([[1 / scale, 0, offset[0]], [0, 1 / scale, offset[1]]])
        crop = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        width, height = (box.right - box.left) * scale, (box.bottom - box.top) * scale
        answers = []
        for x, y in _SHIFTS:
            left, top = round((_MARGIN + x) * _BOX_SIDE), round((_MARGIN + y) * _BOX_SIDE)
            rectangle = dlib.rectangle(left, top, left + round(width) - 1, top + round(height) - 1)
            answers.append([(p.x, p.y) for p in self._predictor(crop, rectangle).parts()])
        points = (np.mean(answers, axis=0) + 0.5) / scale + origin
        return (points / (image.shape[1], image.shape[0])).astype(np.float32)

    def descriptor(self, image: np.ndarray, landmarks: np.ndarray) -> Float32[np.ndarray, " 128"]:
        """The face's 128-d identity vector. The distance of two faces is Euclidean; 0.6 separates people."""
        return self.descriptors([image], [landmarks])[0]

    def descriptors(
        self, images: Sequence[np.ndarray], landmarks: Sequence[np.ndarray]
    ) -> Float32[np.ndarray, "B 128"]:
        """`descriptor` of B pictures (of any sizes) with one face each, in one call of the network."""
        if len(images) != len(landmarks):
            raise ValueError(f"{len(images)} pictures but {len(landmarks)} sets of landmarks")
        if not images:
            return np.zeros((0, 128), np.float32)
        chips = [self._chip(image, points) for image, points in zip(images, landmarks)]
        return np.array(self._recognizer.compute_face_descriptor(chips), np.float32)

    def measure(self, image: np.ndarray, minimum: int = 256) -> Float32[np.ndarray, "68 2"] | None:
        """The landmarks of a picture's largest face, or None where the detector finds none.

        A picture whose shorter side is below `minimum` pixels is enlarged to it (bicubic) before; landmarks are
        fractions of the picture, so they need no way back.
        """
        _check(image)
        enlarge = minimum / min(image.shape[:2])
        if enlarge > 1:
            image = cv2.resize(image, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_CUBIC)
        boxes = self.find(image)
        return self.landmarks(image, max(boxes, key=lambda box: box.area)) if boxes else None

    def _chip(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """The aligned 150x150 picture that the descriptor's network expects."""
        _check(image)
        if landmarks.shape != (68, 2):
            raise ValueError(f"a face's descriptor needs landmarks of shape (68, 2), not {landmarks.shape}")
        dlib = _dlib()
        points = landmarks * (image.shape[1], image.shape[0])
        extent = float(np.ptp(points, axis=0).max())
        if not extent > 0:
            raise ValueError("the landmarks span no area (or are not finite)")
        scale = _BOX_SIDE / extent
        if scale > 1:  # dlib takes whole pixels: enlarge, so that rounding does not matter
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
            points = landmarks * (image.shape[1], image.shape[0])
        corners = np.concatenate([points.min(0), points.max(0)]).round().astype(int)
        whole = [dlib.point(int(x), int(y)) for x, y in np.floor(points)]
        return dlib.get_face_chip(
            np.ascontiguousarray(image), dlib.full_object_detection(dlib.rectangle(*corners.tolist()), whole), 150, 0.25
        )

    @functools.cached_property
    def _detector(self) -> Any:
        return _dlib().get_frontal_face_detector()

    @property
    def _predictor(self) -> Any:
        return _landmark_model(_dlib())

    @functools.cached_property
    def _recognizer(self) -> Any:
        return _dlib().face_recognition_model_v1(_model_file("dlib_face_recognition_resnet_model_v1.dat"))


@functools.cache
def _landmark_model(dlib: ModuleType) -> Any:
    """The landmark model, loaded once, as it is large; all may share it, as it does not change."""
    return dlib.shape_predictor(_model_file("shape_predictor_68_face_landmarks.dat"))


def _check(image: np.ndarray) -> None:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise ValueError(f"a picture must be a uint8 array, not {getattr(image, 'dtype', type(image).__name__)}")
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"a picture must have the shape (H, W, 3), RGB, not {image.shape}")


def _dlib() -> ModuleType:
    try:
        return importlib.import_module("dlib")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("finding faces needs dlib: pip install 'lgan_jax[faces]'", name="dlib") from error


def _model_file(name: str) -> str:
    """The path of a file of `face_recognition_models`, which cannot be imported where setuptools is missing."""
    package = "face_recognition_models"
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(f"finding faces needs {package}: pip install 'lgan_jax[faces]'", name=package)
    path = Path(found.submodule_search_locations[0]) / "models" / name
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: reinstall with pip install --force-reinstall {package}")
    return str(path)
