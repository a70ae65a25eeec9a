"""From the config of made faces, shrunk, to its report, and from its folder to a data set and an inverted photo."""

import json

import numpy as np
import pytest
from PIL import Image
from readme import example
from small_configs import small_config

import lgan_jax
from lgan_jax import cli, experiment
from lgan_jax.apps.invert import command as invert
from lgan_jax.apps.synthesize import command as synthesize

WEIGHTS = "autoencoder of step 2, began of step 2, inverse of step 2, landmark_generator of step 3"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    changes = {
        **{"data.cache": str(tmp_path_factory.mktemp("cache")), "data.built_in.identities": 1},
        **{"data.built_in.test_identities": 0, "data.built_in.test_per_identity": 3},
        **{"loop.eval_every": 1, "evaluation.frames": 3},
    }
    return small_config("celeba:quick", **changes)


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    """A finished run of the quick config."""
    folder = tmp_path_factory.mktemp("runs") / "quick"
    assert experiment.train(config, folder) == 0
    return folder


def command(module, capsys, *arguments):
    assert cli.run(lambda: module.main([str(each) for each in arguments]), "test") == 0
    return capsys.readouterr().out


def test_the_report_has_every_table(run):
    data = json.loads((run / "report" / "metrics.json").read_text())
    assert list(data["tables"]) == ["convergence", "distances", "inversion", "landmarks", "smoothness"]
    assert data["facts"]["Weights"] == WEIGHTS
    assert "landmark generator" in data["verdict"]
    assert len(data["tables"]["convergence"]["rows"]) == 3
    assert (run / "report" / "mirror.png").is_file()


def test_the_z_of_every_training_image_was_searched_for(run):
    searched = lgan_jax.load(run).searched
    assert searched.z.shape == (4, 64)
    assert (searched.error >= 0).all()


def test_the_readme_example_runs(run):
    size = lgan_jax.load(run).size
    names = example("began", run, changes={"64, 64": f"{size}, {size}"})
    assert names["sampled"].landmarks.shape == names["found"].landmarks.shape == (3, 49, 2)


def test_a_finished_run_is_not_trained_again(run, config, capsys):
    assert experiment.train(config, run) == 0
    said = capsys.readouterr().out
    for name in (
        "autoencoder: finished at step 2",
        "began: finished at step 2",
        "inverse: finished at step 2",
        "landmark_generator: finished at step 3",
    ):
        assert name in said


def test_the_run_makes_a_data_set(run, tmp_path, capsys):
    out = tmp_path / "made"
    said = command(synthesize, capsys, "--workdir", run, "--count", 11, "--out", out, "--seed", 2)
    assert f"{out} holds 11 faces with 49 landmarks, sampled from quick" in said
    about = json.loads((out / "made.json").read_text())
    assert about["weights"] == WEIGHTS
    expected = lgan_jax.load(run).sample(2, 1, first=10).image[0]
    made = np.asarray(Image.open(out / "images" / "00000" / "0000010.png"))
    assert np.abs(made / 127.5 - 1 - expected).max() < 0.02
    assert "0 faces sampled" in command(synthesize, capsys, "--workdir", run, "--count", 11, "--out", out, "--seed", 2)


def test_the_run_inverts_a_photo(run, tmp_path, capsys):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)).save(tmp_path / "face.png")
    out = tmp_path / "out"
    said = command(invert, capsys, "--workdir", run, "--image", tmp_path / "face.png", "--mirror", "--out", out)
    assert "after 2 updates" in said
    assert (out / "way.mp4").is_file()
