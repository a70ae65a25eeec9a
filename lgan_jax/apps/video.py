"""Pictures in: the frames of a video, of a folder of photos, or one photo, upright and with their times."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from lgan_jax.data import images
from lgan_jax.data.prepare.sources import PHOTOS, VIDEOS, decoded, length, pyav, reduced, upright

_RATE = Fraction(25)  # frames a second of photos, and of videos that do not say


class Frame(NamedTuple):
    """One picture of a source.

    Attributes:
      image: uint8 RGB `(H, W, 3)`, upright; None where a photo cannot be read.
      time: in ticks of the source's `time_base`; it grows from frame to frame.
    """

    image: np.ndarray | None
    time: int


@dataclasses.dataclass(frozen=True)
class Source:
    """Where pictures come from.

    Attributes:
      path: as the user named it.
      kind: a "video", a "folder" of photos, which are taken as frames in the order of their names, or one "image".
      files: the video, or the photos in order.
      count: frames that the file says it has, roughly; 0 where it does not say.
      rate: frames a second, on average.
      time_base: seconds in a tick.
      rotation: of the video's flag, degrees counter-clockwise; `frames` has undone it.
    """

    path: Path
    kind: Literal["video", "folder", "image"]
    files: tuple[Path, ...]
    count: int
    rate: Fraction = _RATE
    time_base: Fraction = 1 / _RATE
    rotation: int = 0

    def frames(self) -> Iterator[Frame]:
        """All frames, one after the other; damaged parts of a video are passed over."""
        if self.kind == "video":
            yield from self._video_frames(range(0, 1 << 62))
        else:
            for index in range(len(self.files)):
                yield Frame(_photo(self.files[index]), index)

    def some(self, indices: range) -> Iterator[tuple[int, np.ndarray]]:
        """The frames whose indices are in a range, with their indices; what cannot be read is left out."""
        if self.kind == "video":
            for index, frame in zip(indices, self._video_frames(indices)):
                yield index, frame.image
        else:
            for index in range(len(self.files))[indices.start : indices.stop : indices.step]:
                if (image := _photo(self.files[index])) is not None:
                    yield index, image

    def _video_frames(self, indices: range) -> Iterator[Frame]:
        step = max(round(1 / (self.rate * self.time_base)), 1)
        time = -step
        with pyav().open(str(self.path)) as container:
            container.streams.video[0].thread_type = "AUTO"
            for index, frame in enumerate(decoded(container)):
                if index >= indices.stop:
                    return
                nominal = time + step
                time = nominal if frame.pts is None else max(frame.pts, time + 1) if index else frame.pts
                if index in indices:
                    yield Frame(upright(frame.to_ndarray(format="rgb24"), frame.rotation), time)


def open_source(path: Path) -> Source:
    """What lies at `path`.

    Raises:
      FileNotFoundError: nothing.
      ValueError: a file that is neither video nor photo, a video without a picture that can be decoded, a folder
        without photos. The message is one line.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no file or folder {path}")
    if path.is_dir():
        files = tuple(sorted((file for file in path.iterdir() if _suffix(file) in PHOTOS), key=_numbered))
        if not files:
            raise ValueError(f"{path} holds no photos ({', '.join(sorted(PHOTOS))})")
        return Source(path, "folder", files, len(files))
    if _suffix(path) in PHOTOS:
        try:
            images.decode(path.read_bytes())
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        return Source(path, "image", (path,), 1)
    return _open_video(path)


def _open_video(path: Path) -> Source:
    av = pyav()
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ValueError(f"{path} has no picture track")
            stream = container.streams.video[0]
            first: Any = next(decoded(container), None)
            if first is None:
                raise ValueError(f"no picture of {path} can be decoded: the file is damaged or cut off")
            rate = stream.average_rate or stream.guessed_rate or _RATE
            return Source(path, "video", (path,), length(container), rate, stream.time_base, first.rotation)
    except av.error.FFmpegError as error:
        why = "it is cut off or damaged" if _suffix(path) in VIDEOS else "it is neither a video nor a photo"
        raise ValueError(f"{path} cannot be read: {why} ({error.strerror or error})") from error


def _photo(file: Path) -> np.ndarray | None:
    try:
        return reduced(images.decode(file.read_bytes()))
    except (ValueError, OSError):
        return None


def _suffix(file: Path) -> str:
    return file.suffix.lower() if file.is_file() and not file.name.startswith(".") else ""


def _numbered(file: Path) -> list[Any]:
    """A key that sorts frame2 before frame10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", file.name)]
