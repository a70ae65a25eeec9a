"""From the config of StyleGAN2, shrunk, to its report, and from its folder to projected photos."""

import json

import numpy as np
import pytest
import small_videos
from PIL import Image
from readme import example
from small_configs import small_config

import lgan_jax
from lgan_jax import cli, experiment
from lgan_jax.apps.project import command as project
from lgan_jax.methods.projection.projector import Settings

SIZE = 16


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of the quick config."""
    changes = {
        **{"data.size": SIZE, "data.cache": str(tmp_path_factory.mktemp("cache")), "data.built_in.identities": 1},
        **{"stylegan2.d_reg_interval": 0, "stylegan2.g_reg_interval": 0},  # one program to compile, not three
        **{"evaluation.frames": 2, "evaluation.pairs": 2, "evaluation.weights": (0.1,), "evaluation.steps": 2},
    }
    folder = tmp_path_factory.mktemp("runs") / "faces"
    assert experiment.train(small_config("ffhq:quick", **changes), folder) == 0
    return folder


@pytest.fixture(scope="module")
def model(run):
    return lgan_jax.load(run)


def test_the_report_has_every_table(run):
    data = json.loads((run / "report" / "metrics.json").read_text())
    assert list(data["tables"]) == ["distances", "projections", "expressions"]
    assert data["facts"]["Weights"] == "detector of step 2, stylegan2 of step 2"
    assert (run / "report" / "projections.png").is_file()


def test_faces_are_made_and_seen(model):
    made = model.sample(3, 5)
    assert made.image.shape == (5, SIZE, SIZE, 3)
    assert np.abs(made.image).max() <= 1
    np.testing.assert_allclose(model.sample(3, 2).image, made.image[:2], atol=1e-5)
    mean = model.sample(3, 2, truncation=0.0).image
    np.testing.assert_allclose(mean[0], mean[1], atol=1e-5)
    whole, part, none = (model.sample(3, 2, 0.0, cutoff).image for cutoff in (model.places, 1, 0))
    np.testing.assert_allclose(whole, mean, atol=1e-6)
    np.testing.assert_allclose(none, made.image[:2], atol=1e-6)
    assert min(np.abs(part - whole).max(), np.abs(part - none).max()) > 1e-4
    assert model.detect(made.image).shape == (5, 68, 2)
    distance = model.look_distance(made.image, np.roll(made.image, 1, 0))
    assert (distance > 0).all()
    assert (distance <= 4).all()
    np.testing.assert_allclose(model.look_distance(made.image, made.image), 0, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.generate(np.zeros((2, 4))), r"the numbers z have the shape \(2, 4\); expected \(B, 5\)"),
        (lambda m: m.sample(0, 1, 0.7, 99), "truncation_cutoff is 99; it must be from 0 to 6, the places of styles"),
        (lambda m: m.detect(np.zeros((SIZE, SIZE, 3), np.uint8)), r"images are uint8; expected .* in \[-1, 1\]"),
        (lambda m: m.look_distance(*[np.full((1, SIZE, SIZE, 3), 2.0)] * 2), r"images must be in \[-1, 1\]"),
    ],
)
def test_what_is_wrong_is_said(model, call, message):
    with pytest.raises(ValueError, match=message):
        call(model)


def test_the_readme_example_runs(run):
    names = example("project", run, changes={"steps=250": "steps=2, samples=8, candidates=4"})
    assert names["found"].image.shape == (1, SIZE, SIZE, 3)


def test_its_projector_sees_with_its_networks(model):
    projector = model.projector(Settings(samples=4, steps=1))
    image = model.sample(3, 2).image
    np.testing.assert_allclose(projector.heatmaps(image).sum((1, 2)), 2 * np.pi, rtol=1e-4)
    np.testing.assert_allclose(projector.locate(image), model.detect(image), atol=1e-4)
    with pytest.raises(ValueError, match="ibug68 has no group of landmarks 'ears'"):
        model.projector(Settings(), {"ears": 1.0})


def test_the_run_projects(run, tmp_path, capsys):
    """An image of its size, and a photo, in which the face lies as it does in the run's images."""
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)).save(tmp_path / "a.png")
    small_videos.write_photo(tmp_path / "b.jpg", small_videos.scene((small_videos.face(1)[0], 60, 16)))
    given = ["--workdir", run, "--look", tmp_path / "a.png", "--landmarks", tmp_path / "b.jpg"]
    given = [str(each) for each in (*given, "--steps", 2, "--space", "w+", "--out", tmp_path / "out")]
    assert cli.run(lambda: project.main(given), "project") == 0
    assert f"{tmp_path / 'out'} is written" in capsys.readouterr().out
    look = np.asarray(Image.open(tmp_path / "out" / "look.png"))
    np.testing.assert_array_equal(look, np.asarray(Image.open(tmp_path / "a.png")))
    assert np.asarray(Image.open(tmp_path / "out" / "result.png")).shape == (SIZE, SIZE, 3)
    styles = np.load(tmp_path / "out" / "w.npz")["w"]  # at 4, 8, 8, 16 and 16 pixels, and of the colors
    assert styles.shape == (1, 6, 6)
    assert np.ptp(styles, 1).max() > 0
