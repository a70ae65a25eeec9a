"""Base class of CK+ and Oulu-CASIA: recordings of people who pose an expression, from neutral to its peak.

The first three frames of a sequence are neutral, the last three are the peak and have the sequence's label (Li et al.,
IEEE Access 2021, section IV.A); the frames between are not used.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import threading
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from lgan_jax.action_units import EXPRESSIONS
from lgan_jax.data.builders import base
from lgan_jax.data.split import HeldOut
from lgan_jax.faces import Faces, align
from lgan_jax.media import files, images
from lgan_jax.ops import procrustes

SIZE = 128  # pixels a side of a crop, as in the paper
ENDS = 3  # frames at either end of a sequence
NEUTRAL = EXPRESSIONS.index("neutral")
_SMALLEST = 32  # pixels; smaller images are skipped
_ENLARGED = 480  # pixels; smaller frames are enlarged to this shorter side before face detection


@dataclasses.dataclass(frozen=True)
class Recording:
    """A sequence of frames with its subject, its name in messages, and the expression at its end."""

    subject: str
    name: str
    frames: tuple[Path, ...]
    expression: int


@dataclasses.dataclass(frozen=True)
class Frame:
    """A selected image with its identity, expression and split."""

    path: Path
    identity: int
    expression: int
    split: str


class Posed(base.FaceBuilder, skip_registration=True):
    """Aligned crops of `SIZE` pixels a side with dlib's 68 landmarks and an expression; split by subject.

    Frames may be gray or in color, of 8 or 16 bits, and of any size. In images with several faces the largest is used.

    Skipped, counted and named: recordings of fewer than two frames, and frames that cannot be decoded, are smaller
    than 32 pixels, or show no face. Recordings with fewer than six frames use half of
    their frames at either end.

    Raises `ModuleNotFoundError` where dlib is not installed.

    Args:
      root: the data set's folder.
      cache: see `base.FaceBuilder`.
      name: name of the data set, the prefix of the key.
      recordings: the labeled recordings.
      others: further files that the records depend on.
      held_out: subjects of the validation and of the test split.
    """

    def __init__(
        self,
        root: Path,
        cache: Path,
        name: str,
        recordings: Sequence[Recording],
        others: Collection[Path],
        held_out: HeldOut,
    ):
        self.root, self.recordings, self.held_out = root, recordings, held_out
        used = [*others, *(path for recording in recordings for path in recording.frames)]
        digest = hashlib.sha256(repr((base.listing_key(root, used), held_out)).encode())
        identities = tuple(sorted({recording.subject for recording in recordings}))
        super().__init__(cache, f"{name}-{digest.hexdigest()[:16]}", identities, "ibug68")
        self.disjoint = True
        self._faces = Faces()
        self._one_at_a_time = threading.Lock()  # dlib's detector has state

    def features(self):
        return {"expression": np.int32}

    def records(self):
        frames = list(self._frames())
        self.total = len(frames)
        yield from self.usable(self.read, ((self.called(frame.path), frame) for frame in frames))

    def called(self, path: Path) -> str:
        """The name of a file in messages."""
        return path.relative_to(self.root).as_posix()

    def compare(self, path: Path, points: Float32[np.ndarray, "68 2"]) -> None:
        """Raises `Unusable` where the data set's annotation contradicts the detected landmarks, in pixels."""

    def _frames(self) -> Iterator[Frame]:
        """The frames to read, subject by subject."""
        splits = self.held_out.of(self.identities) if self.identities else {}
        for recording in sorted(self.recordings, key=lambda recording: (recording.subject, recording.name)):
            count = min(ENDS, len(recording.frames) // 2)
            if not count:
                self.skip("sequence of fewer than two frames", recording.name)
                continue
            identity = self.identities.index(recording.subject)
            ends = ((recording.frames[:count], NEUTRAL), (recording.frames[-count:], recording.expression))
            for split, (paths, expression) in itertools.product(splits[recording.subject], ends):
                yield from (Frame(path, identity, expression, split) for path in paths)

    def read(self, frame: Frame) -> tuple[str, base.Record]:
        """The split and the record of one frame; raises `base.Unusable` for one that must be skipped."""
        image = base.decoded(base.read_bytes(frame.path))
        height, width = image.shape[:2]
        if min(height, width) < _SMALLEST:
            raise base.Unusable(f"smaller than {_SMALLEST} pixels")
        with self._one_at_a_time:
            found = self._faces.measure(image, _ENLARGED)
        if found is None:
            raise base.Unusable("no face is found")
        points = (found * (width, height)).astype(np.float32)
        self.compare(frame.path, points)
        crop, landmarks = cropped(image, points)
        base.check_landmarks(landmarks)
        record = {"image": images.encode_png(crop), "landmarks": landmarks, "identity": frame.identity}
        return frame.split, record | {"expression": frame.expression}


def cropped(
    image: UInt8[np.ndarray, "H W 3"], points: Float32[np.ndarray, "68 2"]
) -> tuple[UInt8[np.ndarray, "S S 3"], Float32[np.ndarray, "68 2"]]:
    """The aligned crop of a face with landmarks in pixels from edge to edge, and the landmarks in [0, 1] of it."""
    transform = align.alignment(points, SIZE)
    inside = procrustes.apply(transform, points.astype(np.float64)) / SIZE
    return align.crop(image, transform, SIZE), inside.astype(np.float32)


def folder(root: Path, path: str, name: str) -> Path:
    """The folder `path` below `root`, or one level deeper, as archives are unpacked.

    Raises `FileNotFoundError` where `root` is no folder, `ValueError` where there is no such folder, or there are two.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}; give the folder that holds {path}")
    if (root / path).is_dir():
        return root / path
    found = [each / path for each in folders(root) if (each / path).is_dir()]
    if not found:
        raise ValueError(f"{root} is not {name} as its owners distribute it: it has no {path}")
    if len(found) > 1:
        raise ValueError(f"{root} has {path} in {found[0].name} and in {found[1].name}: give one of these folders")
    return found[0]


def folders(path: Path) -> list[Path]:
    """The folders in a folder, sorted, without hidden ones; empty where it does not exist."""
    return [each for each in files.listed(path) if each.is_dir()]


def frames(path: Path) -> tuple[Path, ...]:
    """The images in a folder by their names, which are numbers of one width, without hidden ones."""
    return tuple(each for each in files.listed(path) if files.is_photo(each))
