"""A config, shrunk by overrides, from its command line to its report; and what a run's folder gives back."""

import json
import shutil
import subprocess
import sys

import forked
import jax
import numpy as np
import pytest
import tiny_sets
from readme import example
from small_configs import ROOT, small_config

import lgan_jax
from lgan_jax import experiment, locks
from lgan_jax.methods import METHODS
from lgan_jax.training import workdir


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """One cache of data sets and compiled programs for all tests here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGAN_JAX_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of the quick config."""
    folder = tmp_path_factory.mktemp("runs") / "quick"
    assert experiment.train(small_config("celebv:quick"), folder) == 0
    return folder


def test_a_run_leaves_a_report_a_preview_and_what_it_was_trained_on(run):
    report = json.loads((run / "report" / "metrics.json").read_text())
    assert report["data"]["built_in"] is True
    assert "built-in" in (run / "report" / "index.html").read_text()
    assert (run / "preview.html").is_file()
    record = json.loads((run / "run.json").read_text())
    assert record["data"]["name"] == "built-in faces"
    assert record["holds_frames_of"] == record["data"]["identities"]
    assert report["facts"]["Holds frames of"] == ", ".join(record["data"]["identities"])
    assert record["config"]["generator"]["steps"] == 2
    phases = {json.loads(line)["phase"] for line in (run / "metrics.jsonl").read_text().splitlines()}
    assert phases == {"detector", "generator"}


def test_a_finished_run_is_only_evaluated_again(run, capsys):
    before = (run / "metrics.jsonl").read_text()
    assert experiment.train(small_config("celebv:quick"), run) == 0
    assert (run / "metrics.jsonl").read_text() == before
    assert "generator: finished at step 2" in capsys.readouterr().out


def test_a_finished_run_is_given_more_steps(run, tmp_path, capsys):
    """Only of the phase that it has come to; it may be watched and evaluated otherwise as well."""
    folder = shutil.copytree(run, tmp_path / "run")
    longer = {"generator.steps": 4, "loop.log_every": 1, "evaluation.frames": 3}
    assert experiment.train(small_config("celebv:quick", **longer), folder) == 0
    said = capsys.readouterr().out
    assert "NOTE: since the start config.generator.steps was 2, is 4." in said
    assert "generator: resumed at step 2" in said
    report = json.loads((folder / "report" / "metrics.json").read_text())
    assert report["facts"]["Weights"] == "detector of step 2, generator of step 4"
    assert "config.generator.steps was 2, is 4" in report["facts"]["Changed since the start"]
    for refused in ({"generator.steps": 3}, {"generator.steps": 4, "detector.steps": 9}, {**longer, "loop.seed": 1}):
        with pytest.raises(ValueError, match=r"holds a run of another config: config\.[a-z]+\.(steps|seed) was"):
            experiment.train(small_config("celebv:quick", **(longer | refused)), folder)


def test_a_run_that_began_before_a_field_existed_is_resumed_with_its_default(run, tmp_path, monkeypatch):
    """At the top level, in a section, in a nested section and in an optimizer."""
    monkeypatch.setattr("lgan_jax.experiment.training.evaluate", lambda *_, **__: None)
    folder = shutil.copytree(run, tmp_path / "run")
    manifest = folder / "run.json"
    whole, older = (json.loads(manifest.read_text()) for _ in range(2))
    for place in (
        *("init_from", "detector.regulariser", "data.crops", "data.built_in.aligned", "generator.optimizer.clip"),
        "detector.optimizer.schedule.constant_fraction",
    ):
        *path, name = place.split(".")
        section = older["config"]
        for part in path:
            section = section[part]
        del section[name]
    manifest.write_text(json.dumps(older))
    with pytest.raises(
        ValueError, match=r"another config: config\.data\.built_in\.aligned was False, is True\. Choose"
    ):
        experiment.train(small_config("celebv:quick", **{"data.built_in.aligned": True}), folder)
    assert json.loads(manifest.read_text()) == older
    assert experiment.train(small_config("celebv:quick"), folder) == 0
    assert json.loads(manifest.read_text()) == whole


