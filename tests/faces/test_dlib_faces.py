"""dlib behind `Faces`: on faces drawn by the library, whose landmarks are known."""

import sys

import numpy as np
import pytest

pytest.importorskip("dlib", reason="needs the extra [faces]")

from small_videos import face, scene

from lgan_jax.faces import Box, Faces
from lgan_jax.landmarks import IBUG68, inter_ocular


@pytest.fixture(scope="module")
def faces():
    return Faces()


def error(found, true):
    """Mean distance of the inner points over the distance of the outer eye corners."""
    apart = np.linalg.norm(found - true, axis=-1)[IBUG68.inner].mean()
    return apart / inter_ocular(true, IBUG68)


def test_box_area_and_overlap_by_hand():
    a, b = Box(0, 0, 4, 3), Box(2, 1, 6, 3, 0.7)
    assert (a.area, b.area) == (12, 8)
    assert a.overlap(b) == b.overlap(a) == pytest.approx(4 / 16)
    assert a.overlap(Box(5, 0, 6, 1)) == 0
    assert Box(3, 0, 1, 5).area == 0


def test_finds_the_face_where_it_was_drawn(faces):
    image, true = face(person=1)
    picture = scene((image, 70, 20))
    (box,) = faces.find(picture)
    middle = true[IBUG68.inner].mean(0) * 224 + (70, 20)
    assert abs((box.left + box.right) / 2 - middle[0]) < 12
    assert abs((box.top + box.bottom) / 2 - middle[1]) < 12
    landmarks = faces.landmarks(picture, box)
    assert landmarks.dtype == np.float32
    assert error((landmarks * (320, 256) - (70, 20)) / 224, true) < 0.08


def test_landmarks_follow_a_shift_to_a_fraction_of_a_pixel(faces):
    image, _ = face(person=0)
    here, there = scene((image, 40, 10)), scene((image, 47, 13))
    box = faces.find(here)[0]
    moved = Box(box.left + 7, box.top + 3, box.right + 7, box.bottom + 3)
    shift = (faces.landmarks(there, moved) - faces.landmarks(here, box)) * (320, 256)
    np.testing.assert_allclose(shift, np.broadcast_to((7, 3), (68, 2)), atol=0.25)


def test_landmarks_are_fractions_of_the_image_whatever_its_size(faces):
    image, true = face(person=2, size=224)
    large, _ = face(person=2, size=448)
    small = faces.measure(image)
    assert error(faces.measure(large), true) < 0.08
    assert np.linalg.norm(small - faces.measure(large), axis=-1).mean() < 0.01


def test_find_sorts_by_score_and_measure_takes_the_largest(faces):
    small, large = face(person=0, size=150)[0], face(person=1, size=256)[0]
    picture = scene((small, 0, 0), (large, 160, 40), width=420, height=300)
    boxes = faces.find(picture)
    assert len(boxes) == 2
    assert boxes[0].score >= boxes[1].score
    landmarks = faces.measure(picture)
    assert (landmarks[:, 0] * 420).mean() > 220


def test_measure_enlarges_small_images(faces):
    image, true = face(person=2, size=64)
    assert faces.find(image) == []
    assert error(faces.measure(image), true) < 0.08
    assert faces.measure(image, minimum=64) is None


def test_measure_says_none_without_a_face(faces):
    noise = np.random.default_rng(0).integers(0, 256, (96, 130, 3), dtype=np.uint8)
    assert faces.measure(noise) is None


def test_descriptors_tell_people_apart_and_not_poses(faces):
    pictures = [face(0)[0], face(0, yaw=12.0)[0], face(1)[0]]
    landmarks = [faces.measure(picture) for picture in pictures]
    first, turned, other = faces.descriptors(pictures, landmarks)
    assert np.linalg.norm(first - turned) < np.linalg.norm(first - other) - 0.05
    np.testing.assert_allclose(faces.descriptor(pictures[2], landmarks[2]), other, atol=1e-4)
    assert faces.descriptors([], []).shape == (0, 128)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((9, 8, 3), np.float32), "uint8"),
        (np.zeros((9, 8), np.uint8), r"\(H, W, 3\)"),
        (np.zeros((9, 0, 3), np.uint8), r"\(H, W, 3\)"),
        (np.zeros((9, 8, 4), np.uint8), r"\(H, W, 3\)"),
    ],
)
def test_refuses_what_is_no_image(faces, image, message):
    with pytest.raises(ValueError, match=message):
        faces.measure(image)


def test_refuses_boxes_and_landmarks_that_cannot_be(faces):
    image, true = face()
    with pytest.raises(ValueError, match="positive"):
        faces.landmarks(image, Box(5, 5, 5, 9))
    with pytest.raises(ValueError, match=r"\(68, 2\)"):
        faces.descriptor(image, true[:49])
    with pytest.raises(ValueError, match="no area"):
        faces.descriptor(image, np.full((68, 2), np.nan, np.float32))
    with pytest.raises(ValueError, match="2 images but 1"):
        faces.descriptors([image, image], [true])


def test_says_how_to_install_dlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'lgan_jax\[faces\]'"):
        Faces().find(np.zeros((90, 90, 3), np.uint8))
