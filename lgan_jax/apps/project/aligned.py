"""Photos aligned as a generator's images were: as FFHQ's (Karras et al. 2019), or as a run's; and their landmarks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int, UInt8

from lgan_jax.data.prepare.tracking import Tracker
from lgan_jax.faces import Faces, align
from lgan_jax.media.images import to_floats
from lgan_jax.media.source import open_source, read_photo
from lgan_jax.methods.projection.projector import Projector, flat
from lgan_jax.ops import procrustes

Image = UInt8[np.ndarray, "_ _ 3"]


class Framing(NamedTuple):
    """How faces are detected and cropped.

    Attributes:
      faces: the detector.
      size: pixels a side of the crops.
      alignment: of iBUG's 68 points in pixels, as those of `faces.align`.
      as_it_is: whether an image of exactly that size is a crop already.
      points: indices, among iBUG's 68, of a detected face's landmarks; None: the projector's network detects them
        (a network that was not trained on photos should not).
    """

    faces: Faces
    size: int
    alignment: Callable[[np.ndarray, int], np.ndarray] = align.ffhq_alignment
    as_it_is: bool = False
    points: Int[np.ndarray, " N"] | None = None

    def tracker(self, follow: bool) -> Tracker:
        """Detects a face in each image."""
        return Tracker(self.faces, self.size, follow)


class Face(NamedTuple):
    """The face in a photo.

    Attributes:
      name: the photo's, without its ending.
      crop: aligned, uint8 RGB.
      landmarks: in [0, 1] of the crop; None where the projector's network is to see them.
    """

    name: str
    crop: UInt8[np.ndarray, "side side 3"]
    landmarks: Float32[np.ndarray, "N 2"] | None = None


class Follower:
    """Follows one person through a video; see `face_reader.Reader`."""

    def __init__(self, framing: Framing, projector: Projector) -> None:
        self._framing, self._projector = framing, projector
        self.reset()

    def reset(self) -> None:
        """Starts over: the next image is searched as a whole."""
        self._tracker = self._framing.tracker(True)

    def locate(self, image: Image) -> Face | None:
        """The face in the next image; None where there is none, or none with clear landmarks."""
        face = _found(image, self._framing, self._tracker)
        return face if face is not None and _clear(face, self._projector) else None

    def points(self, faces: Sequence[Face]) -> Float32[np.ndarray, "n N 2"]:
        """The landmarks of n faces."""
        return np.stack([landmarks(face, self._projector) for face in faces])


def read(path: Path, flag: str, framing: Framing, say: Callable[[str], None] = print) -> Face:
    """The one face in the photo at `path`, cropped.

    Raises `FileNotFoundError` without the file, `ValueError` for a file that is no photo, or shows no face or several.
    """
    check(path, flag)
    image = read_photo(path, say)
    if framing.as_it_is and image.shape[:2] == (framing.size, framing.size):
        return Face(path.stem, image)
    tracker = framing.tracker(False)
    face = _found(image, framing, tracker)
    if face is None:
        raise ValueError(f"{flag} {path}: there is no face that can be seen")
    if len(tracker.boxes) > 1:
        count = len(tracker.boxes)
        raise ValueError(f"{flag} {path}: there are {count} faces; crop the photo around the one that is meant")
    return face._replace(name=path.stem)


def check(path: Path, flag: str) -> None:
    """Whether there is one photo at `path`; raises as `read`."""
    if open_source(path).kind != "image":
        raise ValueError(f"{flag} {path} is no photo")


def check_landmarks(face: Face, projector: Projector, name: str) -> None:
    """Raises `ValueError` where a projector's network, if it is to see a face's landmarks, is sure of none."""
    if not _clear(face, projector):
        raise ValueError(f"{name}: the heatmaps of its landmarks are flat (a face in profile?)")


def landmarks(face: Face, projector: Projector) -> Float32[np.ndarray, "N 2"]:
    """A face's landmarks in [0, 1] of its crop: known ones, or those that the projector's network detects."""
    return projector.locate(to_floats(face.crop[None]))[0] if face.landmarks is None else face.landmarks


def _found(image: Image, framing: Framing, tracker: Tracker) -> Face | None:
    """The face in an image that a tracker sees."""
    found = tracker.look(image)
    if found is None:
        return None
    points = found[0].astype(np.float64) * (image.shape[1], image.shape[0])
    transform = framing.alignment(points, framing.size)
    known = None
    if framing.points is not None:
        known = (procrustes.apply(transform, points[framing.points]) / framing.size).astype(np.float32)
    return Face("", align.crop(image, transform, framing.size), known)


def _clear(face: Face, projector: Projector) -> bool:
    """Whether a face's landmarks are known, or a projector's network is sure of them."""
    return (
        face.landmarks is not None
        or not flat(projector.heatmaps(to_floats(face.crop[None])), projector.scheme.inner)[0]
    )
