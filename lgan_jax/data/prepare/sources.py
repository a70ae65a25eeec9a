"""Finds the people in a folder and reads the frames of their videos and photos."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lgan_jax.media import images, photos
from lgan_jax.media.files import kind, listed, nfc, shown
from lgan_jax.media.video import Video, open_video


@dataclasses.dataclass(frozen=True)
class Source:
    """One video, or all photos of a person.

    Attributes:
      files: the video alone, or the photos by name.
      moving: whether frames follow each other in time.
      frames: approximate number of frames, from the file's header; 0 where unknown.
      fault: why it cannot be read; empty if it is readable.
      video: the video; None for photos, and where there is a fault.
      notes: notes for the user, one line each; reading the frames may add notes.
    """

    files: tuple[Path, ...]
    moving: bool
    frames: int
    fault: str = ""
    video: Video | None = None
    notes: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Person:
    """One identity.

    Attributes:
      name: of the file or the sub-folder.
      sources: videos and photos.
      skipped: names of files that are neither.
      loose: whether it is one photo among others of one person each.
    """

    name: str
    sources: tuple[Source, ...]
    skipped: tuple[str, ...] = ()
    loose: bool = False

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of all sources."""
        return tuple(file for source in self.sources for file in source.files)


def people(folder: Path) -> tuple[list[Person], list[str]]:
    """The people in a folder, by name, and the names of its other files.

    Each sub-folder of photos or videos, and each video, is a person; where there is none, each photo is one.

    Raises:
      NotADirectoryError, FileNotFoundError: `folder` is not a folder, or does not exist.
      ValueError: it holds no person, one photo alone, or two people of the same name.
    """
    if not folder.exists():
        raise FileNotFoundError(f"there is no folder {folder}")
    if not folder.is_dir():
        raise NotADirectoryError(
            f"{folder} is not a folder; it must hold a video or a folder of photos for each person"
        )
    found, others, loose = [], [], []
    for path in listed(folder):
        if path.is_dir():
            person = _person(path.name, listed(path))
        else:
            person = _person(path.stem, [path] if kind(path) == "video" else [])
        if person.sources:
            found.append(person)
        else:
            others.append(path)
    if not found:
        loose = [path for path in others if kind(path) == "photo"]
        found = [Person(path.stem, (Source((path,), moving=False, frames=1),), loose=True) for path in loose]
    others = [shown(path.name) + _why_not(path) for path in others if path not in loose]
    if not found:
        raise ValueError(f"{folder} holds no video, no photo, and no folder with photos or videos{_first(others)}")
    if len(loose) == 1:
        raise ValueError(f"{folder} holds one photo, {shown(loose[0].name)}, and each photo is a person: add others")
    _check_names(folder, [person.name for person in found])
    return found, others


def _why_not(path: Path) -> str:
    """Why a folder is not a person, where known."""
    deeper = path.is_dir() and any(kind(file) for below in listed(path) for file in listed(below))
    return "/ (its photos or videos lie a folder too deep)" if deeper else ""


def _first(others: list[str]) -> str:
    return f"; it has {others[0]}" if others else ""


def _check_names(folder: Path, names: list[str]) -> None:
    """Raises `ValueError` where two people have the same name, or a name is not UTF-8."""
    for name in names:
        if shown(name) != name:
            raise ValueError(f"{folder} holds {shown(name)}, whose name is not UTF-8: rename it")
    alike = collections.Counter(nfc(name) for name in names)
    twice = [name for name, count in alike.items() if count > 1]
    if twice:
        raise ValueError(f"{folder} holds {twice[0]!r} more than once: rename one, or put both into one folder")


def frames(source: Source, start: int = 0) -> Iterator[tuple[int, np.ndarray | None]]:
    """Frames `(index, uint8 (H, W, 3) RGB)` of a source from index `start`, upright; None is an unreadable photo.

    Damaged parts of a video are skipped; the decoded frames are numbered consecutively.
    """
    if source.video is not None:
        for index, frame in enumerate(source.video.frames(range(start, 1 << 62)), start):
            yield index, frame.image
    elif not source.fault:
        for index in range(start, len(source.files)):
            yield index, _photo(source, source.files[index])


def _photo(source: Source, file: Path) -> np.ndarray | None:
    try:
        photo = images.read(file)
    except (ValueError, OSError):
        return None
    if photo.alpha is not None and photos.TRANSPARENT not in source.notes:
        source.notes.append(photos.TRANSPARENT)
    return photo.image


def _person(name: str, files: list[Path]) -> Person:
    kinds = {file: kind(file) for file in files}
    videos = [_video(file) for file in files if kinds[file] == "video"]
    stills = tuple(file for file in files if kinds[file] == "photo")
    skipped = tuple(shown(file.name) + "/" * file.is_dir() for file in files if not kinds[file])
    sources = videos + ([Source(stills, moving=False, frames=len(stills))] if stills else [])
    return Person(name, tuple(sources), skipped)


def _video(file: Path) -> Source:
    try:
        video = open_video(file)
    except (ValueError, OSError) as error:
        return Source((file,), moving=True, frames=0, fault=str(error))
    return Source((file,), moving=True, frames=video.count, video=video, notes=video.notes)
