"""Input frames: of a video, a folder of photos, or one photo, upright and with their times."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from lgan_jax.media import files as media
from lgan_jax.media import images, photos
from lgan_jax.media.video import RATE, Frame, Video, open_video

__all__ = ["Frame", "Source", "open_source"]


@dataclasses.dataclass(frozen=True)
class Source:
    """A source of frames.

    Attributes:
      path: as the user named it.
      kind: a "video" (or an animated image), a "folder" of photos, which are taken as frames in the order of their
        names, or one "image".
      files: the video, or the photos in order.
      count: frames that the file says it has, roughly; 0 where it does not say.
      rate: frames a second, on average.
      time_base: seconds in a tick.
      video: the video; None for photos.
      notes: what a user should know, one line each; reading the frames may add to it.
    """

    path: Path
    kind: Literal["video", "folder", "image"]
    files: tuple[Path, ...]
    count: int
    rate: Fraction = RATE
    time_base: Fraction = 1 / RATE
    video: Video | None = None
    notes: list[str] = dataclasses.field(default_factory=list)

    def frames(self) -> Iterator[Frame]:
        """All frames, one after the other; damaged parts of a video are passed over."""
        if self.video is not None:
            yield from self.video.frames()
        else:
            for index in range(len(self.files)):
                yield Frame(self._photo(index), index)

    def some(self, indices: range) -> Iterator[tuple[int, np.ndarray]]:
        """The frames whose indices are in a range, with their indices; unreadable ones are skipped."""
        if self.video is not None:
            for index, frame in zip(indices, self.video.frames(indices)):
                yield index, frame.image
        else:
            for index in range(len(self.files))[indices.start : indices.stop : indices.step]:
                if (image := self._photo(index)) is not None:
                    yield index, image

    def _photo(self, index: int) -> np.ndarray | None:
        try:
            photo = images.read(self.files[index])
        except (ValueError, OSError):
            return None
        if photo.alpha is not None and photos.TRANSPARENT not in self.notes:
            self.notes.append(photos.TRANSPARENT)
        return photo.image


def open_source(path: Path) -> Source:
    """Opens a video, a folder of photos or a photo, by its contents.

    Raises:
      FileNotFoundError: nothing.
      ValueError: a file that is neither video nor photo, a video without an image that can be decoded, a folder
        without photos. The message is one line.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no file or folder {path}")
    if path.is_dir():
        return _open_folder(path)
    found = media.format_of(path)
    if media.kind(path) == "photo":
        try:
            images.read(path)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        return Source(path, "image", (path,), 1)
    if found is not None and found.kind == "other":
        raise ValueError(f"{path} is neither a video nor a photo that can be read: it is {found.name}")
    try:
        video = open_video(path)
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    return Source(path, "video", (path,), video.count, video.rate, video.time_base, video, video.notes)


def read_photo(path: Path, say: Callable[[str], None]) -> UInt8[np.ndarray, "H W 3"]:
    """The image in a photo's file; says where transparent parts are composited. Raises as `images.read`."""
    photo = images.read(path)
    if photo.alpha is not None:
        say(f"{path.name}: {photos.TRANSPARENT}")
    return photo.image


def _open_folder(path: Path) -> Source:
    listed = media.listed(path)
    files = tuple(sorted((file for file in listed if media.kind(file) == "photo"), key=media.natural))
    others = [media.shown(file.name) + "/" * file.is_dir() for file in listed if file not in files]
    if not files:
        below = any(media.kind(file) == "photo" for folder in listed for file in media.listed(folder))
        deeper = " itself, only in folders below: give one of these" if below else ""
        raise ValueError(f"{path} holds no photos{deeper} ({', '.join(media.PHOTO_ENDINGS)})")
    notes = [f"not read, for they are no photos: {media.summary(others)}"] if others else []
    return Source(path, "folder", files, len(files), notes=notes)
