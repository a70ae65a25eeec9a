"""The Face Landmarker's bundle, detector, frames and action units, with networks that the tests write."""

import zipfile

import numpy as np
import pytest
from small_landmarker import BOX, EYES, SCORES, detector_answers, mesh_points, small_landmarker

from lgan_jax.action_units import NUMBERS
from lgan_jax.faces import Box, align, face_landmarker
from lgan_jax.faces.face_landmarker import bundle, detector
from lgan_jax.faces.face_landmarker.action_units import ESTIMATED, action_units
from lgan_jax.faces.face_landmarker.landmarker import tiles
from lgan_jax.faces.face_landmarker.networks import CENTER, SIDE
from lgan_jax.faces.face_landmarker.tables import BLENDSHAPE_POINTS, BLENDSHAPES, POINTS, TO_IBUG68
from lgan_jax.faces.landmarker_faces import LandmarkerFaces

WIDE = np.full((64, 256, 3), 90, np.uint8)  # the detector sees it at half its size, 48 black rows above and below
HIGH = np.full((192, 96, 3), 90, np.uint8)  # at two thirds, 32 black columns left and right


@pytest.fixture(scope="module")
def landmarker():
    return small_landmarker()


def test_tables_are_permutations_of_the_points():
    assert len(BLENDSHAPES) == len(set(BLENDSHAPES)) == 52
    assert len(set(BLENDSHAPE_POINTS)) == 146
    assert (len(TO_IBUG68), len(set(TO_IBUG68.tolist()))) == (68, 68)
    assert max(*BLENDSHAPE_POINTS, *TO_IBUG68) < POINTS


def test_detections_are_weighted_means_of_overlapping_anchors():
    regressors, logits = detector_answers()
    regressors[700], logits[700] = regressors[194 + 16 * 2 * 0], -9  # below the threshold: no part in it
    (found,) = detector.detections(regressors, logits)
    np.testing.assert_allclose(found.box, (*BOX, 2.5), atol=1e-4)
    np.testing.assert_allclose(found.eyes, EYES, atol=1e-4)
    (anchor,) = np.flatnonzero(logits[:, 0] > 0)
    regressors[anchor + 1], logits[anchor + 1] = regressors[anchor] + 2, 0.5  # the same cell's other anchor
    regressors[0], logits[0] = regressors[anchor], 1.0  # another face, in the first cell
    near, far = detector.detections(regressors, logits)
    share = 1 / (1 + np.exp(-0.5)) / (1 / (1 + np.exp(-0.5)) + 1 / (1 + np.exp(-2.5)))
    np.testing.assert_allclose(near.eyes, np.array(EYES) + 2 * share, atol=1e-4)
    assert (near.box.score, far.box.score) == (2.5, 1.0)
    assert detector.detections(regressors, logits, threshold=3.0) == []
    assert detector.distinct([far, near, near]) == [near, far]


def test_letterboxes_are_undone():
    image = np.zeros((20, 50, 3), np.uint8)
    image[8:12, 30:35] = 255
    square, scale, offset = detector.letterboxed(image)
    rows, columns = np.nonzero(square[..., 0] > 127)
    seen = np.array([[columns.min(), rows.min()], [columns.max() + 1, rows.max() + 1]])
    np.testing.assert_allclose((seen - offset) / scale, [[30, 8], [35, 12]], atol=0.5)


def test_finds_faces_in_images_of_any_shape(landmarker):
    (wide,), (high,) = landmarker.detect(WIDE), landmarker.detect(HIGH)
    np.testing.assert_allclose(wide.box[:4], 2 * (np.array(BOX) - [0, 48, 0, 48]), atol=1e-3)
    np.testing.assert_allclose(high.eyes, 1.5 * (np.array(EYES) - [32, 0]), atol=1e-3)
    assert small_landmarker(face=False).detect(WIDE) == []