def test_a_manifest_whose_config_is_damaged_is_one_line(run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    stored = json.loads((folder / "run.json").read_text())
    for field, value in (("phases", [["generator"]]), ("phases", ["nothing"]), ("generator", 5), ("data", [])):
        damaged = {**stored, "config": {**stored["config"], field: value}}
        (folder / "run.json").write_text(json.dumps(damaged))
        with pytest.raises(ValueError, match=field):
            lgan_jax.load(folder)
        with pytest.raises(ValueError, match=rf"another config: config\.{field}"):
            experiment.train(small_config("celebv:quick"), folder)


def test_a_run_goes_on_where_its_data_were_moved_but_not_with_others(tmp_path, capsys):
    def config(root, **changes):
        return small_config("wflw", **{"data.dir": str(root), "data.size": 32, "detector.steps": 2} | changes)

    root = tiny_sets.wflw(tmp_path / "here" / "wflw")
    assert experiment.train(config(root), tmp_path / "run") == 0
    moved = shutil.move(root, tmp_path / "there")
    assert experiment.train(config(moved, **{"detector.steps": 3}), tmp_path / "run") == 0
    assert "detector: resumed at step 2" in capsys.readouterr().out
    other = tiny_sets.wflw(tmp_path / "other" / "wflw", train=6)
    with pytest.raises(ValueError, match=r"another config: data\.fingerprint was"):
        experiment.train(config(other, **{"detector.steps": 3}), tmp_path / "run")


def test_the_readme_example_runs(run):
    names = example("quick", run, changes={"64, 64": "32, 32", '"ada", "ben", 4': '"ada", "ben", 1'})
    assert names["images"].shape == (3, 32, 32, 3)
    assert np.abs(names["mixed"]).max() <= 1


def test_a_loaded_model_needs_no_data_and_knows_its_people(run):
    model = lgan_jax.load(run)
    assert model.info.identities == ("ada", "ben")
    landmarks = np.random.default_rng(0).random((2, 3, 98, 2), np.float32)
    converted = model.convert(landmarks, target="ben")
    made = model.synthesize(landmarks, target=1)
    np.testing.assert_allclose(made, model.synthesize(converted, target="ben", convert=False), atol=1e-5)
    with pytest.raises(ValueError, match="unknown target 'zoe'; the targets are ada, ben"):
        model.convert(landmarks, target="zoe")


def test_the_detector_of_another_run_is_taken_over(run, tmp_path, monkeypatch):
    """By a joint run, which is trained and evaluated here as the staged one is above."""
    config = small_config("celebv:quick,joint", **{"detector_run": str(run), "detector.width": 64})
    assert experiment.train(config, tmp_path / "run") == 0
    assert json.loads((tmp_path / "run" / "report" / "metrics.json").read_text())["tables"]
    monkeypatch.setattr("lgan_jax.experiment.training.evaluate", lambda *_, **__: None)
    assert experiment.train(config, tmp_path / "run") == 0  # started again
    theirs, ours = (lgan_jax.load(folder).state.frozen["detector"] for folder in (run, tmp_path / "run"))
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)
    with pytest.raises(ValueError, match=r"the detector of .* is for scheme wflw98, not ibug68"):
        experiment.train(
            small_config("celebv:quick", detector_run=str(run), **{"data.scheme": "ibug68"}), tmp_path / "x"
        )


def test_data_without_action_units_are_refused_before_a_run_is_begun(tmp_path):
    root = tiny_sets.celebv(tmp_path / "faces", {"Al": 6})
    changes = {"data.name": "celebv", "data.size": 64, "data.dir": str(root), "evaluation.frames": 2}
    config = small_config("emotionet:quick", **changes)
    with pytest.raises(ValueError, match="folder: faces has no action units, and this method needs them: repeat"):
        experiment.train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_faces_that_do_not_come_in_pairs_are_refused_before_a_run_is_begun(tmp_path):
    changes = {"data.built_in.pairs": False, "data.cache": str(tmp_path / "cache"), "data.size": 64}
    changes |= {"evaluation.frames": 2}
    with pytest.raises(ValueError, match="built-in faces: the pairs phase needs pairs of images"):
        experiment.train(small_config("emotionet:quick", **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_people_in_both_splits_are_refused_where_they_must_not_be(tmp_path, monkeypatch):
    monkeypatch.setattr(METHODS["dftnet"].phases["pairs"], "grouping", "expressions")
    changes = {"data.cache": str(tmp_path / "cache"), "data.size": 64, "evaluation.frames": 2}
    config = small_config("emotionet:quick", **changes)
    with pytest.raises(ValueError, match="built-in faces: ada is in the training and in another split"):
        experiment.train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        (
            "emotionet:cpu,unpaired",
            {"data.size": 64, "editor.blocks": 2},
            "blocks is 2; it must equal the earlier phase's, 1",
        ),
        (
            "celeba:quick",
            {"began.width": 3, "evaluation.frames": 2},
            "width and skips of config.began must equal those of",
        ),
        (
            "celebv:quick,paper_generator",
            {"phases": ("detector", "generator")},
            "needs a finished 'converter' phase before it",
        ),
    ],
)
def test_phases_that_do_not_suit_each_other_are_refused_before_the_first(name, changes, said, tmp_path):
    config = small_config(name, **{"data.built_in.train_per_identity": 2, "evaluation.frames": 2} | changes)
    with pytest.raises(ValueError, match=said):
        experiment.train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def refuse_to_draw(monkeypatch, cache):
    def drawn(*_):
        pytest.fail("faces are drawn before the run is refused")

    monkeypatch.setattr("lgan_jax.data.builders.synthetic.rendered", drawn)
    monkeypatch.setenv("LGAN_JAX_CACHE", str(cache))


