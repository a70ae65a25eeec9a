"""Making data sets of faces: the files, going on, what is in the way, and reading them back."""

import csv
import os

import numpy as np
import pytest
from PIL import Image
from refusals import refused

from lgan_jax import data, locks
from lgan_jax.apps.synthesize import command, dataset
from lgan_jax.core import FaceInfo
from lgan_jax.data.builders import generated
from lgan_jax.landmarks import INNER49
from lgan_jax.media import provenance
from lgan_jax.methods.began.model import Sampled

SIZE = 16
ABOUT = {
    **{"run": "faces", "weights": "w", "config": "c", "data": "d", "seed": 3, "latents": "uniform"},
    **{"size": SIZE, "scheme": "inner49"},
}


class Faces:
    """Of each number an image and landmarks of their own; numbers in `alike` are all the same."""

    info = FaceInfo(INNER49, SIZE, ("made",))

    def __init__(self, alike=()):
        self.alike, self.asked = alike, []

    def sample(self, seed, count, first, near=False):
        self.asked.append((first, count))
        seed += 100 * near
        numbers = [999 if n in self.alike else n for n in range(first, first + count)]
        rngs = [np.random.default_rng((seed, n)) for n in numbers]
        image = np.stack([rng.uniform(-1, 1, (SIZE, SIZE, 3)) for rng in rngs]).astype(np.float32)
        points = np.stack([rng.uniform(0.2, 0.8, (49, 2)) for rng in rngs]).astype(np.float32)
        return Sampled(np.zeros((count, 64), np.float32), image, points)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(dataset, "SHARD", 8)
    monkeypatch.setattr(dataset, "_BATCH", 3)


def make(out, count, model=None, **about):
    said, model = [], model or Faces()
    dataset.run(dataset.Options(workdir=out, count=count, out=out, seed=3), model, ABOUT | about, said.append)
    return "\n".join(said), model


