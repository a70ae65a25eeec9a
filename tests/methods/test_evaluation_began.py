"""Generated faces and landmarks of a model that is known: gray images whose landmarks bend with their gray."""

import dataclasses
import json

import numpy as np
import pytest
from oracle import Memory, means

from lgan_jax.core import FaceInfo
from lgan_jax.data import FaceData
from lgan_jax.evaluation import dlib_evaluator, frechet, harness
from lgan_jax.landmarks import IBUG68, IBUG68_TO_INNER49, INNER49
from lgan_jax.media.images import to_bytes
from lgan_jax.methods.began.evaluation import augmentation_study, metrics
from lgan_jax.methods.began.evaluation import evaluate as evaluation
from lgan_jax.methods.began.model import Inverted, Sampled, Searched
from lgan_jax.metrics.lmk import nme_where_known

SIZE, TRAIN, TEST = 24, 30, 6
INFO = FaceInfo(INNER49, SIZE, ("made",), TRAIN)
SHAPE = np.random.default_rng(0).uniform(0.3, 0.7, (49, 2))


def picture(z):
    """A ramp as bright as z's first number is large, of which it can be read back."""
    ramp = np.linspace(-0.3, 0.3, SIZE)[:, None, None]
    return (0.6 * z[:, 0, None, None, None] + ramp * np.ones((SIZE, SIZE, 3))).astype(np.float32)


def bent(z):
    """The true landmarks: they move down by the size of z's first number, whatever its sign."""
    return (SHAPE + 0.2 * np.abs(z[:, :1, None]) * np.array([0, 1.0])).astype(np.float32)


class Model:
    """Knows picture and landmarks of z; `off` moves its landmarks by that many times the distance of the eyes."""

    info = INFO

    def __init__(self, z, off=0.0):
        self.searched = Searched(z.astype(np.float32), np.full(len(z), 0.1, np.float32))
        self.off = off

    def sample(self, seed, count, near=False):
        z = np.random.default_rng(seed).uniform(-1, 1, (count, 64)).astype(np.float32)
        if near:
            z[:, 0] = 0.5
        return Sampled(z, self.generate(z), self.landmarks(z))

    def generate(self, z):
        return picture(z)

    def landmarks(self, z):
        eyes = np.linalg.norm(np.subtract(*SHAPE[list(INNER49.eye_corners)]))
        return bent(z) + np.float32(self.off * eyes) * np.array([1, 0], np.float32)

    def invert(self, image):
        z = np.zeros((len(image), 64), np.float32)
        z[:, 0] = (image.mean((1, 2, 3)) / 0.6).clip(-1, 1)
        return Inverted(z, self.generate(z), self.landmarks(z), np.zeros(len(z)), np.ones(len(z), int))


class Dlib(dlib_evaluator.DlibEvaluator):
    """Sees the true landmarks of pictures that are not too dark."""

    def __init__(self):
        pass

    def landmarks(self, images):
        z = images.mean((1, 2, 3))[:, None] / 127.5 - 1
        points = np.full((len(images), IBUG68.count, 2), np.nan, np.float32)
        seen = z[:, 0] > -0.2
        points[seen] = 0.5
        points[np.ix_(seen, IBUG68_TO_INNER49)] = bent(z[seen] / 0.6)
        return points


def with_jaw(inner):
    """iBUG's 68 points of its 49 inner ones; the others all lie in a corner."""
    points = np.zeros((len(inner), 68, 2), np.float32)
    points[:, IBUG68_TO_INNER49] = inner
    return points


@pytest.fixture
def data():
    rng = np.random.default_rng(1)
    z = {"train": rng.uniform(-1, 1, (TRAIN, 64)), "test": rng.uniform(-1, 1, (TEST, 64))}
    records = {
        split: [
            {"image": to_bytes(picture(some[i : i + 1]))[0], "landmarks": bent(some[i : i + 1])[0], "identity": 0}
            for i in range(len(some))
        ]
        for split, some in z.items()
    }
    splits = {split: Memory(some) for split, some in (records | {"validation": records["test"][1:]}).items()}
    return FaceData("photos: album", False, INFO, "0123", ("1 skipped",), **splits), z["train"]


