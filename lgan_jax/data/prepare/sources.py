"""The people in a folder, and the frames of their videos and photos."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np

from lgan_jax.data import images

VIDEOS = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv"})
PHOTOS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
_LONGEST = 8192  # pixels; larger photos are reduced to it when they are read


@dataclasses.dataclass(frozen=True)
class Source:
    """One video, or all photos of a person.

    Attributes:
      files: the video alone, or the photos by name.
      moving: whether frames follow each other in time.
      frames: how many frames the file says it has, roughly; 0 where it doesn't say.
      fault: why it cannot be read, empty if it can.
    """

    files: tuple[Path, ...]
    moving: bool
    frames: int
    fault: str = ""


@dataclasses.dataclass(frozen=True)
class Person:
    """One identity: a name, what shows it, and the names of files that are neither video nor photo."""

    name: str
    sources: tuple[Source, ...]
    skipped: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of all sources."""
        return tuple(file for source in self.sources for file in source.files)


def people(folder: Path) -> tuple[list[Person], list[str]]:
    """The people in a folder, by name, and the names of its files that are no person.

    Raises:
      NotADirectoryError, FileNotFoundError: `folder` is no folder, or isn't there.
      ValueError: nobody is in it, or two have the same name.
    """
    if not folder.exists():
        raise FileNotFoundError(f"there is no folder {folder}")
    if not folder.is_dir():
        raise NotADirectoryError(
            f"{folder} is not a folder; it must hold a video or a folder of photos for each person"
        )
    found, others = [], []
    for path in _listed(folder):
        if path.is_dir():
            person = _person(path.name, _listed(path))
        else:
            person = _person(path.stem, [path] if _kind(path) == "video" else [])
        if person.sources:
            found.append(person)
        else:
            others.append(path.name)
    if not found:
        raise ValueError(f"{folder} holds no video and no folder with photos or videos")
    twice = [name for name, count in collections.Counter(person.name for person in found).items() if count > 1]
    if twice:
        raise ValueError(f"{folder} holds {twice[0]!r} more than once: rename one, or put both into one folder")
    return found, others


def frames(source: Source, start: int = 0) -> Iterator[tuple[int, np.ndarray | None]]:
    """Frames `(index, uint8 (H, W, 3) RGB)` of a source from index `start` on, upright; None is an unreadable photo.

    A damaged part of a video is passed over; what can be decoded before and after it is numbered on.
    """
    if source.fault:
        return
    if source.moving:
        yield from _video_frames(source.files[0], start)
        return
    for index in range(start, len(source.files)):
        try:
            yield index, reduced(images.decode(source.files[index].read_bytes()))
        except (ValueError, OSError):
            yield index, None


def _video_frames(file: Path, start: int) -> Iterator[tuple[int, np.ndarray]]:
    with pyav().open(str(file)) as container:
        for index, frame in enumerate(decoded(container)):
            if index >= start:
                yield index, upright(frame.to_ndarray(format="rgb24"), frame.rotation)


def decoded(container: Any) -> Iterator[Any]:
    """The frames of an open PyAV container's first video track; damaged parts are passed over."""
    av = pyav()
    packets = container.demux(container.streams.video[0])
    while True:
        try:
            yield from next(packets).decode()
        except StopIteration:
            return
        except av.error.InvalidDataError:
            continue


def upright(image: np.ndarray, rotation: int) -> np.ndarray:
    """The picture as a player shows it; `rotation` is in degrees, counter-clockwise, as the file's flag says."""
    return np.ascontiguousarray(np.rot90(image, round(rotation / 90)))


def reduced(image: np.ndarray) -> np.ndarray:
    """A photo whose longer side is at most `_LONGEST` pixels."""
    scale = _LONGEST / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _person(name: str, files: list[Path]) -> Person:
    videos = [_video(file) for file in files if _kind(file) == "video"]
    photos = tuple(file for file in files if _kind(file) == "photo")
    skipped = tuple(file.name for file in files if not _kind(file))
    sources = videos + ([Source(photos, moving=False, frames=len(photos))] if photos else [])
    return Person(name, tuple(sources), skipped)


def _video(file: Path) -> Source:
    av = pyav()
    try:
        with av.open(str(file)) as container:
            if not container.streams.video:
                return Source((file,), moving=True, frames=0, fault="it has no picture track")
            return Source((file,), moving=True, frames=length(container))
    except (av.error.FFmpegError, OSError) as error:
        return Source((file,), moving=True, frames=0, fault=getattr(error, "strerror", None) or str(error))


def length(container: Any) -> int:
    """How many frames a video's header says it has, or the length in time says; 0 where it says neither."""
    stream = container.streams.video[0]
    if stream.frames or not (container.duration and stream.average_rate):
        return stream.frames
    return int(container.duration * stream.average_rate / 1_000_000)


def _kind(file: Path) -> str:
    if not file.is_file():
        return ""
    suffix = file.suffix.lower()
    return "video" if suffix in VIDEOS else "photo" if suffix in PHOTOS else ""


def _listed(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def pyav() -> ModuleType:
    """The module `av`. Raises `ModuleNotFoundError` that says how to install it."""
    try:
        import av
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("reading videos needs PyAV: pip install 'lgan_jax[faces]'", name="av") from error
    return av
