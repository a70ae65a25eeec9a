"""From a config of expression synthesis, shrunk, to its report beside another run, and from its folder to a photo."""

import contextlib
import html
import io
import json
import shutil

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
def trained(tmp_path_factory):
    """The folder of a finished run of the quick config, and what it printed."""
    changes = {
        **{"data.cache": str(tmp_path_factory.mktemp("cache")), "data.size": 32},
        **{"data.built_in.test_identities": 2, "data.built_in.test_per_identity": 2},
        **{"synthesizer.steps": 2, "synthesizer.batch_size": 4, "synthesizer.width": 4, "synthesizer.units": 1},
        **{"synthesizer.discriminator_width": 4, "synthesizer.optimizer.schedule.warmup_steps": 0},
        **{"evaluation.frames": 4, "evaluation.classifier.steps": 2, "evaluation.classifier.width": 4},
    }
    folder = tmp_path_factory.mktemp("runs") / "quick"
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert experiment.train(small_config("ck_plus:quick", **changes), folder) == 0
    return folder, said.getvalue()


@pytest.fixture(scope="module")
def run(trained):
    return trained[0]


def test_a_run_without_vgg19_says_so(trained):
    """When it starts, in its record, report and model."""
    run, said = trained
    (what,) = json.loads((run / "run.json").read_text())["left_out"]
    assert what.startswith("the perceptual loss (Eq. 6), as VGG19")
    assert f"NOTE: trained without {what}." in said
    assert f"trained without {what}" in html.unescape((run / "report" / "index.html").read_text())
    model = lgan_jax.load(run)
    assert model.left_out == (what,)
    made = model.synthesize(np.zeros((2, 32, 32, 3)), np.full((2, 68, 2), 0.5), np.array([0, 7]))
    assert made.shape == (2, 32, 32, 3)


def test_the_readme_example_runs(run):
    assert example("posed", run, changes={"64, 64": "32, 32"})["posed"].shape == (3, 32, 32, 3)


def test_the_report_beside_another_run(run, tmp_path, capsys):
    other = shutil.copytree(run, tmp_path / "narrow")
    record = json.loads((other / "run.json").read_text())
    record["config"]["loop"]["seed"] = 5
    (other / "run.json").write_text(json.dumps(record))
    made = experiment.evaluate(run, {"compare": [str(other)], "frames": 3})
    (table,) = [table for table in made.tables if table.key == "ablations"]
    assert [row.name for row in table.rows if not row.published] == ["this run", "narrow"]
    assert table.about.endswith("narrow: loop.seed was 0, is 5.")
    assert made.details["settings"]["frames"] == 3
    assert "VGG19" in " ".join(made.warnings)
    assert "synthesizer of step 2" in capsys.readouterr().out
    record["data"]["fingerprint"] = "another"
    (other / "run.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match="narrow: this run has another method or other data"):
        experiment.evaluate(run, {"compare": [str(other)]})
    with pytest.raises(ValueError, match="the evaluation of expression has no field 'frame'; did you mean"):
        experiment.evaluate(run, {"frame": 3})
    with pytest.raises(FileNotFoundError, match="none"):
        experiment.evaluate(run, {"inception": str(tmp_path / "none.pth")})


def test_the_run_edits_a_photo(run, tmp_path, capsys):
    image = small_videos.write_photo(tmp_path / "face.jpg", small_videos.scene((small_videos.face(1)[0], 60, 16)))
    other = small_videos.write_photo(tmp_path / "other.jpg", small_videos.scene((small_videos.face(2)[0], 40, 20)))
    out = tmp_path / "out.png"
    asked = ["--workdir", run, "--image", image, "--landmarks-from", other, "--expression", "surprise", "--out", out]

    def say(*arguments):
        status = cli.run(lambda: command.main([str(each) for each in arguments]), "express")
        return status, capsys.readouterr()

    status, said = say(*asked)
    assert status == 0
    assert f"{out} is written" in said.out
    change = np.abs(decode(out.read_bytes()).astype(int) - decode(image.read_bytes()))
    assert change[100:160, 140:200].mean() > 5
    assert not change[:, :40].any()
    status, said = say(*asked, "--au", "12=1")
    assert status == 2
    assert said.err.startswith("express: --au is for DFT-Net runs, and ")
    assert said.err.count("\n") == 1
