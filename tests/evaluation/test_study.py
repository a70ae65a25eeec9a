"""Results of studies: stored whole or not at all, and read back for the same weights and data only."""

import dataclasses
import json
import pathlib

import pytest

from lgan_jax.evaluation.study import run_or_read
from lgan_jax.methods.began.evaluation import augmentation_study as began_study
from lgan_jax.methods.expression.evaluation import augmentation_study as expression_study

OF = {"weights": "step 7", "fingerprint": "f"}
ERROR = {began_study.REAL: {0.1: (0.5,), 1.0: (0.25,)}, began_study.BOTH: {0.1: (0.4,), 1.0: (0.2,)}}
FOUND = [
    expression_study.Result({0: (0.5, 0.25), 10: (0.75, 1.0)}, 8, 12, 20, 4, **OF),
    began_study.Result(ERROR, 6, 5, 3, 2, 4, **OF),
]


@pytest.mark.parametrize("found", FOUND, ids=["expression", "began"])
def test_it_comes_back_for_the_same_weights_and_data(found, tmp_path):
    out = tmp_path / "report"
    assert run_or_read(type(found), out, "step 7", "f", None) == (None, [])
    assert run_or_read(type(found), out, "step 7", "f", lambda: found) == (found, [])
    assert run_or_read(type(found), out, "step 7", "f", None) == (found, [])
    assert [path.name for path in out.iterdir()] == [found.file]
    for weights, fingerprint in (("step 8", "f"), ("step 7", "g")):
        none, (warning,) = run_or_read(type(found), out, weights, fingerprint, None)
        assert none is None
        assert warning.startswith(f"{found.file} is of other weights or data, and not shown here")


@pytest.mark.parametrize("found", FOUND, ids=["expression", "began"])
def test_a_corrupt_file_is_refused(found, tmp_path):
    stored = found.as_json()
    lacking = {name: value for name, value in stored.items() if name != "steps"}
    for text in ("{}", "[]", '{"', json.dumps(lacking), json.dumps(stored | {"error": 3, "accuracy": 3})):
        (tmp_path / found.file).write_text(text)
        with pytest.raises(ValueError, match=rf"{found.file} cannot be read .*: delete it, or give --augmentation"):
            run_or_read(type(found), tmp_path, "step 7", "f", None)


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    first, second = FOUND[0], dataclasses.replace(FOUND[0], real=9)
    run_or_read(type(first), tmp_path, "step 7", "f", lambda: first)

    def full(path, data):
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError("no space left")

    monkeypatch.setattr(pathlib.Path, "write_bytes", full)
    with pytest.raises(OSError, match="no space left"):
        run_or_read(type(first), tmp_path, "step 7", "f", lambda: second)
    assert run_or_read(type(first), tmp_path, "step 7", "f", None) == (first, [])
