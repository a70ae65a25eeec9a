"""Opens media files with PyAV (FFmpeg): only local files, only the formats that are read, whatever their names are."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

# FFmpeg's names of the formats of `files.FORMATS`. No playlists: they would open other files, or addresses.
_DEMUXERS = (
    "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,asf,asf_o,flv,live_flv,ogg,mxf,dv,yuv4mpegpipe,ivf,h264,hevc"
)
_ENCODERS = ("libx264", "aac")


def pyav() -> ModuleType:
    """The module `av`. Raises `ModuleNotFoundError` that says how to install it."""
    try:
        import av
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("reading videos needs PyAV: pip install 'lgan_jax[faces]'", name="av") from error
    return av


def open_input(path: Path) -> Any:
    """A PyAV container to read from the file at `path`.

    Raises one of `pyav().error.FFmpegError`'s classes for what FFmpeg cannot read.
    """
    options = {"format_whitelist": _DEMUXERS, "protocol_whitelist": "file"}
    return pyav().open(_url(path), metadata_errors="replace", options=options)


def open_output(path: Path) -> Any:
    """A PyAV container to write the file at `path`, whose ending says of which format."""
    return pyav().open(_url(path), "w")


def check_encoders() -> None:
    """Raises `ImportError` where this build of FFmpeg cannot write the videos that the library writes."""
    missing = [name for name in _ENCODERS if name not in pyav().codecs_available]
    if missing:
        raise ImportError(
            f"this PyAV's FFmpeg has no encoder {' and no '.join(missing)}, which writing videos needs: "
            "pip install --force-reinstall --only-binary :all: av"
        )


def damaged() -> tuple[type[Exception], ...]:
    """The exceptions of decoders for damaged parts of a file; not those of an unreadable disk or a full memory."""
    error = pyav().error
    return (
        error.InvalidDataError,
        error.ArgumentError,
        error.BugError,
        error.ExternalError,
        error.PatchWelcomeError,
        error.UnknownError,
    )


def reason(error: Exception) -> str:
    """What an error of FFmpeg says, in a few words."""
    return getattr(error, "strerror", None) or str(error)


def _url(path: Path) -> str:
    """The path with FFmpeg's prefix for files: without it `12:30.mp4` is the protocol `12`."""
    return "file:" + os.fspath(path)
