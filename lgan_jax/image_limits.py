"""Limits on images of unknown origin, checked before anything is decoded: a small file can claim any size.

Pillow reads the headers. Where a format says its size in two places, the larger one counts.
"""

from __future__ import annotations

import functools
import io
import re
import struct
import warnings
from collections.abc import Iterator

from PIL import Image

MOST_BYTES = 512 * 2**20  # of a file
MOST_PIXELS = 1024**3 // 4 // 3  # 89 megapixels, where Pillow warns of decompression bombs
MOST_SCANS = 100  # of a progressive JPEG, each as costly as a whole image; encoders write about 10
_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "DIB", "TIFF", "GIF", "PPM", "SUN", "JPEG2000")
# Pillow warns at the same limit; `check` says it in one line.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
_TIFF = {b"II*\0": "<", b"MM\0*": ">"}  # how it begins, and the order of its bytes
_TIFF_SIDES = (256, 257)  # tags of width and height
_TIFF_NUMBERS = {3: "H", 4: "I"}  # types of a tag's value
_CODESTREAM = re.compile(rb"\xff\x4f\xff\x51.{4}(.{16})", re.DOTALL)  # of JPEG 2000: far corner and near corner
_EXTENTS = re.compile(rb"ispe\0{4}(.{8})", re.DOTALL)  # of the images in a HEIC or AVIF file


class TooLargeError(ValueError):
    """An image with more pixels than are decoded."""


def check(data: bytes, most: int = MOST_PIXELS) -> None:
    """Whether the image in a file's bytes may be decoded.

    Raises `TooLargeError`, one line, where its header says more than `most` pixels; `ValueError` where it is no image
    of a format that is read, its header is damaged, or it takes far longer to decode than others of its size.
    """
    sizes = list(_sizes(data))
    for width, height in sizes:
        check_size(width, height, most)
    if not any(width * height for width, height in sizes):
        raise ValueError("no image can be decoded")
    if data.startswith(b"\xff\xd8") and data.count(b"\xff\xda") > MOST_SCANS:
        raise ValueError("the JPEG file has far more scans than an image needs; save it anew")


def check_size(width: int, height: int, most: int = MOST_PIXELS) -> None:
    """Raises `TooLargeError`, one line, for an image, or a video's frame, of more than `most` pixels."""
    if width * height > most:
        raise TooLargeError(f"the image has more than {most / 1e6:.0f} megapixels; make it smaller")


def _sizes(data: bytes) -> Iterator[tuple[int, int]]:
    """Width and height in pixels, as often as the file says them."""
    if data[:4] in _TIFF:
        yield _tiff(data)
    elif data[4:8] == b"ftyp":
        yield from (struct.unpack(">2I", found[1]) for found in _EXTENTS.finditer(data))
    else:
        yield _by_pillow(data)
        for found in _CODESTREAM.finditer(data):
            right, bottom, left, top = struct.unpack(">4I", found[1])
            yield max(right - left, 0), max(bottom - top, 0)


def _by_pillow(data: bytes) -> tuple[int, int]:
    """The size in a header, with nothing decoded; (0, 0) where Pillow finds none."""
    try:
        with Image.open(io.BytesIO(data), formats=_formats()) as image:
            return image.size
    except Image.DecompressionBombError:
        raise TooLargeError(f"the image has more than {MOST_PIXELS / 1e6:.0f} megapixels; make it smaller") from None
    except (OSError, ValueError, SyntaxError, struct.error, EOFError, IndexError, KeyError, TypeError, MemoryError):
        return 0, 0


@functools.cache
def _formats() -> tuple[str, ...]:
    """Those of `_FORMATS` that this Pillow reads."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _tiff(data: bytes) -> tuple[int, int]:
    """The size in the first directory of a TIFF file; the largest one where a tag is there twice."""
    order = _TIFF[data[:4]]
    sides = dict.fromkeys(_TIFF_SIDES, 0)
    try:
        (place,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, place)
        for entry in range(place + 2, place + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", data, entry)
            if tag in sides and kind in _TIFF_NUMBERS:
                (value,) = struct.unpack_from(f"{order}{_TIFF_NUMBERS[kind]}", data, entry + 8)
                sides[tag] = max(sides[tag], value)
    except struct.error:
        raise ValueError("the TIFF file is cut off or damaged") from None
    return sides[_TIFF_SIDES[0]], sides[_TIFF_SIDES[1]]
