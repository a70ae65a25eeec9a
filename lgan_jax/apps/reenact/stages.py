"""The two stages between reading and writing frames: detecting faces, and generating the target's faces."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lgan_jax.apps.shared.face_reader import Located, Reader
from lgan_jax.apps.shared.training_distance import TrainingDistance
from lgan_jax.media.one_euro import OneEuro
from lgan_jax.media.source import Frame
from lgan_jax.ops import procrustes
from lgan_jax.protocols import DrivenConverter

# One-Euro parameters, in units of the crop's side. dlib's points of a resting face waver by about 0.002; a mouth that
# opens moves at about 0.5 a second and is then filtered at 27 Hz.
_LEAST, _FOLLOW = 2.0, 50.0


class DetectedFrame(NamedTuple):
    """A frame after detection: its time, its face or None, and its image where it is needed later."""

    time: int
    face: Located | None
    image: np.ndarray | None


class GeneratedFrame(NamedTuple):
    """A frame with generated faces.

    Attributes:
      time: in ticks of the source.
      image: the driving image, where it is needed.
      crop: the driving face, aligned.
      transform: from the driving image's pixels to the crop's, steadied.
      driving: landmarks `(N, 2)` of the driving face in the crop, steadied.
      faces: uint8 `(targets, size, size, 3)`.
      landmarks: `(targets, N, 2)` from which the faces were generated.
    """

    time: int
    image: np.ndarray | None
    crop: np.ndarray
    transform: np.ndarray
    driving: np.ndarray
    faces: np.ndarray
    landmarks: np.ndarray


def detect_faces(frames: Iterator[Frame], reader: Reader, keep: bool) -> Iterator[DetectedFrame]:
    """The stage that detects faces; `keep` passes the images on."""
    for frame in frames:
        face = None if frame.image is None else reader.locate(frame.image)
        yield DetectedFrame(frame.time, face, frame.image if keep and face else None)


class Synthesizer:
    """The stage of the networks: reads and smooths landmarks, and generates each target's face from them.

    Frames go through in batches. Yields a `GeneratedFrame`, or for a frame without a face its time alone.

    Attributes:
      targets: the identities whose faces are generated.
      held: for each, the number of frames in which the constraint changed the landmarks.
      outside: the number of frames with landmarks outside the training range; None where it cannot be measured.
    """

    def __init__(
        self,
        model: DrivenConverter,
        reader: Reader,
        targets: Sequence[str],
        time_base: Fraction,
        batch: int,
        steady: bool = True,
        shifts: Mapping[str, Float[np.ndarray, "N 2"]] | None = None,
        constrain: bool = True,
        coverage: TrainingDistance | None = None,
    ) -> None:
        """`shifts` are added to the driving landmarks of each target: its neutral face less the driver's.

        `constrain` off leaves converted landmarks unchanged. `coverage` measures, before conversion, which frames
        count in `outside`, for any target.
        """
        self._model, self._reader, self.targets = model, reader, tuple(targets)
        self._time_base, self._batch, self._shifts = time_base, batch, shifts
        self._steady = _Steady(model.info.size) if steady else None
        self._constrain = constrain and bool(model.constraint)
        self.held = dict.fromkeys(self.targets, 0)
        self._coverage, self.outside = coverage, None if coverage is None else 0

    def warm_up(self) -> None:
        """Compiles the networks."""
        info = self._model.info
        located = Located(np.zeros((68, 2), np.float32), np.eye(2, 3), np.zeros((info.size, info.size, 3), np.uint8))
        self._faces(self._reader.points([located] * self._batch), self.targets[0])
        self.held = dict.fromkeys(self.targets, 0)

    def __call__(self, found: Iterator[DetectedFrame]) -> Iterator[GeneratedFrame | int]:
        """The stage."""
        while batch := list(itertools.islice(found, self._batch)):
            generated = self._make([frame for frame in batch if frame.face])
            for frame in batch:
                yield next(generated) if frame.face else frame.time

    def _make(self, frames: Sequence[DetectedFrame]) -> Iterator[GeneratedFrame]:
        if not frames:
            return
        faces = [frame.face for frame in frames]
        faces += faces[-1:] * (min(self._batch, 2) - len(faces))  # one alone would be another shape to compile for
        points = self._reader.points(faces)[: len(frames)]
        transforms = [frame.face.transform for frame in frames]
        if self._steady:
            times = [float(frame.time * self._time_base) for frame in frames]
            steadied = [self._steady(*each) for each in zip(points, transforms, times)]
            points, transforms = np.stack([p for p, _ in steadied]), [t for _, t in steadied]
        if self._coverage:
            given = [self._driving(points, target) for target in (self.targets if self._shifts else self.targets[:1])]
            self.outside += sum(max(map(self._coverage.distance, each)) > 1 for each in zip(*given))
        generated = [self._faces(points, target) for target in self.targets]
        for i, frame in enumerate(frames):
            images, landmarks = (np.stack([each[field][i] for each in generated]) for field in (0, 1))
            yield GeneratedFrame(frame.time, frame.image, frame.face.crop, transforms[i], points[i], images, landmarks)

    def _driving(self, points: np.ndarray, target: str) -> np.ndarray:
        """The landmarks that a target's converter is given."""
        return points if self._shifts is None else points + self._shifts[target][None].astype(np.float32)

    def _faces(self, points: np.ndarray, target: str) -> tuple[np.ndarray, np.ndarray]:
        """Faces as uint8, and the landmarks from which they were generated."""
        count = len(points)
        driving = self._driving(points, target)
        padding = min(self._batch, 2) - count
        driving = np.concatenate([driving, driving[-1:].repeat(max(padding, 0), axis=0)])
        landmarks = self._model.convert(driving, target, self._constrain)
        if self._constrain:
            self.held[target] += int((self._model.clamped(driving, target)[:count] > 0).sum())
        images = self._model.synthesize(landmarks, target, convert=False)[:count]
        return np.clip((images + 1) * 127.5 + 0.5, 0, 255).astype(np.uint8), landmarks[:count]


class _Steady:
    """One-Euro filters over the landmarks in the crop, and over the crop's place in the image."""

    def __init__(self, size: int) -> None:
        self._corners = np.array([[0.0, 0.0], [size, 0.0]])
        self._in_crop, self._in_image = OneEuro(_LEAST, _FOLLOW), OneEuro(_LEAST, _FOLLOW)
        self._unit: float | None = None

    def __call__(
        self, points: Float[np.ndarray, "N 2"], transform: Float[np.ndarray, "2 3"], time: float
    ) -> tuple[np.ndarray, np.ndarray]:
        corners = procrustes.apply(procrustes.inverse(transform), self._corners)
        self._unit = self._unit or float(np.linalg.norm(corners[1] - corners[0]))  # of the first crop, in pixels
        placed = self._unit * self._in_image(corners / self._unit, time)
        return self._in_crop(points, time).astype(np.float32), procrustes.similarity(placed, self._corners)
