"""A few frames of a source, evenly spaced, and the faces in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lgan_jax.apps.shared.face_reader import Reader
from lgan_jax.media.source import Source

_STRIDE = 25  # frames between two of them where a video does not say how long it is
_WITHOUT_END = 1 << 62


def evenly(source: Source, most: int) -> range:
    """Indices of frames, `most` of them at most where the source says how many it has, spread over the whole of it."""
    return range(0, _WITHOUT_END, -(-source.count // most) if source.count else _STRIDE)


def faces(source: Source, reader: Reader, wanted: range) -> Iterator[tuple[int, Any | None]]:
    """The index of each of these frames that can be read, and what `reader` locates in it: None without a face.

    The reader then starts over.
    """
    for index, image in source.some(wanted):
        yield index, reader.locate(image)
    reader.reset()