def test_a_model_that_knows_beats_both_baselines(data, tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "find_dlib", lambda: (Dlib(), []))
    faces, z = data
    history = [(0, 0.4), (100, 0.1), (200, 0.2)]
    found = evaluation.evaluate(
        Model(z, 0.01), faces, evaluation.Settings(frames=6, interpolations=2), tmp_path, history=history
    )
    landmarks = means(found, "landmarks")
    assert landmarks["landmark generator"]["test"] == pytest.approx(0.01, rel=0.05)
    assert landmarks["landmark generator"]["generated"] == pytest.approx(0.01, rel=0.3)
    assert landmarks["landmark generator"]["near"] == pytest.approx(0.01, rel=0.3)
    for baseline in ("mean shape", "linear map of z"):
        assert landmarks[baseline]["test"] > 0.1
        assert landmarks[baseline]["generated"] > 0.1
        assert landmarks[baseline]["near"] > 0.01
    assert landmarks["dlib, which sees the image"].keys() == {"test"}
    assert found.good
    assert found.verdict.startswith("The landmark generator beats the better of mean shape and linear map")
    inversion = means(found, "inversion")
    assert inversion["generated from its z"]["error"] < 0.003
    assert inversion["generated from its z"]["error"] < inversion["nearest training image"]["error"]
    assert inversion["nearest training image"]["error"] < inversion["mean training image"]["error"]
    assert means(found, "convergence") == {
        "first, step 0": {"measure": 0.4},
        "lowest, step 100": {"measure": 0.1},
        "last, step 200": {"measure": 0.2},
    }
    distances = means(found, "distances")
    assert set(distances) == {"generated faces", "generated near training", "training images"}
    assert distances["generated near training"]["coarse"] != distances["generated faces"]["coarse"]
    assert distances["generated faces"].keys() == {"coarse", "landmarks"}
    smooth = means(found, "smoothness")
    assert smooth["to another face"]["images"] == pytest.approx(1, abs=0.01)
    lost = int((picture(Model(z).sample(6, 6).z).mean((1, 2, 3)) <= -0.2).sum())
    assert lost == 1
    assert f"dlib finds no face in {lost} of 6 generated images; its metrics leave these out." in found.warnings
    saved = json.loads((tmp_path / "metrics.json").read_text())
    assert saved["images"] == ["generated.png", "near.png", "inverted.png", "mirror.png", "convergence.png"]
    assert all((tmp_path / name).is_file() for name in saved["images"])
    assert found.facts["Notes"] == "1 skipped"


def test_a_run_of_68_points_is_compared_with_dlib_in_the_49_inner_ones(data, tmp_path, monkeypatch):
    class Model68(Model):
        info = dataclasses.replace(INFO, scheme=IBUG68)

        def landmarks(self, z):
            return with_jaw(super().landmarks(z))

    def with_jaws(records):
        return Memory([each | {"landmarks": with_jaw(each["landmarks"][None])[0]} for each in records])

    monkeypatch.setattr(harness, "find_dlib", lambda: (Dlib(), []))
    faces, z = data
    faces68 = dataclasses.replace(faces, info=Model68.info, train=with_jaws(faces.train), test=with_jaws(faces.test))
    settings = evaluation.Settings(frames=6, interpolations=2)
    found = [
        evaluation.evaluate(model, each, settings, tmp_path / model.info.scheme.name)
        for model, each in ((Model(z, 0.01), faces), (Model68(z, 0.01), faces68))
    ]
    inner, whole = (means(each, "landmarks") for each in found)
    assert inner.keys() == whole.keys()
    for name in inner:
        assert whole[name] == pytest.approx(inner[name], rel=1e-4)


def test_without_dlib_and_with_inception(data, tmp_path, monkeypatch):
    monkeypatch.setattr(
        harness, "find_dlib", lambda: (dlib_evaluator.MissingDlib(), ["dlib's columns were not measured"])
    )
    faces, z = data
    features = lambda images: images[:, ::8, 0].reshape(len(images), -1).astype(np.float32)  # noqa: E731
    settings = evaluation.Settings(frames=6, interpolations=2)
    found = evaluation.evaluate(Model(z, 2.0), faces, settings, tmp_path, inception=features)
    assert not found.good
    assert "does not beat" in found.verdict
    assert means(found, "distances")["generated faces"].keys() == {"coarse", "inception"}
    assert means(found, "landmarks")["mean shape"].keys() == {"test"}
    assert not any("FID was not measured" in each for each in found.warnings)
    assert not any(table.key == "convergence" for table in found.tables)


