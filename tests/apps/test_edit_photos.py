import asyncio
import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from lgan_jax.apps.edit import photos


def encoded(image, kind, **options):
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def picture(width, height):
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (200, 40, 20)
    return Image.fromarray(pixels)


def png_header(width, height):
    """A PNG file that claims a size and holds next to nothing."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def test_a_photo_is_turned_upright_and_made_smaller():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held a quarter turn to the left
    read = photos.decode(encoded(picture(2400, 1200), "JPEG", exif=exif, quality=95))
    assert read.shape == (1600, 800, 3)
    np.testing.assert_allclose(read[100, 700], (200, 40, 20), atol=12)
    np.testing.assert_allclose(read[100, 100], 0, atol=12)


def test_all_formats_keep_small_sizes():
    for kind in ("PNG", "WEBP", "GIF", "TIFF", "AVIF"):
        assert photos.decode(encoded(picture(30, 40), kind)).shape == (40, 30, 3)


@pytest.mark.parametrize(("width", "height"), [(10_000, 5_000), (60_000, 60_000)])
def test_a_huge_photo_is_refused_before_it_is_decoded(width, height):
    with pytest.raises(photos.TooLarge, match="more than 40 megapixels; make it smaller"):
        photos.decode(png_header(width, height))


def test_what_is_no_photo_is_refused():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("face.png", b"no image")
    cut = encoded(picture(300, 200), "PNG")[:200]
    for data in (archive.getvalue(), b"", b"GIF89a", cut, png_header(50, 40)):
        with pytest.raises(ValueError, match="no photo that can be read"):
            photos.decode(data)


def read_body(headers, chunks, most):
    taken = []

    async def stream():
        for chunk in chunks:
            taken.append(chunk)
            yield chunk

    try:
        return asyncio.run(photos.body(headers, stream(), most)), taken
    except photos.TooLarge as error:
        return str(error), taken


def test_a_body_is_counted():
    mega = 2**20
    assert read_body({}, [b"ab", b"c"], mega)[0] == b"abc"
    refusal, taken = read_body({"content-length": str(2**30)}, [b"x"], mega)
    assert refusal == "at most 1 MB can be sent"
    assert taken == []
    refusal, taken = read_body({}, [bytes(mega)] * 1024, mega)
    assert refusal == "at most 1 MB can be sent"
    assert len(taken) == 2
