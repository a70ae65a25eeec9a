"""How many pixels an image has is known, for every format, before any of it is decoded."""

import contextlib
import io
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from lgan_jax import image_limits

SIZE = (23, 17)
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG2000", "AVIF")
HUGE = 50_000


def written(kind, size=SIZE, **options):
    file = io.BytesIO()
    Image.new("RGB", size, (200, 40, 90)).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", FORMATS)
def test_images_of_every_format_pass(kind):
    data = written(kind)
    image_limits.check(data, SIZE[0] * SIZE[1])
    with pytest.raises(image_limits.TooLargeError):
        image_limits.check(data, SIZE[0] * SIZE[1] - 1)


def png(width, height):
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def rewritten(kind, mark, offset, sides):
    """A small image whose sides, `offset` bytes after a mark, say another size."""
    data = bytearray(written(kind))
    start = data.index(mark) + offset
    data[start : start + len(sides)] = sides
    return bytes(data)


def tiff(width, height, order="<", twice=False):
    """A directory of the two sides; with `twice`, a small width stands behind the large one."""
    tags = [(256, 4, width), *([(256, 4, 3)] if twice else []), (257, 3 if height < 65536 else 4, height)]
    entries = b""
    for tag, kind, value in tags:
        packed = struct.pack(f"{order}H2x", value) if kind == 3 else struct.pack(f"{order}I", value)
        entries += struct.pack(f"{order}HHI", tag, kind, 1) + packed
    start = b"II*\0" if order == "<" else b"MM\0*"
    return start + struct.pack(f"{order}IH", 8, len(tags)) + entries + bytes(4)


def webp(width, height):
    header = struct.pack("<B3x", 0) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    whole = written("WEBP")[12:]
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + header + whole
    return b"RIFF" + struct.pack("<I", len(body)) + body


CLAIMS = {
    "png": png(HUGE, HUGE),
    "jpeg": rewritten("JPEG", b"\xff\xc0", 5, struct.pack(">2H", HUGE, HUGE)),
    "bmp": rewritten("BMP", b"BM", 18, struct.pack("<2i", HUGE, -HUGE)),
    "gif": rewritten("GIF", b"GIF", 6, struct.pack("<2H", HUGE, HUGE)),
    "tiff": tiff(HUGE, HUGE),
    "tiff of the other order": tiff(HUGE, 70_000, ">"),
    "tiff with a tag twice": tiff(70_000, HUGE, twice=True),
    "ppm": f"P6 {HUGE} {HUGE} 255\n".encode() + b"\0" * 10,
    # The box says the small size, the code stream the large one.
    "jpeg 2000": rewritten("JPEG2000", b"\xff\x4f\xff\x51", 8, struct.pack(">2I", HUGE, HUGE)),
    "avif": rewritten("AVIF", b"ispe", 8, struct.pack(">2I", HUGE, HUGE)),
    "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0\0\0\x14ispe\0\0\0\0" + struct.pack(">2I", HUGE, HUGE),
}


@pytest.mark.parametrize("data", CLAIMS.values(), ids=CLAIMS)
def test_a_small_file_that_claims_many_pixels_is_refused_at_once(data):
    assert len(data) < 5000
    start = time.perf_counter()
    with pytest.raises(image_limits.TooLargeError, match="more than 89 megapixels") as caught:
        image_limits.check(data)
    assert "\n" not in str(caught.value)
    assert time.perf_counter() - start < 5


def test_a_webp_canvas_is_what_counts():
    with pytest.raises(ValueError, match=r"megapixels|no image"):
        image_limits.check(webp(16_000, 16_000))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no image",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        tiff(0, 5),
        png(0, 5),
        b"\0\0\0\x18ftypheic",
        b"%!PS-Adobe-3.0",
    ],
)
def test_what_is_no_image_is_one_line(data):
    with pytest.raises(ValueError, match=r"no image can be decoded|cut off or damaged"):
        image_limits.check(data)


def test_a_jpeg_of_very_many_scans_is_refused():
    data = written("JPEG", progressive=True)
    image_limits.check(data)
    scan = data.index(b"\xff\xda")
    with pytest.raises(ValueError, match="far more scans"):
        image_limits.check(data[:scan] + data[scan:-2] * 101 + data[-2:])


@pytest.mark.parametrize("kind", FORMATS)
def test_nothing_that_pillow_says_of_a_damaged_header_comes_through(kind):
    rng, data = np.random.default_rng(7), written(kind)
    for _ in range(30):
        damaged = bytearray(data)
        for place in rng.integers(0, min(len(data), 80), 3):
            damaged[place] = rng.integers(256)
        with contextlib.suppress(ValueError):
            image_limits.check(bytes(damaged))