def rows(out):
    with (out / "landmarks.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_writes_pictures_points_a_table_and_a_data_set(tmp_path):
    out = tmp_path / "made"
    said, model = make(out, 20)
    assert "20 faces sampled in" in said
    assert "0 were there" in said
    table, expected = rows(out), Faces().sample(3, 20, 0)
    assert [int(row["number"]) for row in table] == list(range(20))
    assert table[19]["file"] == "images/00002/0000019.png"
    assert max(count for _, count in model.asked) == 3
    picture = Image.open(out / table[5]["file"])
    np.testing.assert_array_equal(picture, np.rint((expected.image[5] + 1) * 127.5).astype(np.uint8))
    assert provenance.SOURCE_TYPE in picture.text["XML:com.adobe.xmp"]
    assert "run faces" in picture.text["Description"]
    pixels = expected.landmarks[5] * SIZE - 0.5
    assert float(table[5]["x_48"]) == pytest.approx(pixels[48, 0], abs=1e-3)
    lines = (out / table[5]["file"]).with_suffix(".pts").read_text().splitlines()
    assert lines[:3] == ["version: 1", "n_points: 49", "{"]
    assert lines[-1] == "}"
    np.testing.assert_allclose([[float(x) for x in line.split()] for line in lines[3:-1]], pixels + 1, atol=1e-3)


@pytest.mark.parametrize("name", ["wflw", "celeba"])
def test_a_detectors_config_reads_the_data_set(tmp_path, name):
    out = tmp_path / "made"
    make(out, 20)
    faces = data.open_faces(data.Settings(name=name, dir=str(out), size=SIZE, cache=str(tmp_path / "cache")))
    assert (faces.name, faces.info.scheme.name, faces.counted()) == (
        "made: made",
        "inner49",
        "16 training, 2 validation and 2 test images",
    )
    assert not (tmp_path / "cache" / "made").exists()
    expected = Faces().sample(3, 20, 0)
    np.testing.assert_allclose(faces.test[1]["landmarks"], expected.landmarks[11], atol=1e-4)
    np.testing.assert_array_equal(faces.test[1]["image"], np.rint((expected.image[11] + 1) * 127.5))
    assert faces.notes == ("every image is generated: run faces, w, seed 3",)


def test_goes_on_where_it_was_stopped_and_adds_more(tmp_path):
    whole, part = tmp_path / "whole", tmp_path / "part"
    make(whole, 20)

    class Stopping(Faces):
        def sample(self, seed, count, first, near=False):
            if first >= 11:
                raise KeyboardInterrupt
            return super().sample(seed, count, first, near)

    with pytest.raises(KeyboardInterrupt):
        make(part, 20, Stopping())
    assert not (part / "landmarks.csv").exists()
    with pytest.raises(ValueError, match=r"part has no landmarks.csv: its faces are not complete"):
        generated.Generated(part)
    said, model = make(part, 12)
    assert model.asked == [(8, 3), (11, 1)]
    assert "4 faces sampled" in said
    said, model = make(part, 20)
    assert model.asked[0] == (8, 3)  # the shard of four is made again, the first is not
    assert rows(part) == rows(whole)
    names = [sorted(p.relative_to(x).as_posix() for p in (x / "images").rglob("*")) for x in (whole, part)]
    assert names[0] == names[1]
    assert len(list((part / "tfds").glob("made-*"))) == 1  # that of twelve is gone
    fewer, model = make(part, 9)
    assert model.asked == []
    assert len(rows(part)) == 9
    assert "0 faces sampled" in fewer


def test_equal_faces_are_left_out_and_counted(tmp_path):
    said, _ = make(tmp_path / "made", 20, Faces(alike=(2, 5, 17)))
    assert "2 faces are dropped: they duplicate others" in said
    assert [int(row["number"]) for row in rows(tmp_path / "made")] == [n for n in range(20) if n not in (5, 17)]
    again, model = make(tmp_path / "made", 20, Faces(alike=(2, 5, 17)))
    assert model.asked == []
    assert "2 faces are dropped" in again


@pytest.mark.parametrize("count", [1, 2])
def test_a_face_or_two_make_no_data_set(tmp_path, count):
    said, _ = make(tmp_path / "made", count)
    assert "a data set needs at least 3 faces to split; " in said
    assert not (tmp_path / "made" / "tfds").exists()
    assert len(rows(tmp_path / "made")) == count


def test_few_faces_of_which_some_are_left_out_are_in_every_split(tmp_path):
    make(tmp_path / "made", 4, Faces(alike=(0, 1)))
    settings = data.Settings(name="celeba", dir=str(tmp_path / "made"), size=SIZE, cache=str(tmp_path / "cache"))
    faces = data.open_faces(settings)
    assert faces.counts == {"train": 1, "validation": 1, "test": 1}


def test_a_face_number_is_the_same_whatever_else_is_made(tmp_path):
    make(tmp_path / "a", 4)
    make(tmp_path / "b", 11)
    assert rows(tmp_path / "b")[:4] == rows(tmp_path / "a")


def _command(capsys, *arguments):
    return refused(command.main, capsys, *arguments)


def test_one_clear_line_for_what_is_wrong(tmp_path, capsys, monkeypatch):
    run = ("--workdir", tmp_path / "run", "--out", tmp_path / "out")
    assert "--count is 0; it must be at least 1" in _command(capsys, *run, "--count", 0)
    assert "--seed is -1" in _command(capsys, *run, "--count", 5, "--seed", -1)
    assert "--help explains" in _command(capsys, *run)
    assert "there is no run in" in _command(capsys, *run, "--count", 5)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letter.txt").write_text("dear")
    assert "holds something else: choose a new or an empty folder" in _command(capsys, *run, "--count", 5)
    none = ("--workdir", tmp_path / "run", "--count", 5)
    assert "there is no folder" in _command(capsys, *none, "--out", tmp_path / "none" / "out")
    assert "is a file; give a folder" in _command(capsys, *none, "--out", tmp_path / "out" / "letter.txt")
    monkeypatch.setattr("lgan_jax.load", lambda folder: object())
    assert "is no run of BEGAN with landmarks" in _command(capsys, *none, "--out", tmp_path / "new")


def test_a_folder_that_another_process_writes_is_left_alone(tmp_path, capsys):
    given = ("--workdir", tmp_path / "run", "--count", 5, "--out", tmp_path / "out")
    with locks.held(tmp_path / "out", "out", inside=True):
        said = _command(capsys, *given)
    assert said.startswith(f"program: --out {tmp_path / 'out'} is in use by process {os.getpid()} on ")


def test_a_folder_of_other_faces_is_not_added_to(tmp_path):
    make(tmp_path / "made", 3)
    with pytest.raises(
        ValueError, match="holds faces sampled with other settings: seed was 3, is 4; choose another folder"
    ):
        make(tmp_path / "made", 5, seed=4)
    (tmp_path / "made" / "made.json").write_text("{")
    with pytest.raises(ValueError, match=r"made.json cannot be read"):
        make(tmp_path / "made", 5)


def test_faces_near_training_ones_are_asked_for(tmp_path):
    out = tmp_path / "made"
    asked = dataset.Options(workdir=out, count=2, out=out, seed=3, near_training=True)
    dataset.run(asked, Faces(), ABOUT, lambda line: None)
    expected = Faces().sample(3, 2, 0, True).image
    np.testing.assert_array_equal(
        Image.open(out / rows(out)[1]["file"]), np.rint((expected[1] + 1) * 127.5).astype(np.uint8)
    )
