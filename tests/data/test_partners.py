import dataclasses

import bare_faces
import numpy as np
import pytest

from lgan_jax import data
from lgan_jax.data import synthetic
from lgan_jax.data.partners import alike, found, labelled, unlike
from lgan_jax.landmarks import IBUG68, WFLW98_TO_IBUG68


@pytest.fixture(scope="module")
def recording():
    """Eight frames of a person, `(landmarks, units)`: four in one pose, four in another, two calm and two open each."""
    settings = synthetic.Settings(identities=1, train_per_identity=8, test_per_identity=1)
    first = synthetic.sample(settings, "train", 0)
    calm, wide = (0.0,) * 17, (0.0,) * 14 + (1.0, 1.0, 0.0)
    landmarks, units = [], []
    for turned in (-15.0, 15.0):
        for acts in (calm, wide, calm, wide):
            face = bare_faces.record(dataclasses.replace(first, yaw=turned, action_units=acts, lopsided=0.0))
            landmarks.append(face["landmarks"][WFLW98_TO_IBUG68])
            units.append(face["action_units"])
    return np.stack(landmarks), np.stack(units)


def test_partners_share_the_pose_and_differ_in_expression(recording):
    pairs = alike(*recording, IBUG68).tolist()
    assert pairs == [[0, 1], [0, 3], [1, 2], [2, 3], [4, 5], [4, 7], [5, 6], [6, 7]]


def test_frames_without_a_partner_have_none(recording):
    landmarks, units = recording
    assert alike(landmarks[[0, 2]], units[[0, 2]], IBUG68).shape == (0, 2)  # the same face
    assert alike(landmarks[[0, 5]], units[[0, 5]], IBUG68).shape == (0, 2)  # another pose
    assert alike(landmarks[:1], units[:1], IBUG68).shape == (0, 2)


def test_pairs_of_a_split_are_of_one_person(recording):
    landmarks, units = recording
    records = [{"image": b"", "identity": i % 2, "landmarks": landmarks[i], "action_units": units[i]} for i in range(8)]
    whose = np.arange(8) // 4
    split = data.Split([records[i] for i in (0, 1, 2, 3, 0, 1, 4, 5)], whose, 16, pairs=lambda s: found(s, IBUG68))
    assert split.pairs.tolist() == [[0, 1], [0, 3], [1, 2], [2, 3], [4, 5], [6, 7]]
    bare = [{key: record[key] for key in ("image", "identity", "landmarks")} for record in records]
    assert found(data.Split(bare, whose, 16), IBUG68).shape == (0, 2)
    assert data.Split(records, whose, 16).pairs.shape == (0, 2)


def test_images_with_different_labels_are_pairs():
    assert labelled(np.array([0, 5, -1, 0, 5])).tolist() == [[0, 1], [0, 4], [1, 3], [3, 4]]
    assert labelled(np.array([0, 0])).shape == labelled(np.array([3])).shape == (0, 2)
    assert labelled(np.array([-1, 5])).shape == (0, 2)  # an unknown expression may be the same
    many = labelled(np.arange(40) % 2)
    assert (many[:, 0] % 2 != many[:, 1] % 2).all()
    assert len(many) <= 4 * 40


def test_images_with_different_action_units_are_pairs_in_any_pose(recording):
    _, units = recording
    pairs = unlike(units)
    assert {(int(a), int(b)) for a, b in pairs} >= {(0, 1), (0, 5), (2, 7)}
    assert (np.abs(units[pairs[:, 0]] - units[pairs[:, 1]]).max(-1) >= 0.15).all()
    assert unlike(units[:1]).shape == unlike(units[[0, 2, 4]]).shape == (0, 2)


def test_ways_of_finding_pairs_add_up(recording):
    landmarks, units = recording
    records = [{"image": b"", "identity": 0, "landmarks": landmarks[i], "action_units": units[i]} for i in range(8)]
    labels = np.array([0, 0, 0, 0, 0, 0, 0, 5])
    labelled_records = [record | {"expression": label} for record, label in zip(records, labels)]
    split = data.Split(labelled_records, np.zeros(8, int), 16, expression=labels)
    by_pose, by_label = found(split, IBUG68), found(split, IBUG68, ("expression",))
    assert 7 in by_label
    assert (by_label[:, 1] == 7).all()
    both = found(split, IBUG68, ("pose", "expression"))
    assert {*map(tuple, both.tolist())} == {*map(tuple, by_pose.tolist())} | {*map(tuple, by_label.tolist())}
    unlabelled = data.Split(records, np.zeros(8, int), 16)
    assert found(unlabelled, IBUG68, ("expression",)).shape == (0, 2)
    assert found(unlabelled, IBUG68, ("action_units",)).tolist() == unlike(units).tolist()
