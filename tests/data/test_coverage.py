"""How much of a person is seen, by landmarks."""

import dataclasses

import numpy as np
import pytest
from small_configs import small_config

from lgan_jax.core import FaceInfo
from lgan_jax.data import FaceData, Split, coverage, synthetic
from lgan_jax.data.prepare import person_report
from lgan_jax.experiment.settings import Experiment
from lgan_jax.landmarks import IBUG68, INNER49, WFLW98, to_ibug68, to_inner49

FRAMES = 70


@pytest.fixture(scope="module")
def samples():
    """One person's frames."""
    settings = synthetic.Settings(identities=1, train_per_identity=FRAMES)
    return [synthetic.sample(settings, "train", i) for i in range(FRAMES)]


@pytest.fixture(scope="module")
def landmarks(samples):
    return np.stack([synthetic.landmarks(sample) for sample in samples])


def test_pose_and_openings_are_those_that_were_drawn(samples, landmarks):
    yaw, pitch, scale = coverage.head_pose(to_inner49(landmarks, WFLW98).astype(np.float64))
    for found, true in ((yaw, [s.yaw for s in samples]), (pitch, [s.pitch for s in samples])):
        assert np.corrcoef(found, true)[0, 1] > 0.99
        slope, offset = np.polyfit(true, found, 1)
        assert slope == pytest.approx(1.07, abs=0.06)
        assert abs(offset) < 1
    assert np.std(scale) < 0.05 * np.mean(scale)
    found = coverage.coverage(landmarks, WFLW98)
    assert found.frames == FRAMES
    assert found.spans("yaw") == pytest.approx(np.ptp(np.percentile([s.yaw for s in samples], (5, 95))), rel=0.15)
    assert found.warnings == ()


def test_scheme_place_size_and_tilt_do_not_matter(landmarks):
    found = coverage.coverage(landmarks, WFLW98)
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    for scheme, some in ((IBUG68, to_ibug68(landmarks, WFLW98)), (INNER49, to_inner49(landmarks, WFLW98))):
        other = coverage.coverage((200 * some @ turn + 7).astype(np.float64), scheme)
        for name in ("yaw", "pitch", "mouth", "lids"):
            np.testing.assert_allclose(getattr(other, name), getattr(found, name), rtol=1e-3, atol=1e-3)


def test_openings_are_in_inter_ocular_distances():
    sample = synthetic.sample(synthetic.Settings(), "train", 0)
    sample = dataclasses.replace(sample, yaw=0.0, pitch=0.0, roll=0.0)
    rest, wide = (synthetic.landmarks(sample.with_expression(name)) for name in ("neutral", "surprise"))
    found = coverage.coverage(np.stack([rest, wide]), WFLW98)
    points = to_ibug68(wide, WFLW98)
    gap = np.linalg.norm(points[62] - points[66]) / np.linalg.norm(points[36] - points[45])
    assert found.mouth[1] == pytest.approx(gap, rel=0.25)
    assert found.mouth[0] < 0.1 < found.mouth[1]
    assert found.lids[0] > 0


@pytest.mark.parametrize(
    ("count", "said"),
    [(2, "has 2 frames, and a run needs 3"), (12, "has 12 frames; below 60"), (90, "never moves")],
)
def test_few_frames_and_a_face_that_never_moves(landmarks, count, said):
    still = coverage.coverage(np.repeat(landmarks[:1], count, 0), WFLW98)
    assert any(each.startswith(said) for each in still.warnings)
    assert any(each.startswith("never moves") for each in still.warnings)


def test_a_head_that_never_turns_and_a_mouth_that_never_opens(landmarks):
    covered = coverage.coverage(landmarks, WFLW98)
    (said,) = dataclasses.replace(covered, yaw=(3.0, 8.5), pitch=(1.0, 3.0)).warnings
    assert said.startswith("hardly turns or nods (6°)") or said.startswith("hardly turns or nods (5°)")
    (said,) = dataclasses.replace(covered, mouth=(0.02, 0.04)).warnings
    assert said.startswith("hardly moves the mouth")


def test_no_frame_and_no_known_points(landmarks):
    with pytest.raises(ValueError, match="at least one frame"):
        coverage.coverage(landmarks[:0], WFLW98)


class Points(Split):
    """A split of landmarks alone."""

    def __init__(self, landmarks, identity):
        self._landmarks, self.identity = landmarks, np.array(identity)

    def without_image(self, index):
        return {"landmarks": self._landmarks[index]}


def test_warnings_name_the_person_and_count_all_frames(landmarks):
    train = Points(np.concatenate([landmarks[:50], np.repeat(landmarks[:1], 58, 0)]), [0] * 50 + [1] * 58)
    held_out = Points(landmarks, [0] * 5 + [1] * 1)
    info = FaceInfo(WFLW98, 32, ("Ada", "Bo"))
    faces = FaceData("folder: a", False, info, "0", (), train, held_out, held_out)
    assert {name: found.frames for name, found in coverage.of_people(faces).items()} == {"Ada": 50, "Bo": 58}
    (said,) = coverage.warnings(faces)  # both have 60 frames in all
    assert said.startswith("Bo never moves: ")
    alone = dataclasses.replace(faces, info=FaceInfo(WFLW98, 32, ("Ada",)), train=Points(landmarks, [0] * FRAMES))
    assert coverage.warnings(alone) == [f"Ada {coverage.ALONE}"]
    changes = {"evaluation.frames": 2}
    landmarkgan, dftnet = (
        Experiment.read(small_config(f"{name}:quick", **changes)) for name in ("celebv", "emotionet")
    )
    assert landmarkgan.warnings(alone) == [f"Ada {coverage.ALONE}"]
    assert landmarkgan.warnings(dataclasses.replace(alone, built_in=True)) == []
    assert dftnet.warnings(alone) == []  # it learns from everybody alike


def test_two_people_are_told_apart():
    rng = np.random.default_rng(0)
    one, other = np.zeros(128), np.eye(128)[0] * 0.8
    near = rng.normal(0, 0.01, (9, 128))
    assert person_report.strangers(near + one) is None
    assert person_report.strangers(near + np.where(np.arange(9)[:, None] < 5, one, other)) == 5
    assert person_report.strangers(near + np.where(np.arange(9)[:, None] < 5, one, other / 2)) is None  # too alike
    assert person_report.strangers(near + np.where(np.arange(9)[:, None] == 4, other, one)) is None  # one odd view
    assert person_report.strangers(near[:1]) is None
