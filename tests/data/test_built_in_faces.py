import dataclasses

import numpy as np
import pytest
import tensorflow_datasets as tfds

from lgan_jax import config, data
from lgan_jax.data import builders, synthetic, training_landmarks
from lgan_jax.data.builders import base
from lgan_jax.data.builders import synthetic as rendering
from lgan_jax.landmarks import IBUG68_TO_INNER49, WFLW98_TO_IBUG68

WFLW98_TO_INNER49 = WFLW98_TO_IBUG68[IBUG68_TO_INNER49]
SMALL = synthetic.Settings(identities=2, train_per_identity=3, validation_per_identity=2, test_per_identity=1)


def opened(tmp_path, size=32, **fields):
    fields = {"name": "celebv", "built_in": SMALL} | fields
    return data.open_faces(data.Settings(size=size, cache=str(tmp_path), **fields))


def test_the_records_are_what_is_drawn(tmp_path):
    faces = opened(tmp_path)
    assert (faces.name, faces.built_in, faces.notes) == ("built-in faces", True, ())
    assert faces.info.identities == synthetic.names(SMALL)
    assert (faces.info.scheme.name, faces.info.size) == ("wflw98", 32)
    assert faces.counts == {"train": 6, "validation": 4, "test": 2}
    assert faces.counted() == "6 training, 4 validation and 2 test images"
    for name in faces.counts:
        split = getattr(faces, name)
        for i in range(len(split)):
            drawn = synthetic.draw(synthetic.sample(faces.drawn, name, i), 32)
            assert split[i].keys() == drawn.keys()
            for key, value in drawn.items():
                np.testing.assert_array_equal(split[i][key], value, err_msg=key)
                assert split[i][key].dtype == value.dtype


@pytest.mark.parametrize(("scheme", "points"), [("ibug68", WFLW98_TO_IBUG68), ("inner49", WFLW98_TO_INNER49)])
def test_fewer_points_are_read_from_the_same_set(tmp_path, scheme, points):
    whole, part = opened(tmp_path), opened(tmp_path, scheme=scheme)
    assert part.info.scheme.name == scheme
    assert part.info.images == 6
    np.testing.assert_array_equal(part.test[1]["landmarks"], whole.test[1]["landmarks"][points])
    assert part.fingerprint != whole.fingerprint
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1


POSED = synthetic.Settings(
    identities=2,
    train_per_identity=3,
    validation_per_identity=5,
    test_per_identity=4,
    test_identities=1,
    acts="posed",
    turning=0.5,
)


def test_people_held_out_whole(tmp_path):
    faces = opened(tmp_path, name="oulu_casia", built_in=POSED, scheme="ibug68")
    assert faces.info.identities == ("ada", "ben", "chloe", synthetic.names(POSED)[3])
    assert faces.train.identity.tolist() == [0, 1] * 3
    assert faces.test.identity.tolist() == [2] * 4
    assert faces.validation.identity.tolist() == [3] * 5
    assert faces.train.expression.tolist() == [0, 0, 1, 1, 2, 2]
    assert [int(faces.test[i]["expression"]) for i in range(4)] == faces.test.expression.tolist() == [0, 1, 2, 3]
    assert faces.notes == (
        "split by subject: 2 in the training split, 1 in the validation split, 1 in the test split",
        "no subject shows happiness, sadness, surprise",
        "no subject in the training split shows disgust, fear",
        "no subject in the test split shows fear",
    )
    faces.require_subjects()
    assert training_landmarks.landmarks(faces, 1).shape == (3, 68, 2)
    assert training_landmarks.landmarks(faces, 2).shape == (0, 68, 2)  # nobody to train on


def test_people_in_both_splits_or_with_one_expression_each(tmp_path):
    with pytest.raises(ValueError, match=r"ada is in the training and in another split, .*test_identities"):
        opened(tmp_path).require_subjects()
    lone = dataclasses.replace(POSED, test_per_identity=1)
    with pytest.raises(ValueError, match="built-in faces: no person in the test split has images with two different"):
        opened(tmp_path, built_in=lone).require_subjects()


def test_drawn_once_for_the_same_settings(tmp_path, monkeypatch):
    first = opened(tmp_path)
    other = opened(tmp_path, built_in=dataclasses.replace(SMALL, seed=5))
    larger = opened(tmp_path, size=40)
    assert len({first.fingerprint, other.fingerprint, larger.fingerprint}) == 3
    monkeypatch.setattr(synthetic, "draw", lambda *_: pytest.fail("drawn again"))
    assert opened(tmp_path).fingerprint == first.fingerprint


def test_a_cache_of_before_there_was_a_validation_split_is_built_anew(tmp_path, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr(base.FaceBuilder, "VERSION", tfds.core.Version("1.0.0"))
        before.setattr(base, "SPLITS", ("train", "test"))
        builder = builders.Synthetic(SMALL, 32, tmp_path)
        builder.download_and_prepare()
        assert sorted(builder.info.splits) == ["test", "train"]
    faces = opened(tmp_path)
    assert faces.counts == {"train": 6, "validation": 4, "test": 2}


def test_settings_are_read_from_a_config():
    settings = config.read(data.Settings, {"name": "wflw", "size": 64, "built_in": {"identities": 3}})
    assert settings.built_in.identities == 3
    with pytest.raises(ValueError, match="size is 8 pixels"):
        config.read(data.Settings, {"name": "wflw", "size": 8})
    with pytest.raises(ValueError, match="scheme is 'inner48'; it must be one of wflw98, ibug68, inner49"):
        config.read(data.Settings, {"name": "wflw", "size": 64, "scheme": "inner48"})


def test_several_processes_draw_the_same(monkeypatch):
    wanted = [("train", 3), ("test", 1), ("train", 0), ("train", 4), ("validation", 3)]
    alone = list(rendering.rendered(SMALL, 24, wanted))
    monkeypatch.setattr(rendering, "_WORTH", 2)
    monkeypatch.setattr(rendering.os, "cpu_count", lambda: 2)
    together = list(rendering.rendered(SMALL, 24, wanted))
    assert [split for split, _ in together] == [split for split, _ in wanted]
    for (_, one), (_, other) in zip(alone, together, strict=True):
        assert one["image"] == other["image"]
        np.testing.assert_array_equal(one["landmarks"], other["landmarks"])


def test_a_process_that_fails_is_told(monkeypatch):
    monkeypatch.setattr(rendering, "_WORTH", 1)
    monkeypatch.setattr(rendering.os, "cpu_count", lambda: 2)
    with pytest.raises(RuntimeError, match="a process that renders faces ended early, with status 1"):
        list(rendering.rendered(SMALL, 24, [("train", 0), ("train", 999)]))