def test_a_run_of_another_config_is_refused_by_name_before_faces_are_drawn(run, monkeypatch, tmp_path):
    refuse_to_draw(monkeypatch, tmp_path / "cache")
    stored = workdir.read_run(run)["config"]
    form = "landmarks" if stored["generator"]["form"] == "reference" else "reference"
    for section, field, value in (("detector", "width", 16), ("generator", "form", form)):
        config = {**stored, section: {**stored[section], field: value}}
        expected = rf"another config: config\.{section}\.{field} was .*, is {value!r}\. Choose"
        with pytest.raises(ValueError, match=expected):
            experiment.train(config, run)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data.size": 48}, "images are 48 pixels wide"),
        ({"detector_run": "nowhere"}, "there is no run in nowhere"),
        ({"phases": ("generator",)}, "needs a finished 'detector' phase"),
    ],
)
def test_what_can_be_refused_is_refused_before_faces_are_drawn(changes, said, monkeypatch, tmp_path):
    refuse_to_draw(monkeypatch, tmp_path / "cache")
    with pytest.raises((ValueError, OSError), match=said):
        experiment.train(small_config("celebv:quick", **changes), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_weights_for_the_evaluation_are_looked_for_before_training(monkeypatch, tmp_path):
    refuse_to_draw(monkeypatch, tmp_path / "cache")
    config = small_config("celeba:quick", **{"evaluation.frames": 2, "evaluation.inception": str(tmp_path / "none")})
    with pytest.raises((ValueError, OSError), match="none"):
        experiment.train(config, tmp_path / "run")


def test_a_run_at_work_and_its_report_are_left_alone(run):
    with locks.held(run, "the run", inside=True), pytest.raises(BlockingIOError, match="is in use by process"):
        experiment.train(workdir.read_run(run)["config"], run)
    with (
        locks.held(run / "report", "the report"),
        pytest.raises(BlockingIOError, match=r"the report of .* is in use by process"),
    ):
        experiment.evaluate(run)


def test_a_run_that_has_no_generator_yet_cannot_be_loaded(run, tmp_path):
    config = small_config("celebv:quick", phases=("detector",), detector_run=str(run))
    with pytest.raises(ValueError, match="has not reached its generator or joint phase"):
        experiment.train(config, tmp_path / "run")
    with pytest.raises(ValueError, match="has not reached its generator or joint phase"):
        lgan_jax.load(tmp_path / "run")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--config configs/celebv.py:quick --config.generator.stepz=3", "stepz"),
        (
            "--config configs/celebv.py:quik",
            "the config has no variant 'quik'; it has gpu, cpu, quick, paper_generator, joint",
        ),
        (
            "--config configs/emotionet.py:fast",
            "the config has no variant 'fast'; it has gpu, cpu, quick, unpaired, baseline",
        ),
        ("--config configs/emotionet.py --config.editor.batch_size=7", "must be a multiple of"),
        ("--config configs/celebv.py --config.data.dir=nowhere", "nowhere"),
        ("--config configs/celebv.py --config.data.dir=configs", "all_98pt.txt"),
        ("--config configs/celebv.py --config.precision=half", "config.precision is 'half'; it must be one of"),
        ("--config configs/none.py", "configs/none.py"),
        ("", "the following arguments are required: --config"),
        ("--confg x", "--confg is not a flag of this command; did you mean --config?"),
        ("--config configs/celebv.py:quick --processes 2", "--processes alone does nothing: give --coordinator"),
        ("--config configs/celebv.py:quick --coordinator here:1", "--coordinator alone does nothing: give"),
        ("--config configs/celebv.py --config.data.dir=no--coordinator", "no--coordinator"),
        ("--config configs/celebv.py --coordinator here --processes 2 --process 0", "here is not a host:port"),
        ("--config configs/celebv.py --config.data.size=48", "images are 48 pixels wide"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(arguments, said, tmp_path):
    result = forked.run("train.py", *arguments.split(), f"--workdir={tmp_path / 'run'}", folder=ROOT)
    assert result.returncode == 2
    assert result.stderr.startswith("train.py: ")
    assert result.stderr.count("\n") == 1, result.stderr
    assert said in result.stderr
    assert not (tmp_path / "run").exists()


def test_evaluating_what_is_no_run_is_one_line(tmp_path):
    command = [sys.executable, "evaluate.py", f"--workdir={tmp_path}"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "there is no run in" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--config.evaluation.study.batch_size=5", "batch_size is 5; half of a batch is generated"),
        ("--frames=1", "frames is 1; it must be at least 2"),
    ],
)
def test_a_run_is_evaluated_as_another_config_says(arguments, said, tmp_path):
    data = {"name": "x", "fingerprint": "0", "built_in": True, "scheme": "inner49", "size": 32, "identities": ["a"]}
    config = small_config("celeba:quick", **{"evaluation.frames": 3})
    workdir.open_run(tmp_path, {"config": config, "data": data})
    given = f"--workdir={tmp_path} --config=configs/celeba.py:quick {arguments}"
    result = forked.run("evaluate.py", *given.split(), folder=ROOT)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert said in result.stderr


def test_unknown_fields_and_phases_are_refused():
    config = small_config("celebv:quick")
    config["generator"]["optimiser"] = {}
    with pytest.raises(ValueError, match=r"config.generator has no field 'optimiser'; did you mean 'optimizer'"):
        experiment.Experiment.read(config)
    with pytest.raises(ValueError, match=r"landmarkgan has no phase 'generater'"):
        experiment.Experiment.read(small_config("celebv:quick", phases=("detector", "generater")))
