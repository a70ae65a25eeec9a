import json
import struct

import numpy as np
import pytest

from lgan_jax.apps.edit import protocol
from lgan_jax.core import FaceInfo
from lgan_jax.landmarks import IBUG68

INFO = FaceInfo(IBUG68, 32, ("ada", "ben", "chloe"))


def test_a_frame_is_laid_out_as_the_page_reads_it():
    frame = protocol.pack({"kind": "face", "id": 3}, b"abcd", b"ef")
    (length,) = struct.unpack_from("<I", frame)
    assert length % 4 == 0
    assert json.loads(frame[4 : 4 + length]) == {"kind": "face", "id": 3}
    assert frame[4 + length :] == b"abcdef"
    assert protocol.unpack(frame) == ({"kind": "face", "id": 3}, b"abcdef")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (b"", "0 bytes"),
        (b"\x01\x00", "2 bytes"),
        (b"\xff\xff\xff\xff{}", "does not fit"),
        (struct.pack("<I", 5000) + b" " * 5000, "does not fit"),
        (struct.pack("<I", 4) + b"\xff\xfe\x00\x01", "not JSON"),
        (struct.pack("<I", 4000) + b"[" * 4000, "not JSON"),
        (struct.pack("<I", 4) + b"[1] ", "no object"),
    ],
)
def test_garbage_is_refused(frame, message):
    with pytest.raises(ValueError, match=message):
        protocol.unpack(frame)


def test_looks():
    assert protocol.look({"people": [2, 0], "convert": False}, INFO) == protocol.Look((2, 0), False)
    blend = {"people": [1], "blend": {"to": 2, "amount": 0.25}}
    assert protocol.look(blend, INFO) == protocol.Look((1,), True, 2, 0.25)


@pytest.mark.parametrize("people", [None, [], [3], [-1], [True], ["ada"], [0, 1, 2, 0], 1])
def test_people_who_are_not_there(people):
    with pytest.raises(ValueError, match="people must be a list of 1 to 3"):
        protocol.look({"people": people}, INFO)


@pytest.mark.parametrize("blend", [{"to": 3, "amount": 0}, {"to": 1}, {"to": 1, "amount": 1.5}, "ada", {"amount": 1}])
def test_blends_that_make_no_sense(blend):
    with pytest.raises(ValueError, match="blend"):
        protocol.look({"people": [0], "blend": blend}, INFO)


def test_landmarks():
    points = np.random.default_rng(1).uniform(size=(2, 68, 2)).astype("<f4")
    np.testing.assert_array_equal(protocol.landmark_sets(points.tobytes(), INFO, 3), points)
    with pytest.raises(ValueError, match=r"1088 bytes; expected 68 points of ibug68, 544 bytes$"):
        protocol.landmark_sets(points.tobytes(), INFO)
    with pytest.raises(ValueError, match="543 bytes"):
        protocol.landmark_sets(points.tobytes()[:543], INFO)
    for spoilt in (np.nan, np.inf, 1e6):
        points[0, 5, 1] = spoilt
        with pytest.raises(ValueError, match="finite and near"):
            protocol.landmark_sets(points[:1].tobytes(), INFO)


def test_numbers_and_encodings():
    assert protocol.number({"id": 12}) == 12
    assert protocol.encoding({}) == "raw"
    for wrong in ({}, {"id": -1}, {"id": True}, {"id": 2**60}, {"id": "1"}):
        with pytest.raises(ValueError, match="whole number"):
            protocol.number(wrong)
    with pytest.raises(ValueError, match="raw, jpeg"):
        protocol.encoding({"encoding": "gif"})
