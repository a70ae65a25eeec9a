"""Videos and animations whose later frames, or whose shown frames, are far larger than their headers say."""

import functools
import re
from fractions import Fraction

import numpy as np
import pytest
import small_media
from PIL import Image

from lgan_jax import image_limits
from lgan_jax.media import source


def test_a_later_frame_of_an_animation_cannot_enlarge_it(tmp_path):
    """GIF frames say where they lie: one that lies far outside makes Pillow enlarge the image."""
    frames = [Image.fromarray(np.full((20, 30, 3), level, np.uint8)) for level in (10, 200, 90)]
    path = tmp_path / "a.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=40)
    data = bytearray(path.read_bytes())
    places = [found.end() for found in re.finditer(rb"\x21\xf9\x04.{4}\0\x2c", data, re.DOTALL)]
    data[places[1] : places[1] + 4] = (20_000).to_bytes(2, "little") * 2
    path.write_bytes(data)
    found = [frame.image.shape for frame in source.open_source(path).frames()]
    assert found == [(20, 30, 3)]


def test_a_later_frame_of_a_video_cannot_be_huge(tmp_path, monkeypatch):
    parts = [
        small_media.write(tmp_path / f"{side}.h264", [small_media.corner(width=side, height=side)] * 2, form="h264")
        for side in (64, 320)
    ]
    path = tmp_path / "a.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in (parts[0], parts[1], parts[0])))
    assert len(list(source.open_source(path).frames())) == 6
    monkeypatch.setattr(image_limits, "MOST_PIXELS", 100 * 100)
    assert len(list(source.open_source(path).frames())) == 4


def test_wide_pixels_make_no_huge_frame(tmp_path, monkeypatch):
    """The limit holds for the frames as they are shown."""
    wide = Fraction(7, 1)
    path = small_media.write(tmp_path / "a.mp4", [small_media.corner()] * 2, sample_aspect_ratio=wide)
    assert source.open_source(path).video.size == (48 * 7, 32)
    monkeypatch.setattr(image_limits, "check_size", functools.partial(image_limits.check_size, most=48 * 32 * 6))
    with pytest.raises(ValueError, match="megapixels"):
        source.open_source(path)
