"""Fine-tuning by `init_from`, from a config to a finished run, and what is refused."""

import json
import shutil

import numpy as np
import pytest
from small_configs import small_config

from lgan_jax import experiment
from lgan_jax.training import start_weights, workdir
from lgan_jax.training.train_state import by_path

CONFIG = "celebv:quick,paper_generator"
SMALL = {"data.built_in.train_per_identity": 3, "phases": ("converter",)}


@pytest.fixture(scope="module", autouse=True)
def fast(tmp_path_factory):
    """One cache of data sets and compiled programs; runs of one phase are not evaluated."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGAN_JAX_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr("lgan_jax.experiment.training.evaluate", lambda *_, **__: None)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of the converter, of two people."""
    folder = tmp_path_factory.mktemp("runs") / "base"
    assert experiment.train(small_config(CONFIG, **SMALL), folder) == 0
    return folder


def tuned(run, **changes):
    other = {"data.built_in.seed": 5, "data.built_in.identities": 3, "init_from": str(run)}
    return small_config(CONFIG, **{**SMALL, **other, **changes})


def weights(folder):
    config = workdir.read_run(folder)
    described = experiment.Experiment.read(config["config"])
    state = described.restored(experiment.information(config), folder)["converter"].state
    return by_path(state.params) | {f"optimizer.{path}": x for path, x in by_path(state.optimizers).items()}


def test_a_run_of_other_people_starts_from_it_and_does_not_need_it_any_more(run, tmp_path, capsys):
    base = shutil.copytree(run, tmp_path / "base")
    config = tuned(base)
    assert experiment.train(config, tmp_path / "run") == 0
    fingerprint = workdir.read_run(base)["data"]["fingerprint"]
    note = f"fine-tuning: starts from {base} (built-in faces, {fingerprint}): converter of step 3"
    said = capsys.readouterr().out
    assert note in said
    stored = workdir.read_run(tmp_path / "run")["started_from"]
    assert (stored["fingerprint"], stored["steps"], stored["notes"][0]) == (fingerprint, {"converter": 3}, note)
    start, there = start_weights.read(tmp_path / "run", "converter"), weights(base)
    pairs = dict(pair.split(" from ") for pair in stored["notes"][-1].removeprefix("identities: ").split(", "))
    nearest = [["ada", "ben"].index(old) for old in pairs.values()]
    assert list(pairs) == ["ada", "ben", "chloe"]
    for path, values in start.items():
        own = path.startswith("converter.decoders")
        np.testing.assert_array_equal(values, np.asarray(there[path])[nearest] if own else there[path])
    shutil.rmtree(base)
    uninterrupted = weights(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    assert experiment.train(config, tmp_path / "run") == 0
    assert note in capsys.readouterr().out
    again = weights(tmp_path / "run")
    for path, values in uninterrupted.items():
        np.testing.assert_array_equal(again[path], values)
    with pytest.raises(ValueError, match=r"another config: config\.init_from was '.*base', is 'elsewhere'"):
        experiment.train({**config, "init_from": "elsewhere"}, tmp_path / "run")
    with pytest.raises(ValueError, match=r"another config: config\.init_from was '.*base', is ''"):
        experiment.train({**config, "init_from": ""}, tmp_path / "run")


def other_format(folder):
    path = folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 1}))


def other_method(folder):
    path = folder / "run.json"
    stored = json.loads(path.read_text())
    path.write_text(json.dumps(stored | {"config": {**stored["config"], "method": "dftnet"}}))


@pytest.mark.parametrize(
    ("change", "changes", "said"),
    [
        (shutil.rmtree, {}, "there is no run in"),
        (lambda folder: shutil.rmtree(folder / "checkpoints"), {}, "there is no checkpoint in"),
        (other_format, {}, f"this version reads format {workdir.FORMAT}"),
        (other_method, {}, "is a run of dftnet, not of landmarkgan"),
        (None, {"phases": ("detector",)}, "nothing in .* fits"),
        (None, {"phases": ("detector", "generator"), "generator.form": "reference"}, "nothing in .* fits"),
    ],
)
def test_what_cannot_be_started_from_is_refused_before_faces_are_drawn(
    run, change, changes, said, tmp_path, monkeypatch
):
    monkeypatch.setattr("lgan_jax.data.builders.synthetic.rendered", lambda *_: pytest.fail("faces are drawn"))
    monkeypatch.setenv("LGAN_JAX_CACHE", str(tmp_path / "cache"))
    base = shutil.copytree(run, tmp_path / "base")
    if change:
        change(base)
    with pytest.raises((ValueError, OSError), match=said) as refused:
        experiment.train(tuned(base, **changes), tmp_path / "run")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "run").exists()


def test_a_run_does_not_start_from_itself(run):
    with pytest.raises(ValueError, match="is the folder of the new run itself"):
        experiment.train(tuned(run), run)