def test_the_augmentation_study_stays_in_the_report(data, tmp_path, monkeypatch):
    """It is found out when asked for, and shown later for the same weights."""
    asked = []

    def run(setup):
        asked.append((setup.model.sample(8, 1).image.shape, setup.settings.study.steps, setup.weights))
        error = {augmentation_study.REAL: {0.5: (0.2, 0.4)}, augmentation_study.BOTH: {0.5: (0.1, 0.2)}}
        of = {"weights": setup.weights, "fingerprint": setup.data.fingerprint}
        return augmentation_study.Result(error, 30, 4, 6, 7, 2, **of)

    monkeypatch.setattr(harness, "find_dlib", lambda: (dlib_evaluator.MissingDlib(), []))
    monkeypatch.setattr(augmentation_study, "run", run)
    faces, z = data
    first, again, other = (
        evaluation.evaluate(
            Model(z), faces, evaluation.Settings(
                frames=3, interpolations=1, augmentation=asked_for, study=augmentation_study.Settings(steps=7)
            ),
            tmp_path, {"Weights": weights},
        )
        for asked_for, weights in ((True, "step 3"), (False, "step 3"), (False, "step 4"))
    )  # fmt: skip
    assert asked == [((1, SIZE, SIZE, 3), 7, "step 3")]
    for found in (first, again):
        shown = means(found, "augmentation")
        assert {name: each["share_0.5"] for name, each in shown.items()} == pytest.approx(
            {"real faces": 0.3, "real and generated faces": 0.15}
        )
        assert found.images[-1].name == "augmentation"
    assert "augmentation" not in [table.key for table in other.tables]
    assert (
        "augmentation.json is of other weights or data, and not shown here: give --augmentation again."
        in other.warnings
    )


def test_baselines_by_hand():
    """A linear relation is found as it is, the mean shape is the mean."""
    rng = np.random.default_rng(2)
    z, map_ = rng.uniform(-1, 1, (200, 64)), rng.normal(size=(64, 6))
    landmarks = (z @ map_ + 0.5).reshape(200, 3, 2)
    base = metrics.baselines(z, landmarks)
    np.testing.assert_allclose(base.linear(z[:5]), landmarks[:5], atol=0.01)
    np.testing.assert_allclose(base.mean(z[:2]), landmarks.mean(0)[None].repeat(2, 0))
    noise = rng.normal(size=(70, 3, 2))
    assert np.abs(metrics.baselines(z[:70], noise).linear(z[:70]) - noise.mean(0)).max() < 0.5 * np.abs(noise).max()


def test_interpolations_and_errors_by_hand():
    z = metrics.interpolated(np.zeros(64), np.ones(64), 5)
    np.testing.assert_allclose(z[:, 3], [0, 0.25, 0.5, 0.75, 1])
    assert metrics.unevenness(np.array([1.0, 1.0, 4.0])) == 2
    points = bent(np.zeros((3, 64)))
    points[1] = np.nan
    errors = nme_where_known(points, bent(np.zeros((3, 64))), INNER49)
    assert np.isnan(errors[1])
    assert errors[[0, 2]].tolist() == [0, 0]
    assert np.isnan(frechet.landmark_distance(points[:2], points))
    ones = np.zeros((2, 4, 4, 3), np.uint8)
    np.testing.assert_allclose(metrics.difference(ones, ones + np.array([[[[51]]], [[[255]]]], np.uint8)), [0.2, 1])


def test_what_cannot_be_measured_is_said(data, tmp_path):
    faces, z = data
    other = FaceData(
        "other", False, FaceInfo(INNER49, 32, ("made",)), "0", (), faces.train, faces.validation, faces.test
    )
    with pytest.raises(ValueError, match=r"image size \(24\) is not the data's \(32\)"):
        evaluation.evaluate(Model(z), other, evaluation.Settings(), tmp_path)
    few = dataclasses.replace(faces, name="few", test=Memory(faces.test.records[:1]))
    with pytest.raises(ValueError, match="few: the test split has 1 images; it needs at least 2"):
        evaluation.evaluate(Model(z), few, evaluation.Settings(), tmp_path)
    with pytest.raises(ValueError, match="frames is 1; it must be at least 2"):
        evaluation.Settings(frames=1)