def test_tiles_cover_an_image_with_overlap():
    for width, height in ((90, 90), (91, 40), (30, 201), (640, 480)):
        covered = np.zeros((height, width), int)
        for left, top, right, bottom in tiles(width, height):
            assert max(right - left, bottom - top) <= -(-max(width, height) // 2)
            covered[top:bottom, left:right] += 1
        assert covered.min() >= 1
    assert len(tiles(90, 90)) == 9


def test_points_come_back_from_the_turned_square(landmarker):
    points, presence = landmarker.mesh(HIGH)
    assert presence == pytest.approx(1 / (1 + np.exp(-4)))
    eyes = 1.5 * (np.array(EYES) - [32, 0])
    corners = 1.5 * (np.array(BOX).reshape(2, 2) - [32, 0])
    center, side = corners.mean(0), 1.5 * np.ptp(corners, axis=0).max()
    along = (eyes[1] - eyes[0]) / np.linalg.norm(eyes[1] - eyes[0])
    offset = (mesh_points()[TO_IBUG68, :2] - 128) * side / 256
    expected = center + offset[:, :1] * along + offset[:, 1:] * (-along[1], along[0])
    np.testing.assert_allclose(points[TO_IBUG68, :2] * (96, 192), expected, atol=1e-3)
    np.testing.assert_allclose(points[0, 2] * 96, -8 * side / 256, atol=1e-4)
    np.testing.assert_array_equal(landmarker.landmarks(HIGH), points[TO_IBUG68, :2])


def test_lists_batches_and_single_images_agree(landmarker):
    several = landmarker.landmarks([WIDE, HIGH, WIDE])
    assert several.shape == (3, 68, 2)
    np.testing.assert_array_equal(several[1], landmarker.landmarks(HIGH))
    batch = landmarker.landmarks(np.stack([HIGH] * 10), face_landmarker.MESH)
    assert batch.shape == (10, 478, 2)
    np.testing.assert_array_equal(batch[9, TO_IBUG68], several[1])
    np.testing.assert_allclose(landmarker.blendshapes(HIGH), SCORES, atol=1e-6)
    assert landmarker.blendshapes([HIGH, WIDE]).shape == (2, 52)
    assert landmarker.action_units([HIGH, WIDE]).shape == (2, 17)
    assert landmarker.blendshapes([]).shape == (0, 52)


def test_without_a_face_the_answer_is_nan():
    for nothing in (small_landmarker(face=False), small_landmarker(presence=-2.0)):
        assert np.isnan(nothing.landmarks([WIDE, HIGH])).all()
        assert np.isnan(nothing.action_units(WIDE)).all()
    assert np.isnan(small_landmarker(presence=-2.0).landmarks(WIDE[:, :64], aligned=True)).all()


def test_aligned_crops_are_seen_in_a_fixed_square(landmarker):
    crops = np.stack([WIDE[:, :64]] * 3)
    points = landmarker.mesh(crops, aligned=True).points
    expected = (mesh_points()[:, :2] / 256 - 0.5) * SIDE + CENTER
    np.testing.assert_allclose(points[..., :2], np.broadcast_to(expected, (3, 478, 2)), atol=1e-5)
    with pytest.raises(ValueError, match="square"):
        landmarker.landmarks([WIDE], aligned=True)


def test_boxes_give_landmarks_whatever_the_roll(landmarker):
    faces = LandmarkerFaces(landmarker)
    (box,) = faces.find(HIGH)
    points = faces.landmarks(HIGH, box) * (96, 192)
    first = (mesh_points()[:, :2] / 256 - 0.5) * 1.5 * (box.right - box.left)
    side = 1.5 * np.ptp(first, axis=0).max()
    middle = (first.min(0) + first.max(0)) / 2 + [(box.left + box.right) / 2, (box.top + box.bottom) / 2]
    np.testing.assert_allclose(points, middle + (mesh_points()[TO_IBUG68, :2] / 256 - 0.5) * side, atol=1e-2)
    with pytest.raises(ValueError, match="positive"):
        faces.landmarks(HIGH, Box(5, 5, 5, 9))
    with pytest.raises(ValueError, match="upsample"):
        faces.find(HIGH, upsample=1)


def test_refuses_what_it_cannot_do(landmarker):
    with pytest.raises(ValueError, match="'wflw98'"):
        landmarker.landmarks(WIDE, "wflw98")
    with pytest.raises(ValueError, match="uint8"):
        landmarker.landmarks(WIDE.astype(np.float32))
    with pytest.raises(ValueError, match=r"\(H, W, 3\)"):
        landmarker.landmarks(WIDE[..., :2])


def test_the_square_of_a_crop_is_a_similarity():
    transform = align.square(np.array([30.0, 20.0]), np.array([0.0, 2.0]), 40.0, 80)
    np.testing.assert_allclose(transform @ [30, 20, 1], [40, 40])
    np.testing.assert_allclose(transform @ [30, 40, 1], [80, 40])  # what lies along the direction is to the right
    np.testing.assert_allclose(transform @ [10, 20, 1], [40, 80])


def test_action_units_are_known_or_nan_and_relative_to_rest():
    scores = dict.fromkeys(BLENDSHAPES, 0.0) | {"mouthSmileLeft": 1.0, "mouthSmileRight": 0.5, "mouthUpperUpLeft": 0.6}
    units = action_units(np.array(list(scores.values()), np.float32))
    known = dict(zip(NUMBERS, units, strict=True))
    assert sorted(number for number, value in known.items() if not np.isnan(value)) == list(ESTIMATED)
    assert known[12] == pytest.approx(0.75 / 0.85, abs=1e-6)
    assert known[25] > 0.3
    assert {known[number] for number in ESTIMATED if number not in (12, 25)} == {0.0}
    closed = action_units(np.array(list((scores | {"jawOpen": 0.4, "mouthClose": 0.4}).values()), np.float32))
    assert closed[NUMBERS.index(25)] == units[NUMBERS.index(25)]  # the jaw opens behind closed lips
    assert closed[NUMBERS.index(26)] > 0.5
    assert np.isnan(action_units(np.full((3, 52), np.nan))).all()


def zipped(path, **parts):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(f"{name}.tflite", data)
    return path


def test_says_in_one_line_what_is_wrong_with_a_bundle(tmp_path, monkeypatch):
    parts = {"face_detector": b"1", "face_landmarks_detector": b"2", "face_blendshapes": b"3"}
    whole = zipped(tmp_path / "whole.task", **parts)
    cut = tmp_path / "cut.task"
    cut.write_bytes(whole.read_bytes()[:-40])
    hands = zipped(tmp_path / "hands.task", hand_detector=b"4", face_blendshapes=b"3")
    page = tmp_path / "page.task"
    page.write_text("<html>")
    for path, message in (
        (cut, "no whole zip archive"),
        (page, "no whole zip archive"),
        (whole, r"another version.*SHA-256 [0-9a-f]{64}, parts face_detector.tflite, .*SHA-256 64184e22"),
        (
            hands,
            r"another bundle.*SHA-256 [0-9a-f]{64}, parts hand_detector.tflite, face_bl.*lacks face_detector.tflite",
        ),
    ):
        with pytest.raises(ValueError, match=message) as error:
            face_landmarker.load(path)
        assert str(path) in str(error.value)
        assert bundle.SOURCE in str(error.value)
        assert "\n" not in str(error.value)


def test_a_known_version_with_a_damaged_part_is_one_line(tmp_path, monkeypatch):
    path = zipped(tmp_path / "a.task", face_detector=b"1", face_landmarks_detector=b"2", face_blendshapes=b"3")
    monkeypatch.setattr(bundle, "CHECKSUM", bundle.hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(ValueError, match="no TFL3 flatbuffer"):
        face_landmarker.load(path)


def test_the_file_is_named_by_an_option_or_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv(bundle.VARIABLE, raising=False)
    with pytest.raises(FileNotFoundError, match=f"--face-landmarker or {bundle.VARIABLE}"):
        face_landmarker.load(option="--face-landmarker")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        face_landmarker.load(tmp_path / "missing.task")
    monkeypatch.setenv(bundle.VARIABLE, str(zipped(tmp_path / "named.task", a=b"")))
    with pytest.raises(ValueError, match=r"named\.task cannot be read"):
        face_landmarker.load()
