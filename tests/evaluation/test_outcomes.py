"""What an experiment found: kept whole or not at all, and read back for the same weights and data only."""

import dataclasses
import json
import pathlib

import pytest

from lgan_jax.evaluation import outcomes
from lgan_jax.methods.began.evaluation import claim
from lgan_jax.methods.expression.evaluation import augmentation

OF = {"weights": "step 7", "fingerprint": "f"}
ERROR = {claim.REAL: {0.1: (0.5,), 1.0: (0.25,)}, claim.BOTH: {0.1: (0.4,), 1.0: (0.2,)}}
FOUND = [
    augmentation.Outcome({0: (0.5, 0.25), 10: (0.75, 1.0)}, 8, 12, 20, 4, **OF),
    claim.Outcome(ERROR, 6, 5, 3, 2, 4, **OF),
]


@pytest.mark.parametrize("found", FOUND, ids=lambda found: found.file)
def test_it_comes_back_for_the_same_weights_and_data(found, tmp_path):
    out = tmp_path / "report"
    assert outcomes.read(type(found), out, "step 7", "f") == (None, [])
    outcomes.write(found, out)
    assert outcomes.read(type(found), out, "step 7", "f") == (found, [])
    assert [path.name for path in out.iterdir()] == [found.file]
    for weights, fingerprint in (("step 8", "f"), ("step 7", "g")):
        none, (warning,) = outcomes.read(type(found), out, weights, fingerprint)
        assert none is None
        assert warning.startswith(f"{found.file} is of other weights or data, and not shown here")


@pytest.mark.parametrize("found", FOUND, ids=lambda found: found.file)
def test_a_spoilt_file_is_said(found, tmp_path):
    stored = found.as_json()
    lacking = {name: value for name, value in stored.items() if name != "steps"}
    for text in ("{}", "[]", '{"', json.dumps(lacking), json.dumps(stored | {"error": 3, "accuracy": 3})):
        (tmp_path / found.file).write_text(text)
        with pytest.raises(ValueError, match=rf"{found.file} cannot be read .*: delete it, or give --augmentation"):
            outcomes.read(type(found), tmp_path, "step 7", "f")


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    first, second = FOUND[0], dataclasses.replace(FOUND[0], real=9)
    outcomes.write(first, tmp_path)

    def full(path, data):
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError("no space left")

    monkeypatch.setattr(pathlib.Path, "write_bytes", full)
    with pytest.raises(OSError, match="no space left"):
        outcomes.write(second, tmp_path)
    assert outcomes.read(augmentation.Outcome, tmp_path, "step 7", "f") == (first, [])
