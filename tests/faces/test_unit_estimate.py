"""Undoing a head's pose, and action units from landmarks, on built-in faces where the truth is known."""

import bare_faces
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.action_units import units
from lgan_jax.data.synthetic import Sample, person
from lgan_jax.faces.unit_estimate import ESTIMATED, estimate, neutral_head
from lgan_jax.landmarks import IBUG68, INNER49, WFLW98, WFLW98_TO_IBUG68
from lgan_jax.ops.frontal import MEAN_HEAD, frontal

POSES = [(0, 0, 0), (33, 0, 0), (-30, 12, 10), (0, 19, -14), (15, -19, 5)]  # yaw, pitch, roll


def landmarks(acts=None, who=7, pose=(0, 0, 0), scale=0.39):
    """WFLW's points of a built-in face that none of the constants were chosen with."""
    yaw, pitch, roll = map(float, pose)
    acts = tuple(float(v) for v in units(acts or {}))
    sample = Sample(person=person(5, who), action_units=acts, yaw=yaw, pitch=pitch, roll=roll, scale=scale)
    return bare_faces.landmarks(sample)


@pytest.fixture(scope="module")
def rest():
    return neutral_head(landmarks()[None], WFLW98)


def estimated(points, rest):
    return dict(zip(ESTIMATED, estimate(points, rest, WFLW98).tolist(), strict=True))


def test_an_affine_camera_is_undone_exactly():
    camera, shift = np.array([[0.3, -0.1, 0.12], [0.05, 0.4, -0.2]], np.float32), np.array([0.6, 0.4], np.float32)
    shown = MEAN_HEAD @ camera.T + shift
    np.testing.assert_allclose(frontal(shown, MEAN_HEAD), MEAN_HEAD[:, :2], atol=2e-5)
    np.testing.assert_allclose(frontal(jnp.asarray(shown), MEAN_HEAD), MEAN_HEAD[:, :2], atol=2e-5)


def test_a_face_at_rest_is_the_same_in_all_poses(rest):
    shown = np.stack([landmarks(pose=pose) for pose in POSES])
    faces = frontal(shown[:, WFLW98_TO_IBUG68], rest)
    off = np.linalg.norm(faces - rest[:, :2], axis=-1)[:, IBUG68.inner]
    assert off.mean() < 0.008
    assert estimate(shown, rest, WFLW98).max() < 0.2


@pytest.mark.parametrize("number", ESTIMATED)
def test_each_unit_is_seen_when_it_acts_alone(rest, number):
    half, whole = (estimated(landmarks({number: intensity}), rest) for intensity in (0.5, 1.0))
    assert whole[number] > half[number] > 0.05
    if number not in (5, 17):  # these hardly move a point, and are read off what comes with them
        assert whole[number] > 0.35
        assert max(whole, key=whole.get) == number


@pytest.mark.parametrize("pose", POSES)
def test_a_smile_and_a_blink_are_seen_in_every_pose(rest, pose):
    seen = estimated(landmarks({12: 0.8, 25: 0.6, 45: 1.0}, pose=pose, scale=0.3), rest)
    assert abs(seen[12] - 0.8) < 0.25
    assert abs(seen[25] - 0.6) < 0.3
    assert seen[45] > 0.85
    assert max(seen[number] for number in (1, 2, 4, 15)) < 0.25


def test_both_schemes_and_batches_agree(rest):
    shown = np.stack([landmarks({1: 0.7, 26: 0.5}), landmarks({20: 1.0})])
    both = estimate(shown, rest, WFLW98)
    assert both.shape == (2, 12)
    np.testing.assert_allclose(estimate(shown[:, WFLW98_TO_IBUG68], rest, IBUG68), both, atol=1e-6)
    np.testing.assert_allclose(estimate(jnp.asarray(shown), rest, WFLW98), both, atol=1e-4)
    heads = np.stack([rest, MEAN_HEAD])
    np.testing.assert_allclose(estimate(shown, heads, WFLW98)[0], both[0], atol=1e-6)
    with pytest.raises(ValueError, match="inner49 does not contain the 68 points"):
        estimate(shown[:, :49], rest, INNER49)


def test_the_face_at_rest_is_found_among_others(rest):
    acts = [{}, {12: 1.0, 25: 0.7}, {45: 1.0}, {25: 1.0, 26: 1.0}, {1: 0.8, 2: 0.8, 26: 0.6}, {20: 1.0, 25: 0.6}]
    shown = [landmarks(act, pose=pose) for act in acts for pose in POSES[:3]]
    found = neutral_head(np.stack([*shown, np.full((98, 2), np.nan, np.float32)]), WFLW98)
    assert np.linalg.norm(found - rest, axis=-1)[IBUG68.inner].mean() < 0.008
    with pytest.raises(ValueError, match="there are no landmarks to find"):
        neutral_head(np.full((2, 68, 2), np.nan), IBUG68)


def test_what_is_no_face_gives_no_number(rest):
    shown = np.stack([landmarks(), np.full((98, 2), np.nan)])
    result = estimate(shown.astype(np.float32), rest, WFLW98)
    assert np.isfinite(result[0]).all()
    assert np.isnan(result[1]).all()
