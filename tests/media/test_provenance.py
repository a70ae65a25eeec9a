import io
from xml.etree import ElementTree

import numpy as np
import pytest
import small_videos
from PIL import Image

import lgan_jax
from lgan_jax.media import provenance

RUN = 'a<b & "c"'
_DESCRIPTION = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description"
_EXTENSION = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"


def _fields(packet: bytes) -> dict[str, str]:
    return next(ElementTree.fromstring(packet.decode().lstrip("\ufeff")).iter(_DESCRIPTION)).attrib


def test_packet_says_what_made_it():
    fields = _fields(provenance.xmp(RUN))
    source = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    assert fields[f"{_EXTENSION}DigitalSourceType"] == source
    assert fields[f"{_EXTENSION}AISystemVersionUsed"] == lgan_jax.__version__
    assert fields[f"{_EXTENSION}AISystemUsed"].endswith(RUN)


def test_png_keeps_the_pixels_and_carries_the_packet(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    provenance.write_png(tmp_path / "a.png", image, RUN)
    with Image.open(tmp_path / "a.png") as stored:
        stored.load()
        np.testing.assert_array_equal(np.asarray(stored), image)
        assert stored.text["XML:com.adobe.xmp"].encode() == provenance.xmp(RUN)
        assert RUN in stored.text["Description"]
    assert Image.open(io.BytesIO(provenance.png_bytes(image, RUN))).text.keys() == stored.text.keys()
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_mp4_carries_the_packet_in_the_box_that_xmp_names_and_still_plays(tmp_path):
    import av

    video = small_videos.write_video(tmp_path / "a.mp4", [np.full((32, 48, 3), 90, np.uint8)] * 3)
    provenance.mark_mp4(video, RUN)
    data, boxes, at = video.read_bytes(), {}, 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        boxes[data[at + 4 : at + 8]] = data[at + 8 : at + size]
        at += size
    assert at == len(data)
    assert boxes[b"uuid"][:16].hex() == "be7acfcb97a942e89c71999491e3afac"
    assert boxes[b"uuid"][16:] == provenance.xmp(RUN)
    with av.open(str(video)) as container:
        assert len(list(container.decode(video=0))) == 3


@pytest.mark.parametrize("shape", [(64, 64), (480, 854), (33, 51)])
def test_mark_is_visible_small_and_in_the_lower_right_corner(shape):
    image = np.full((*shape, 3), 200, np.uint8)
    marked = provenance.mark(image)
    assert (image == 200).all()
    rows, columns = np.nonzero((marked != 200).any(-1))
    assert 9 <= np.ptp(rows) + 1 <= max(9, shape[0] / 12)
    assert np.ptp(columns) + 1 <= 2 * (np.ptp(rows) + 1)
    assert rows.min() > shape[0] / 2
    assert columns.min() > shape[1] / 2
    part = marked[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].astype(int)
    assert np.ptp(part) > 80  # letters on a ground


def test_a_tiny_image_has_no_mark():
    image = np.zeros((16, 40, 3), np.uint8)
    np.testing.assert_array_equal(provenance.mark(image), image)
