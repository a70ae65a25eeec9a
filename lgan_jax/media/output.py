"""Output files: a video with the sound of another, a folder of PNG files, or one PNG file.

Each output grows under a hidden temporary name beside its place. `commit` moves it there, `discard` forgets it, so that
a command that fails never touches earlier files. Everything carries the marks of `provenance`.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from lgan_jax import files
from lgan_jax.media import ffmpeg, provenance
from lgan_jax.media.sound import Sound
from lgan_jax.media.source import Source
from lgan_jax.media.video import UPRIGHT

VIDEO_OUT = (".mp4", ".m4v", ".mov")  # containers that carry the XMP box
_BT709 = 1  # the number of this color space, its primaries, its transfer curve, in ffmpeg and H.264 alike
_LIMITED = 1  # range of YUV values: 16 to 235
_QUALITY = {"crf": "18", "preset": "veryfast"}


@runtime_checkable
class Output(Protocol):
    """A destination of generated images."""

    def write(self, image: np.ndarray, time: int) -> None:
        """Adds an image, uint8 RGB `(H, W, 3)`, at a time in ticks of the source that drives."""

    def finish(self, complete: bool) -> None:
        """Closes the file; not `complete` where the command was stopped before the end."""

    def commit(self, path: Path | None = None) -> None:
        """Moves the output to its place, or to `path` in the same folder."""

    def discard(self) -> None:
        """Deletes what was written, if it is still there."""


def check(out: Path, source: Source, kinds: Sequence[str] | None = None) -> None:
    """Checks, before any work, that `source` can be turned into `out`.

    `kinds` are the endings that `out` may have, an empty one for a folder; by default what fits the source's kind.

    Raises `ValueError` for a kind of output that does not fit or for the input itself, `FileNotFoundError` without the
    folder around it, `FileExistsError` where something else is in the way, `OSError` where nothing can be written.
    """
    if out.exists() and any(out.samefile(path) for path in (source.path, *source.files)):
        raise ValueError(f"--out {out} is the input itself; give it another name")
    suffix = out.suffix.lower()
    wanted = kinds or ((".png",) if source.kind == "image" else ("", *VIDEO_OUT))
    if suffix not in wanted:
        names = ", ".join(name or "a folder" for name in wanted)
        what = {"image": "an image", "folder": "a folder of images", "video": "a video"}[source.kind]
        raise ValueError(f"--out {out}: from {what} comes one of: {names}")
    if not out.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {out.parent} for --out {out.name}")
    if suffix in VIDEO_OUT:
        ffmpeg.check_encoders()
    if suffix and out.is_dir():
        raise FileExistsError(f"--out {out} is a folder")
    if not suffix and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(
            f"--out {out} is there already: choose a new or an empty folder, or a name ending in .mp4"
        )
    _check_writable(out)


def open_output(out: Path, source: Source, run: str) -> Video | PngFolder | PngFile:
    """The output that `out` names, after `check`."""
    if not out.suffix:
        return PngFolder(out, _stems(source.files) if source.kind == "folder" else None, run)
    return PngFile(out, run) if out.suffix.lower() == ".png" else Video(out, source, run)


def _naming_the_place(method: Callable) -> Callable:
    """Makes the errors of a disk that is full, in a method of an output, name the file that was asked for."""

    @functools.wraps(method)
    def named(self, *given, **more):
        with self._new.named():
            return method(self, *given, **more)

    return named


class _Growing:
    """An output that grows beside its place, in a `with` block that discards it; see `Output`."""

    def __init__(self, out: Path, run: str, folder: bool = False) -> None:
        self._new, self._run = files.Replacement(out, folder=folder), run

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.discard()

    def finish(self, complete: bool) -> None:
        pass

    def commit(self, path: Path | None = None) -> None:
        self._new.commit(path)

    def discard(self) -> None:
        self._new.discard()


class Video(_Growing):
    """H.264 at the times of the source's frames, with its sound and its display matrix, in the colors of BT.709.

    Odd widths or heights are preserved by not halving the colors' resolution (4:4:4), which not every player shows.
    """

    def __init__(self, out: Path, source: Source, run: str) -> None:
        super().__init__(out, run)
        self._source, self._part = source, self._new.part
        self._orientation = source.video.orientation if source.video else UPRIGHT
        self._container: Any = None
        self._time = Fraction(0)

    @_naming_the_place
    def write(self, image: np.ndarray, time: int) -> None:
        """See `Output`. The first image's size is the video's."""
        turned = self._orientation.stored(image)
        if self._container is None:
            self._open(turned.shape[1], turned.shape[0])
        if turned.shape[:2] != (self._stream.height, self._stream.width):
            raise ValueError("images change their size, which a video cannot: give a folder as --out")
        frame = ffmpeg.pyav().VideoFrame.from_ndarray(turned, format="rgb24")
        frame = frame.reformat(format=self._stream.pix_fmt, dst_colorspace="itu709", dst_color_range="MPEG")
        frame.pts, frame.time_base = time, self._source.time_base
        self._container.mux(self._stream.encode(frame))
        self._time = time * self._source.time_base
        if self._sound:
            self._sound.until(self._time)

    @_naming_the_place
    def finish(self, complete: bool) -> None:
        """See `Output`. Sound after the last image is preserved where the output is `complete`."""
        if self._container is None:
            return
        self._container.mux(self._stream.encode(None))
        if self._sound:
            self._sound.until(None if complete else self._time)
            self._sound.close()
        self._container.close()
        provenance.mark_mp4(self._part, self._run)

    def discard(self) -> None:
        """See `Output`."""
        if self._container is not None:
            with contextlib.suppress(OSError):  # on a full disk it cannot be closed in order, and need not be
                self._container.close()
        super().discard()

    def _open(self, width: int, height: int) -> None:
        self._container = ffmpeg.open_output(self._part)
        self._container.metadata.update(
            comment=provenance.sentence(self._run), description=provenance.sentence(self._run)
        )
        self._stream = self._container.add_stream("libx264", rate=self._source.rate, options=dict(_QUALITY))
        self._stream.width, self._stream.height = width, height
        self._stream.pix_fmt = "yuv444p" if width % 2 or height % 2 else "yuv420p"
        context = self._stream.codec_context
        context.time_base = self._source.time_base
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        if self._orientation != UPRIGHT:
            self._stream.set_display_matrix(self._orientation.matrix)
        video = self._source.video
        self._sound = None
        if video is not None and not video.animated:
            self._sound = Sound(video.path, self._container, video.begin * video.time_base)
            self._source.notes.extend(self._sound.notes)


class PngFolder(_Growing):
    """A PNG file for each image, named like the photo that drove it, or numbered."""

    def __init__(self, out: Path, names: Sequence[str] | None, run: str) -> None:
        super().__init__(out, run, folder=True)
        self._names, self._written = names, 0

    @_naming_the_place
    def write(self, image: np.ndarray, time: int) -> None:
        """See `Output`."""
        name = self._names[self._written] if self._names else f"{self._written:06d}"
        provenance.write_png(self._new.part / f"{name}.png", image, self._run)
        self._written += 1


class PngFile(_Growing):
    """One PNG file."""

    @_naming_the_place
    def write(self, image: np.ndarray, time: int) -> None:
        """See `Output`."""
        provenance.write_png(self._new.part, image, self._run)


def _check_writable(out: Path) -> None:
    try:
        files.Replacement(out).discard()
    except OSError as error:
        raise OSError(f"--out {out} cannot be written: {os.strerror(error.errno or 0).lower()}") from error


def _stems(files: Sequence[Path]) -> list[str]:
    """The files' names without their endings; with them where two would be the same."""
    stems = [file.stem for file in files]
    return stems if len(set(stems)) == len(stems) else [file.name for file in files]
