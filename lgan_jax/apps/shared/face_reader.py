"""Locates the face in an image, aligns it as a run's training images, and reads its landmarks.

Images are uint8 RGB `(H, W, 3)`; pixel coordinates run from edge to edge (the first pixel's center is 0.5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Float64, UInt8

from lgan_jax.core import FaceInfo
from lgan_jax.data.prepare.tracking import Tracker
from lgan_jax.faces import Box, Faces, align
from lgan_jax.landmarks import IBUG68, IBUG68_TO_INNER49, WFLW98_TO_IBUG68, Scheme
from lgan_jax.metrics.identity import SAME_PERSON, identity_distance
from lgan_jax.ops import procrustes
from lgan_jax.protocols import LandmarkDetector

# The points of a scheme that align a face, and the same points among iBUG's 68: all that both have inside the outline.
_ALIGNED_BY = {
    "ibug68": (IBUG68.inner, IBUG68.inner),
    "wflw98": (WFLW98_TO_IBUG68[IBUG68.inner], IBUG68.inner),
    "inner49": (np.arange(len(IBUG68_TO_INNER49)), IBUG68_TO_INNER49),
}
_TURNED = {180: "upside down", 90: "on its side", 270: "on its side"}
# The points of iBUG's 68 that make up a scheme, where they do.
FROM_IBUG68 = {"ibug68": np.arange(IBUG68.count), "inner49": IBUG68_TO_INNER49}


@runtime_checkable
class Reader(Protocol):
    """Follows a face through images, as `FaceReader` does; the type of a located face is its own."""

    def locate(self, image: np.ndarray) -> Any | None:
        """The face in the next image."""

    def points(self, faces: Sequence[Any]) -> Float32[np.ndarray, "n N 2"]:
        """The landmarks of several."""

    def reset(self) -> None:
        """Starts over: the next image is searched as a whole."""


class Seen(NamedTuple):
    """The face of one image.

    Attributes:
      landmarks: in the run's scheme, in [0, 1] of the aligned crop, which is the run's frame.
      transform: the similarity from the image's pixels to the crop's.
      crop: the aligned crop.
    """

    landmarks: Float32[np.ndarray, "N 2"]
    transform: Float64[np.ndarray, "2 3"]
    crop: UInt8[np.ndarray, "size size 3"]


class Located(NamedTuple):
    """A detected, aligned face: dlib's landmarks in [0, 1] of the crop, and the fields of `Seen`."""

    ibug68: Float32[np.ndarray, "68 2"]
    transform: Float64[np.ndarray, "2 3"]
    crop: UInt8[np.ndarray, "size size 3"]


