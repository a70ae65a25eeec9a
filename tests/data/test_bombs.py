"""A small file that claims a huge image, among whole ones: it is skipped and counted, never decoded."""

import io
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from lgan_jax import image_limits
from lgan_jax.data.builders import base, wflw
from lgan_jax.data.prepare import sources
from lgan_jax.media import images


def picture(kind="PNG", claim=None):
    """A file of 21×13 pixels; with `claim`, its header says that many a side."""
    file = io.BytesIO()
    Image.new("RGB", (21, 13), (9, 200, 30)).save(file, kind)
    data = bytearray(file.getvalue())
    if claim:
        places = {"PNG": slice(16, 24), "BMP": slice(18, 26)}
        data[places[kind]] = 2 * claim.to_bytes(4, "big" if kind == "PNG" else "little")
        if kind == "PNG":
            data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize("kind", ["PNG", "BMP"])
def test_it_is_refused_before_memory_is_taken(kind):
    assert images.decode(picture(kind)).shape == (13, 21, 3)
    tracemalloc.start()
    with pytest.raises(image_limits.TooLargeError):
        images.decode(picture(kind, 40_000))
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_in_a_data_set_it_is_skipped_and_counted():
    builder = wflw.WFLW.__new__(wflw.WFLW)
    builder.skipped = {}
    files = [("a.png", picture()), ("b.png", picture(claim=50_000)), ("c.png", picture(claim=70_000))]
    assert [image.shape for image in builder.usable(base.decoded, files)] == [(13, 21, 3)]
    assert builder.skipped == {"the image has more than 89 megapixels; make it smaller": ["b.png", "c.png"]}


def test_among_a_persons_photos_it_is_an_unreadable_one(tmp_path):
    for name, data in (("1.png", picture()), ("2.png", picture(claim=50_000)), ("3.png", picture())):
        (tmp_path / name).write_bytes(data)
    source = sources.Source(tuple(sorted(tmp_path.iterdir())), moving=False, frames=3)
    assert [(i, None if image is None else image.shape) for i, image in sources.frames(source)] == [
        (0, (13, 21, 3)),
        (1, None),
        (2, (13, 21, 3)),
    ]


def test_a_file_that_is_far_too_large_is_skipped(tmp_path):
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(image_limits.MOST_BYTES + 1)
    with pytest.raises(base.Unusable, match="more than 512 MB"):
        base.read_bytes(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "b/../../a.png", "a\0.png"])
def test_an_annotation_cannot_name_a_file_elsewhere(tmp_path, name):
    with pytest.raises(base.Unusable, match="outside of the folder"):
        base.below(tmp_path, name)


def test_an_annotation_file_of_too_many_lines_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(base, "_MOST_LINES", 3)
    (tmp_path / "list.txt").write_bytes("\ufeffa 1\r\nb 2\rc 3\n".encode())
    assert base.read_lines(tmp_path / "list.txt") == ["a 1", "b 2", "c 3"]
    (tmp_path / "list.txt").write_text("\n" * 4)
    with pytest.raises(ValueError, match=r"list\.txt has more than 3 lines"):
        base.read_lines(tmp_path / "list.txt")


def test_image_arrays_are_as_they_were():
    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, (17, 12, 3), np.uint8)
    np.testing.assert_array_equal(images.decode(images.encode_png(image)), image)
