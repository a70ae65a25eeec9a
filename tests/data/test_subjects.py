"""People held out whole: what every such data set is checked for, and prepared folders with estimated expressions."""

import shutil

import numpy as np
import pytest
import tiny_sets

from lgan_jax import data
from lgan_jax.action_units import EXPRESSIONS, NUMBERS, expression_units
from lgan_jax.data.builders import base, openface
from lgan_jax.data.split import HeldOut
from lgan_jax.faces.unit_estimate import ESTIMATED
from lgan_jax.media import images

EACH = 4  # images in a row with the same expression
SHOWN = [("neutral", 0.0), ("happiness", 0.9), ("neutral", 0.0), ("surprise", 0.8), ("neutral", 0.0)]
SHOWN += [("happiness", 0.32), ("neutral", 0.0), ("sadness", 0.7)]
PEOPLE = {"Al": 32, "Bea": 28, "Cy": 32, "Di": 32, "Ed": 32}


class Listed(base.FaceBuilder, skip_registration=True):
    """Records of (split, identity, expression)."""

    def __init__(self, cache, listed):
        super().__init__(cache, "listed", ("Al", "Bea", "Cy"), "ibug68")
        self.disjoint = True
        self.listed = listed

    def features(self):
        return {"expression": np.int32}

    def records(self):
        picture = images.encode_png(np.zeros((16, 16, 3), np.uint8))
        for split, identity, expression in self.listed:
            record = {"image": picture, "landmarks": np.zeros((68, 2), np.float32), "identity": identity}
            yield split, record | {"expression": expression}


def test_a_subject_in_both_splits(tmp_path):
    builder = Listed(tmp_path, [("train", 0, 0), ("train", 1, 1), ("validation", 2, 0), ("test", 1, 2)])
    with pytest.raises(ValueError, match="Bea is in the training and in the test split"):
        builder.download_and_prepare()


def test_nobody_in_one_of_the_splits(tmp_path):
    builder = Listed(tmp_path, [("train", 0, 0), ("test", 1, 1)])
    with pytest.raises(ValueError, match="no subject has a usable image in the validation split: add subjects"):
        builder.download_and_prepare()


@pytest.fixture
def root(tmp_path):
    """A folder as `prepare` writes it, with 68 points, and the units of `SHOWN`."""
    root = tiny_sets.celebv(tmp_path / "mine", PEOPLE, points=68, size=32)
    (root / "prepared.json").write_text("{}")
    known = [NUMBERS.index(number) for number in ESTIMATED]
    for name, count in PEOPLE.items():
        names = [f"{name}_{i:06d}.jpg" for i in range(count)]
        units = [strength * expression_units(e)[known] for e, strength in (SHOWN[i // EACH] for i in range(count))]
        (root / name / "action_units.csv").write_text(openface.table_text(names, np.array(units), ESTIMATED, "made"))
    return root


def opened(root, tmp_path, **held_out):
    held = HeldOut(**held_out)
    return data.open_faces(
        data.Settings(name="ck_plus", dir=str(root), size=32, cache=str(tmp_path / "cache"), held_out_subjects=held)
    )


def test_prepared_people_are_held_out_whole_with_estimated_expressions(root, tmp_path):
    faces = opened(root, tmp_path, share=0.4)
    assert faces.name == "prepared: mine"
    people = [set(split.identity.tolist()) for split in (faces.train, faces.validation, faces.test)]
    assert list(map(len, people)) == [1, 1, 3]
    assert set.union(*people) == set(range(5))
    faces.require_subjects()
    faces.require(("image", "landmarks", "expression", "action_units"))
    assert "expressions are estimated from action units" in faces.notes
    counts = "1 in the training split, 1 in the validation split, 3 in the test split"
    assert f"split by subject: {counts}" in faces.notes
    (unclear,) = (note for note in faces.notes if "expression is not clear" in note)
    assert unclear.startswith("skipped: 20 × image whose expression is not clear (Al/Al_000020.jpg")
    assert "no subject shows anger, contempt, disgust, fear" in faces.notes
    for split in (faces.train, faces.validation, faces.test):
        assert [int(split[i]["expression"]) for i in range(len(split))] == split.expression.tolist()


def test_people_are_chosen_by_name(root, tmp_path):
    faces = opened(root, tmp_path, names=("Bea", "Ed"))
    assert [faces.info.identities[i] for i in np.unique(faces.test.identity)] == ["Bea", "Ed"]
    shown = [EXPRESSIONS[label] for label in faces.test.expression]
    once = [name for name, strength in SHOWN if strength != 0.32 for _ in range(EACH)]
    assert shown == once[: 28 - EACH] + once
    other = opened(root, tmp_path, names=("Bea",))
    assert other.fingerprint != faces.fingerprint
    with pytest.raises(ValueError, match="'Flo' is not a subject; the subjects are Al, Bea, Cy, Di, Ed"):
        opened(root, tmp_path, names=("Flo",))


def test_of_two_people_one_validates_and_tests(root, tmp_path):
    for name in ("Cy", "Di", "Ed"):
        shutil.rmtree(root / name)
    faces = opened(root, tmp_path, names=("Bea",))
    assert (set(faces.train.identity), set(faces.validation.identity), set(faces.test.identity)) == ({0}, {1}, {1})
    assert faces.validation.expression.tolist() == faces.test.expression.tolist()
    (said,) = (note for note in faces.notes if note.startswith("split by subject"))
    assert said.endswith("validation and test share them: with more subjects, each split gets its own")
    faces.require_subjects()


def test_prepared_folders_without_action_units(root, tmp_path):
    for table in root.glob("*/action_units.csv"):
        table.unlink()
    with pytest.raises(
        ValueError, match=r"mine has no <person>/action_units\.csv, .* repeat the command that prepared it to add them"
    ):
        opened(root, tmp_path)


def test_prepared_pictures_are_taken_as_they_are_where_photos_would_be_cropped(root, tmp_path):
    """As LandmarkGAN, whose folders these are, takes them."""
    how = {"dir": str(root), "size": 32, "cache": str(tmp_path / "cache"), "crops": "ffhq"}
    faces, other = (data.open_faces(data.Settings(name=name, **how)) for name in ("celeba", "celebv"))
    assert (faces.name, faces.info.scheme.name) == ("prepared: mine", "ibug68")
    assert (len(faces.train), len(faces.test)) == (len(other.train), len(other.test))
    for key in ("image", "landmarks", "identity"):
        np.testing.assert_array_equal(faces.train[40][key], other.train[40][key])