class Locator:
    """Detects the face in each image and aligns it as a run's training crops are.

    dlib finds the largest face and keeps to it while it can be seen, unless `follow` is off.
    """

    def __init__(
        self, known: Mapping[str, np.ndarray], info: FaceInfo, faces: Faces | None = None, follow: bool = True
    ) -> None:
        """`known` are the landmarks `(k, N, 2)` that the run was trained on, by identity; they say what its frame is.

        `faces` shares models that are already loaded.
        """
        self._faces, self._follow = faces or Faces(), follow
        self._alignment = alignment(known, info.scheme)
        self.size = info.size
        self.reset()

    def reset(self) -> None:
        """Starts over: the next image is searched as a whole."""
        self._tracker = Tracker(self._faces, self.size, self._follow)

    def load(self) -> None:
        """Loads dlib's models now, not at the first image. Raises `ModuleNotFoundError` without dlib."""
        blank = np.zeros((80, 80, 3), np.uint8)
        self._faces.find(blank)
        self._faces.landmarks(blank, Box(0, 0, 80, 80))

    @property
    def boxes(self) -> list[Box]:
        """The faces detected when a whole image was searched last."""
        return self._tracker.boxes

    def missed(self, image: UInt8[np.ndarray, "H W 3"]) -> str:
        """Why `locate` finds no face in an image, as words to follow "there is no face"; empty where nothing is seen.

        A face may be turned, or too small for the detector.
        """
        for degrees, how in _TURNED.items():
            if self.locate(np.ascontiguousarray(np.rot90(image, degrees // 90))) is not None:
                return f" that is upright, but one {how}; turn the photo first"
        if box := self._tracker.small(image):
            height, width = image.shape[:2]
            return (
                f" that is large enough, but a small one of about {round(box.right - box.left)} pixels in {width}×"
                f"{height}; cut the photo out around it first"
            )
        return ""

    def others(self, faces: Sequence[Located]) -> int:
        """The number of these faces that show another person than the face nearest to all, by dlib's descriptors."""
        if not faces:
            return 0
        known = self._faces.descriptors([face.crop for face in faces], [face.ibug68 for face in faces])
        apart = np.array([identity_distance(known, np.broadcast_to(one, known.shape)) for one in known])
        return int((apart[np.median(apart, 1).argmin()] > SAME_PERSON).sum())

    def locate(self, image: UInt8[np.ndarray, "H W 3"]) -> Located | None:
        """Detects and aligns the face in the next image; None where there is none. Images come in their order."""
        found = self._tracker.look(image)
        if found is None:
            return None
        pixels = found[0].astype(np.float64) * (image.shape[1], image.shape[0])
        transform = self._alignment(pixels, self.size)
        in_crop = procrustes.apply(transform, pixels) / self.size
        return Located(in_crop.astype(np.float32), transform, align.crop(image, transform, self.size))


class FaceReader(Locator):
    """Locates the face of each image, and reads its landmarks in a run's frame.

    `landmarks` names the source of the points: "dlib", or the run's own "detector" on the aligned crop. "auto" is
    dlib where its 68 points make up the run's scheme, and the detector elsewhere.

    `read` handles one image. For many, call `locate` for each in turn, and `points` for several at once.
    """

    def __init__(
        self,
        model: LandmarkDetector,
        known: Mapping[str, np.ndarray],
        landmarks: Literal["auto", "dlib", "detector"] = "auto",
        faces: Faces | None = None,
        follow: bool = True,
    ) -> None:
        """See `Locator`. Raises `ValueError` where dlib's points do not make up the run's scheme but are asked for."""
        scheme = model.info.scheme
        self._model = model
        self._by_dlib = landmarks == "dlib" or (landmarks == "auto" and scheme.name in FROM_IBUG68)
        if self._by_dlib and scheme.name not in FROM_IBUG68:
            raise ValueError(f"dlib has no {scheme.name} points, which this run needs: use its own detector instead")
        super().__init__(known, model.info, faces, follow)

    def read(self, image: UInt8[np.ndarray, "H W 3"]) -> Seen | None:
        """The face in the next image; None where there is none."""
        located = self.locate(image)
        if located is None:
            return None
        return Seen(self.points([located])[0], located.transform, located.crop)

    def points(self, faces: Sequence[Located]) -> Float32[np.ndarray, "n N 2"]:
        """The landmarks of n faces, in the run's scheme and frame."""
        if not faces:
            return np.zeros((0, self._model.info.scheme.count, 2), np.float32)
        if self._by_dlib:
            indices = FROM_IBUG68[self._model.info.scheme.name]
            return np.stack([face.ibug68[indices] for face in faces])
        return self._model.detect(np.stack([face.crop for face in faces]).astype(np.float32) / 127.5 - 1)


def alignment(
    known: Mapping[str, np.ndarray], scheme: Scheme
) -> Callable[[Float64[np.ndarray, "68 2"], int], Float64[np.ndarray, "2 3"]]:
    """The function from landmarks to the similarity to a run's frame, as `align.alignment`; see `template`."""
    places, among_68 = template(known, scheme)
    return lambda landmarks, size: procrustes.similarity(landmarks[among_68], places * size)


def template(known: Mapping[str, np.ndarray], scheme: Scheme) -> tuple[Float[np.ndarray, "k 2"], np.ndarray]:
    """Where the points of a face belong in a run's frame, in [0, 1], and their k indices among iBUG's 68.

    They are the inner points that the run's scheme shares with iBUG's, at their mean over the run's identities, with
    equal weights. Raises `ValueError` for landmarks of another shape than `(k, N, 2)`, or where there are none.
    """
    for name, points in known.items():
        if points.ndim != 3 or points.shape[1:] != (scheme.count, 2) or not len(points):
            raise ValueError(f"the landmarks of {name} have the shape {points.shape}; expected (k, {scheme.count}, 2)")
    if not known:
        raise ValueError("landmarks of at least one person are needed to know how faces are framed")
    own, among_68 = _ALIGNED_BY[scheme.name]
    people = [np.asarray(points, np.float64).mean(0) for points in known.values()]
    return np.mean(people, axis=0)[own], among_68
