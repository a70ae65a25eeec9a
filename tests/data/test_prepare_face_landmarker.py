"""`prepare` with the Face Landmarker's landmarks and blendshape scores, by networks that the tests write."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="needs the extra [faces]")
pytest.importorskip("dlib", reason="needs the extra [faces]")

from small_landmarker import CHECKSUM, small_landmarker
from small_videos import face, write_photo

from lgan_jax import cli, data
from lgan_jax.action_units import NUMBERS
from lgan_jax.data import prepare
from lgan_jax.data.builders import openface
from lgan_jax.data.prepare import __main__ as command
from lgan_jax.data.prepare import units
from lgan_jax.faces.face_landmarker.action_units import ESTIMATED
from lgan_jax.faces.face_landmarker.bundle import VARIABLE

SMALL = {"size": 64, "blur": 0.0}
BOTH = {"landmarks": "face_landmarker", "action_units": "blendshapes"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for person, count in (("Ada", 3), ("Bo", 4)):
        for i in range(count):
            photo = face(yaw=3.0 * i)[0].repeat(2, 0).repeat(2, 1)  # else the face that is found is too small
            write_photo(folder / person / f"{i}.jpg", photo)
    return folder


@pytest.fixture(scope="module")
def landmarker():
    return small_landmarker()


@pytest.fixture(scope="module")
def prepared(photos, landmarker, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "out"
    return out, prepare.prepare(photos, out, prepare.Options(**SMALL, **BOTH), landmarker=landmarker)


def test_landmarks_and_action_units_are_the_landmarkers(prepared, landmarker):
    out, result = prepared
    assert {name: person["kept"] for name, person in result["people"].items()} == {"Ada": 3, "Bo": 4}
    assert result["options"]["face_landmarker"] == CHECKSUM
    rows = openface.read_table(out / "Ada" / "action_units.csv", required=ESTIMATED).rows
    expected = landmarker.action_units(np.zeros((70, 70, 3), np.uint8))
    known = [NUMBERS.index(number) for number in ESTIMATED]
    for row in rows:
        np.testing.assert_allclose(row.units[known], expected[known], atol=2e-3)
    with pytest.raises(ValueError, match="AU06_r, AU07_r, AU09_r, AU10_r, AU14_r, AU15_r"):
        openface.read_table(out / "Ada" / "action_units.csv")


def test_the_data_set_says_what_labeled_it(prepared, tmp_path):
    out, result = prepared
    record = json.loads((out / "prepared.json").read_text())
    assert record["labels"] == result["labels"]
    faces = data.open_faces(data.Settings(name="emotionet", size=32, dir=str(out), cache=str(tmp_path)))
    (note,) = (note for note in faces.notes if note.startswith("labels:"))
    assert f"landmarks by Google's Face Landmarker (SHA-256 {CHECKSUM})" in note
    assert "action units estimated from blendshape scores" in note


def test_images_without_a_face_have_no_action_units(prepared, tmp_path):
    folder = shutil.copytree(prepared[0] / "Ada", tmp_path / "Ada")
    (folder / units.UNITS).unlink()
    units.add_units(folder, small_landmarker(presence=-3.0))
    assert openface.read_table(folder / units.UNITS, required=ESTIMATED).rows == []


def test_labels_are_named_apart():
    labels = prepare.Options(action_units="blendshapes", face_landmarker="7" * 64).labels
    assert labels.startswith("landmarks by dlib, action units estimated from blendshape scores")
    assert "7" * 64 in labels
    assert prepare.Options().labels == "landmarks by dlib, action units estimated from the landmarks"


def test_an_output_is_not_mixed(prepared, photos):
    out, _ = prepared
    with pytest.raises(ValueError, match=r"--landmarks face_landmarker, not dlib"):
        prepare.prepare(photos, out, prepare.Options(**SMALL))


def test_an_output_of_before_these_options_has_dlibs_labels(prepared, photos, landmarker, tmp_path):
    out = shutil.copytree(prepared[0], tmp_path / "out")
    file = out / ".prepare" / "job.json"
    record = json.loads(file.read_text())
    for name in ("landmarks", "action_units", "face_landmarker"):
        del record["options"][name]
    file.write_text(json.dumps(record))
    with pytest.raises(ValueError, match="--landmarks dlib, not face_landmarker"):
        prepare.prepare(photos, out, prepare.Options(**SMALL, **BOTH), landmarker=landmarker)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--landmarks", "face_landmarker"), "--face-landmarker or LGAN_JAX_FACE_LANDMARKER"),
        (("--action-units", "blendshapes", "--face-landmarker", "missing.task"), "no file missing.task"),
        (("--face-landmarker", "some.task"), "used by --landmarks face_landmarker and --action-units blendshapes only"),
        (("--landmarks", "other"), "invalid choice"),
    ],
)
def test_says_in_one_line_what_is_wrong(photos, tmp_path, monkeypatch, capsys, flags, message):
    monkeypatch.delenv(VARIABLE, raising=False)
    arguments = [str(photos), str(tmp_path / "out"), *flags]
    assert cli.run(lambda: command.main(arguments), "prepare") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_options_refuse_other_names():
    with pytest.raises(ValueError, match="--action-units must be landmarks or blendshapes"):
        prepare.Options(action_units="openface")
    with pytest.raises(ValueError, match="need the Face Landmarker"):
        prepare.prepare(Path("in"), Path("out"), prepare.Options(**BOTH))
