"""A run without anybody's frames; the run that is stripped is made of zeros, without any training."""

import json

import numpy as np
import pytest
from small_configs import small_config

import lgan_jax
from lgan_jax import cli, experiment
from lgan_jax.apps.shared import references
from lgan_jax.apps.strip_references import command
from lgan_jax.core import FaceInfo
from lgan_jax.data import training_landmarks as stored
from lgan_jax.interop import run as runs
from lgan_jax.landmarks import WFLW98
from lgan_jax.training import workdir

NAMES = ("beatrix", "grace", "joanna")
SECRET = 173  # every value of the frames


def _written(folder, **changes):
    """A run of zeros as training leaves it, but for the frames."""
    config = small_config("celebv:quick", **{"data.dir": "/home/joanna/videos", "generator.references": 3, **changes})
    described = experiment.Experiment.read(config)
    info = FaceInfo(WFLW98, 32, NAMES)
    about = {"name": "prepared: joanna", "built_in": False, "fingerprint": "f" * 16, "scheme": "wflw98", "size": 32}
    record = {"config": config, "data": {**about, "identities": list(NAMES)}}
    if described.holds_frames:
        record[workdir.HOLDS] = list(NAMES)
    workdir.open_run(folder, json.loads(json.dumps(record)))
    finished = {}
    for name in described.settings.phases:
        finished[name] = runs.after_last_step(described.build(name, info, finished), info)
    state = finished["generator"].state
    if described.holds_frames:
        frames = state.frozen["references"].replace(images=np.full_like(state.frozen["references"].images, SECRET))
        state.frozen["references"] = frames
        state.frozen["shape"] = state.frozen["shape"].replace(people=np.full_like(state.frozen["shape"].people, 0.75))
        watch = state.variables["watch"].replace(mean_face=np.full_like(state.variables["watch"].mean_face, 0.3))
        state = state.with_variables(watch=watch)
    finished["generator"] = finished["generator"]._replace(state=state)
    for name, phase in finished.items():
        runs.save_phase(folder, name, phase, record)
    points = [np.random.default_rng(i).uniform(0.2, 0.8, (4 + i, 98, 2)).astype(np.float32) for i in range(3)]
    stored.write(folder, points)
    (folder / "report").mkdir()
    (folder / "report" / "index.html").write_text("beatrix")
    return points


@pytest.fixture(scope="module")
def stripped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    points = _written(folder / "run")
    status = cli.run(lambda: command.main(["--workdir", str(folder / "run"), "--out", str(folder / "bare")]), "strip")
    return status, folder, points


def test_a_stripped_run_says_so_and_names_nobody(stripped):
    status, folder, _ = stripped
    assert status == 0
    record = json.loads((folder / "bare" / "run.json").read_text())
    assert record["references"] == "stripped"
    assert record["holds_frames_of"] == []
    assert sorted(path.name for path in (folder / "bare").iterdir()) == ["checkpoints", "landmarks.npz", "run.json"]
    assert json.loads((folder / "run" / "run.json").read_text())["holds_frames_of"] == list(NAMES)
    for path in (folder / "bare").rglob("*"):
        text = path.read_bytes().lower() if path.is_file() else b""
        assert not any(name.encode() in text for name in NAMES), path


def test_a_stripped_run_knows_nobody_until_somebody_is_given(stripped):
    _, folder, points = stripped
    model = lgan_jax.load(folder / "bare")
    assert model.info.identities == ()
    assert model.state.frozen["references"].images.shape[0] == 0
    record = json.loads((folder / "bare" / "run.json").read_text())
    blank = FaceInfo(WFLW98, 32, ("nobody",))
    restored = experiment.Experiment.read(record["config"]).restored(blank, folder / "bare")
    state = restored["generator"].state
    for each in (state.variables["watch"].mean_face, state.frozen["references"].images, state.frozen["shape"].people):
        assert len(each) == 1
        assert not np.asarray(each).any()
    with pytest.raises(ValueError, match="has no identities"):
        model.convert(points[0], "beatrix")
    with pytest.raises(ValueError, match="give frames of one with --reference"):
        references.need(model.info, folder / "bare")
    frames = np.zeros((5, 32, 32, 3), np.float32)
    added = model.with_person("dora", frames, points[1])
    assert added.convert(points[0], "dora").shape == points[0].shape
    (mean,) = experiment.training_landmarks(folder / "bare").values()
    np.testing.assert_allclose(mean[0], np.mean([each.mean(0) for each in points], axis=0), atol=1e-6)


def test_what_cannot_be_stripped_is_one_line(stripped, tmp_path, capsys):
    _, folder, _ = stripped
    _written(tmp_path / "paper", **{"generator.form": "landmarks", "phases": ("detector", "converter", "generator")})

    def said(run, out):
        status = cli.run(lambda: command.main(["--workdir", str(run), "--out", str(out)]), "strip_references")
        assert status == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        return line

    assert "stripped already" in said(folder / "bare", tmp_path / "out")
    assert "exists; choose another" in said(folder / "run", folder / "bare")
    assert "there is no run" in said(tmp_path, tmp_path / "out")
    assert "holds no person's frames" in said(tmp_path / "paper", tmp_path / "out")
    with pytest.raises(ValueError, match="stripped of its reference frames"):
        experiment.evaluate(folder / "bare")
    assert [path.name for path in tmp_path.iterdir()] == ["paper"]
