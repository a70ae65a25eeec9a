"""From a config of DFT-Net, shrunk, to its report, and from its folder to an edited photo."""

import json

import numpy as np
import pytest
import small_videos
from readme import example
from small_configs import small_config

import lgan_jax
from lgan_jax import cli, experiment
from lgan_jax.apps.express import command
from lgan_jax.media.images import decode


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of the quick config with its baseline."""
    changes = {
        **{"data.size": 64, "data.cache": str(tmp_path_factory.mktemp("cache"))},
        **{"data.built_in.train_per_identity": 8, "data.built_in.test_per_identity": 4},
        **{
            "pairs.optimizer.learning_rate": 0.05,
            "pairs.optimizer.schedule.warmup_steps": 0,
        },  # two steps that change faces
        **{"evaluation.frames": 4, "evaluation.identity_frames": 2, "evaluation.single_frames": 2},
    }
    folder = tmp_path_factory.mktemp("runs") / "quick"
    assert experiment.train(small_config("emotionet:quick,baseline", **changes), folder) == 0
    return folder


def test_the_report_compares_with_the_baseline(run):
    data = json.loads((run / "report" / "metrics.json").read_text())
    assert [row["name"] for row in data["tables"]["editing"]["rows"]] == [
        "DFT-Net",
        "GANimation",
        "source unchanged",
        "ground truth",
    ]
    assert "the GANimation baseline" in data["verdict"]
    assert data["facts"]["Weights"] == "regressor of step 2, pairs of step 2, baseline_pairs of step 2"
    assert (run / "report" / "parts.png").is_file()


def test_the_run_edits_a_photo(run, tmp_path, capsys):
    image = small_videos.write_photo(tmp_path / "face.jpg", small_videos.scene((small_videos.face(1)[0], 60, 16)))
    out = tmp_path / "out.png"
    arguments = ["--workdir", run, "--image", image, "--emotion", "surprise", "--out", out]
    assert cli.run(lambda: command.main([str(each) for each in arguments]), "express") == 0
    assert f"{out} is written" in capsys.readouterr().out
    change = np.abs(decode(out.read_bytes()).astype(int) - decode(image.read_bytes()))
    assert change[100:160, 140:200].mean() > 5
    assert not change[:, :40].any()
    assert lgan_jax.load(run).baseline is not None


def test_the_readme_example_runs(run):
    names = example("express", run)
    assert names["estimated"].shape == (3, 17)
    assert names["edited"].image.shape == (3, 64, 64, 3)
