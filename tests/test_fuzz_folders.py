"""As `test_fuzz`, for what lies in folders that commands resume, and for videos and what the editor's page sends."""

import dataclasses
import functools
import io
import json
import os
import pathlib
import tempfile
from typing import ClassVar

import fuzz_media
import fuzzing
import numpy as np
import pytest

from lgan_jax import files
from lgan_jax.apps.edit import photos, protocol
from lgan_jax.core import FaceInfo
from lgan_jax.data.builders import expressions
from lgan_jax.data.prepare import output_folder
from lgan_jax.data.prepare.tracking import Observation
from lgan_jax.evaluation import study
from lgan_jax.landmarks import IBUG68
from lgan_jax.media import images

EXAMPLES = 40  # in the usual run, of each reader
WORDS = (b"[" * 2000, b'{"a":' * 2000, b"9" * 5000, b"/dev/zero", b"../..", b"\0\0\0\0", b"\xff\xff\xff\xff")
SECONDS = Observation(
    *(np.array([True, True, False]), np.array([True, False, False])),
    *(np.full((3, 68, 2), 0.5, np.float32), np.ones(3, np.float32), np.ones(3, np.float32)),
    *(np.full((3, 2), 64, np.int32), np.array([False, False, True])),
)
INFO = FaceInfo(IBUG68, 64, ("ann", "bob"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Study(study.Result):
    """A study's result with numbers of its own."""

    file: ClassVar[str] = "study.json"
    error: dict


def written(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    return path


def of_observations(folder, data):
    written(folder, "seen-0-0.npz", data)
    output = output_folder.OutputFolder.__new__(output_folder.OutputFolder)
    output.begun = folder.parent
    pieces, _ = output.observed(folder.name, 0)
    for piece in pieces:
        assert np.concatenate([piece.landmarks, piece.landmarks]).shape[1:] == (68, 2)
        assert piece.landmarks[piece.found].ndim == 3


def of_checksums(folder, data):
    written(folder, "weights", b"a" * 20)
    written(folder, files.CHECKSUMS, data)
    assert "\n" not in (files.damage(folder) or "")


def of_study(folder, data):
    written(folder, Study.file, data)
    study.run_or_read(Study, folder, "ema", "ab", None)


def of_frames(folder, data):
    header, payload = protocol.unpack(data)
    for read in (protocol.number, protocol.encoding, functools.partial(protocol.look, info=INFO)):
        read(header)
    protocol.landmark_sets(payload, INFO)


def sealed():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        written(folder, "weights", b"a" * 20)
        written(folder, "empty", b"")
        files.seal(folder)
        return (folder / files.CHECKSUMS).read_bytes()


def of_videos():
    with tempfile.TemporaryDirectory() as name:
        return fuzz_media.videos(pathlib.Path(name))


def saved(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


LINE = " ".join(["3.500"] * 136)
REQUEST = {"id": 3, "people": [0, 1], "blend": {"to": 1, "amount": 0.5}, "convert": False, "encoding": "raw"}
READERS = {
    "tables of expressions": (
        lambda folder, data: expressions.read_table(written(folder, "expressions.csv", data)),
        lambda: [b"image,expression\na.jpg,anger\nb.jpg,happiness\n", b'image,expression\n"a\n.jpg",fear\n'],
    ),
    "prepared landmarks": (
        lambda folder, data: (written(folder, "all_68pt.txt", data), output_folder.annotated(folder)),
        lambda: [f"{LINE} 000001.jpg\n{LINE} 000002.jpg\n".encode()],
    ),
    "observations": (of_observations, lambda: [saved(finished=np.bool_(True), **SECONDS._asdict())]),
    "checksums": (of_checksums, lambda: [sealed()]),
    "results of studies": (
        of_study,
        lambda: [json.dumps({"weights": "ema", "fingerprint": "ab", "error": {"all": {"0.5": [1.0]}}}).encode()],
    ),
    "frames of the page": (of_frames, lambda: [protocol.pack(REQUEST, np.full((68, 2), 0.5, "<f4").tobytes())]),
    "uploaded photos": (lambda folder, data: photos.decode(data), fuzz_media.photos),
    "photos": (lambda folder, data: images.decode_photo(data), fuzz_media.photos),
    "videos": (lambda folder, data: fuzz_media.play(written(folder, "video", data)), of_videos),
}


@pytest.mark.parametrize("reader", READERS)
def test_damaged_files_are_one_line(reader, tmp_path):
    read, whole = READERS[reader]
    examples = whole()
    for data in examples:
        assert fuzzing.outcome(lambda each: read(tmp_path, each), data) == ""
    fuzzing.attack(lambda data: read(tmp_path, data), examples, WORDS, EXAMPLES)


@pytest.mark.fuzz
@pytest.mark.parametrize("reader", READERS)
def test_damaged_files_are_one_line_for_an_hour(reader, tmp_path):
    read, whole = READERS[reader]
    fuzzing.attack_on(lambda data: read(tmp_path, data), whole(), WORDS, 200, len(READERS))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"/dev/zero": [0, "ab"]}, "which does not lie in it"),
        ({"/nowhere/at/all": [0, "ab"]}, "which does not lie in it"),
        ({"../other/weights": [0, "ab"]}, "which does not lie in it"),
        ({"pipe": [0, "ab"]}, "no file, but a pipe"),
        ({"gone": [0, "ab"]}, "gone is missing"),
    ],
)
def test_checksums_lead_nowhere_else(tmp_path, names, said):
    """A file that never ends, or a pipe that nobody writes, would be read for ever."""

    os.mkfifo(tmp_path / "pipe")
    (tmp_path / files.CHECKSUMS).write_text(json.dumps(names))
    assert said in files.damage(tmp_path)


@pytest.mark.parametrize("text", ["[" * 50_000, '{"a":' * 50_000])
def test_json_that_is_nested_without_end_is_one_line(tmp_path, text):
    written(tmp_path, files.CHECKSUMS, text.encode())
    assert "it cannot be read" in files.damage(tmp_path)
    with pytest.raises(ValueError, match=r"study\.json cannot be read"):
        of_study(tmp_path, text.encode())


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("found", np.array([0, 2, 1])),
        ("found", np.array([True, False])),
        ("landmarks", np.zeros((3, 49, 2), np.float32)),
        ("readable", np.bool_(True)),
        ("size", np.zeros((3, 2), np.float32)),
    ],
)
def test_observations_of_other_shapes_are_one_line(tmp_path, field, values):
    with pytest.raises(ValueError, match=r"seen-0-0\.npz is damaged: delete .* and repeat the command"):
        of_observations(tmp_path, saved(finished=np.bool_(True), **SECONDS._asdict() | {field: values}))


def test_a_damaged_list_of_crops_names_none(tmp_path):
    """The crops are written again."""
    crops = output_folder.Crops(tmp_path / "Image", written(tmp_path, "crops.txt", b"\xff000001.jpg\n000002.jpg\n"))
    assert "000001.jpg" not in crops
    assert "000002.jpg" in crops
