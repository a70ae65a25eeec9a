import dataclasses

import bare_faces
import numpy as np
import pytest

from lgan_jax import data
from lgan_jax.data import synthetic
from lgan_jax.data.partners import alike, found
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
