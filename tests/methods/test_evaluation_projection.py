"""Projections of a model that is known: gray images whose landmarks lie as low as they are bright."""

import dataclasses
import json

import numpy as np
import pytest
from oracle import Memory, built_in_faces, drawn, setup_of

from lgan_jax.core import FaceInfo
from lgan_jax.data import FaceData, synthetic
from lgan_jax.evaluation import dlib_evaluator, harness
from lgan_jax.landmarks import IBUG68
from lgan_jax.methods.projection.evaluation import evaluate as evaluation
from lgan_jax.methods.projection.evaluation import image_grids, metrics
from lgan_jax.methods.projection.model import Sampled
from lgan_jax.methods.projection.projector import Projection

SIZE, TEST = 20, 5
INFO = FaceInfo(IBUG68, SIZE, ("made",), 3)
SHAPE = np.random.default_rng(0).uniform(0.4, 0.6, (68, 2))

ROWS = ["appearance alone", "0.1", "1.0", "landmarks alone", metrics.APPEARANCE_IMAGE, metrics.LANDMARK_IMAGE]


def picture(grey):
    return np.asarray(grey, np.float32)[:, None, None, None] * np.ones((1, SIZE, SIZE, 3), np.float32)


def landmarks(images):
    return (SHAPE + 0.3 * images.mean((1, 2, 3))[:, None, None] * np.array([0, 1.0])).astype(np.float32)


class Model:
    """Blends look and landmarks by their weights; or, where it is `deaf`, shows the look."""

    info = INFO

    def __init__(self, deaf=False):
        self.deaf, self.searched = deaf, []

    def sample(self, seed, count):
        z = np.random.default_rng(seed).uniform(-0.5, 0.5, (count, 1)).astype(np.float32)
        return Sampled(z, picture(z[:, 0]))

    def detect(self, images):
        return landmarks(images)

    def look_distance(self, images, others):
        return np.abs(images - others).mean((1, 2, 3))

    def heatmap_distance(self, images, others):
        return 2 * self.look_distance(images, others)

    def projector(self, settings):
        self.searched.append(settings.steps)
        return self

    def __call__(self, look, landmarks, *, shares):
        share = shares[:, 1] / shares.sum(1) * (not self.deaf)
        image = look + share[:, None, None, None] * (landmarks - look)
        return Projection(None, [], image, None, {}, None)


class Dlib(dlib_evaluator.DlibEvaluator):
    """Sees the landmarks of pictures that are not too dark; who somebody is it sees by brightness."""

    def __init__(self):
        pass

    def landmarks(self, images):
        images = images / 127.5 - 1
        points = landmarks(images)
        points[images.mean((1, 2, 3)) < -0.7] = np.nan
        return points

    def descriptors(self, images):
        grey = images.mean((1, 2, 3))[:, None] / 255
        return np.concatenate([np.sqrt(1 - grey**2), grey, np.zeros((len(grey), 126))], 1).astype(np.float32)


@pytest.fixture
def faces():
    """One held-out face is too dark for dlib."""
    grey = {"train": [0.1, -0.2, 0.3], "validation": [0.0], "test": [-0.8, 0.4, -0.3, 0.5, 0.2]}
    records = {
        split: [{"image": image, "landmarks": points, "identity": 0} for image, points in zip(
            np.rint((picture(values) + 1) * 127.5).astype(np.uint8), landmarks(picture(values)))]
        for split, values in grey.items()
    }  # fmt: skip
    return FaceData("photos: x", False, INFO, "0123", (), *(Memory(each) for each in records.values()))


def measured(model, faces, folder, monkeypatch, dlib=True):
    found = (Dlib(), []) if dlib else (dlib_evaluator.MissingDlib(), ["no dlib"])
    monkeypatch.setattr(harness, "find_dlib", lambda: found)
    settings = evaluation.Settings(frames=4, pairs=5, weights=(1.0, 0.1), steps=7)
    made = evaluation.evaluate(model, faces, settings, folder)
    return made, json.loads((folder / "metrics.json").read_text())


def test_curves_go_from_one_end_to_the_other(faces, tmp_path, monkeypatch):
    model = Model()
    made, data = measured(model, faces, tmp_path, monkeypatch)
    rows = data["tables"]["projections"]["rows"]
    names = [row["name"] for row in rows]
    assert names == ROWS
    by_name = {row["name"]: {key: each["mean"] for key, each in row["metrics"].items()} for row in rows}
    for key in (metrics.DETECTOR, metrics.HEATMAPS):
        values = [by_name[name][key] for name in names[:4]]
        assert values == sorted(values, reverse=True)
        assert values[-1] == pytest.approx(0, abs=0.01)
    assert by_name["landmarks alone"][metrics.DLIB] == pytest.approx(0, abs=0.01)
    for key in (metrics.FEATURES, metrics.IDENTITY):
        values = [by_name[name][key] for name in names[:4]]
        assert values == sorted(values)
        assert values[0] == pytest.approx(0, abs=0.01)
    eyes = np.linalg.norm(np.subtract(*SHAPE[list(IBUG68.eye_corners)]))
    apart = np.abs(np.diff([-0.8, 0.4, -0.3, 0.5, 0.2, -0.8])).mean()
    assert by_name[metrics.APPEARANCE_IMAGE][metrics.DETECTOR] == pytest.approx(0.3 * apart / eyes, rel=0.02)
    assert by_name[metrics.APPEARANCE_IMAGE][metrics.HEATMAPS] == pytest.approx(2 * apart, rel=0.02)
    assert rows[0]["metrics"][metrics.DLIB]["measured"] == 3  # of five: the dark face is in two pairs
    assert made.good
    assert "beats the ends in landmark error (dlib) of appearance alone" in made.verdict
    assert model.searched == [7]
    assert set(data["images"]) == {"generated.png", "projections.png", "curve-landmarks.png", "curve-appearance.png"}
    assert all((tmp_path / name).is_file() for name in data["images"])


def test_a_generator_that_does_not_take_the_landmarks_over(faces, tmp_path, monkeypatch):
    made, data = measured(Model(deaf=True), faces, tmp_path, monkeypatch, dlib=False)
    assert not made.good
    assert "does not beat the ends" in made.verdict
    assert set(data["tables"]["projections"]["rows"][0]["metrics"]) == {"detector", "heatmaps", "features"}
    assert "no dlib" in data["warnings"]
    assert any("--inception" in line for line in data["warnings"])
    assert [row["name"] for row in data["tables"]["distances"]["rows"]] == ["generated faces", "training images"]


def test_what_cannot_be_measured_is_said(faces, tmp_path):
    other = Model()
    other.info = FaceInfo(IBUG68, 32, ("made",))
    with pytest.raises(ValueError, match=r"image size \(32\) is not the data's \(20\)"):
        evaluation.evaluate(other, faces, evaluation.Settings(), tmp_path)
    for changes, message in (
        ({"pairs": 1}, "pairs is 1; it must be at least 2"),
        ({"weights": (0.1, 0.0)}, r"weights are \(0\.1, 0\.0\); at least one number above 0"),
    ):
        with pytest.raises(ValueError, match=message):
            evaluation.Settings(**changes)


@pytest.mark.parametrize("aligned", [False, True])
def test_the_ground_truth_of_built_in_faces_is_rendered(aligned):
    """The appearance's person and light, with expression, pose and place of the other; aligned as the data are."""
    data, samples = built_in_faces(64, identities=2, train=1, test=3, aligned=aligned)
    some = metrics.pairs(data, 4)
    taken = ("action_units", "expression", "lopsided", "yaw", "pitch", "roll", "gaze", "shift", "scale")
    by_picture = {data.test[i]["image"].tobytes(): sample for i, sample in enumerate(samples["test"])}
    for appearance, other, made in zip(some.appearance, some.others, some.ground_truth):
        own, other = by_picture[appearance.tobytes()], by_picture[other.tobytes()]
        target = dataclasses.replace(own, **{name: getattr(other, name) for name in taken})
        target = synthetic.aligned(target) if aligned else target
        np.testing.assert_array_equal(made, drawn(target, 64)["image"])
    projected = {"appearance alone": some.appearance, "0.1": some.others}
    both = (some, dataclasses.replace(some, ground_truth=None))
    with_truth, without = (
        image_grids.projections(setup_of(data), metrics.Measured(None, None, None, each, projected, {}, "0.1"))
        for each in both
    )
    assert "ground truth" in with_truth.caption
    assert "ground truth" not in without.caption
    assert with_truth.image.shape[1] > without.image.shape[1] + 64


def test_mouths_are_compared_around_the_lips():
    lips = np.array([[[0.25, 0.5], [0.5, 0.625]]] * 2)
    target = np.zeros((2, 32, 32, 3), np.uint8)
    made = np.full((2, 32, 32, 3), 255, np.uint8)
    made[:, 15:21, 7:17] = [[[[51]]], [[[0]]]]  # with a pixel around them
    np.testing.assert_allclose(metrics.mouth_difference(made, target, lips), [0.2, 0])
    np.testing.assert_allclose(
        metrics.mouth_difference(made, target, lips + (0, 1)), 1
    )  # below the image: its last row


@pytest.mark.parametrize("deaf", [False, True])
def test_expressions_of_built_in_faces_are_measured_beside_the_ground_truth(tmp_path, monkeypatch, deaf):
    """Images are rendered alike but for their expressions, so that a blend comes nearer to the ground truth."""
    data, _ = built_in_faces(SIZE, identities=1, train=2, test=5, acts="posed", turning=0.0)
    model = Model(deaf)
    model.info = data.info
    model.detect = lambda images: np.stack([data.test[0]["landmarks"]] * len(images))
    made, found = measured(model, data, tmp_path, monkeypatch)
    rows = {row["name"]: row["metrics"] for row in found["tables"]["expressions"]["rows"]}
    assert list(rows) == ROWS
    assert all(set(figures) == {metrics.TRUE_LANDMARKS, metrics.TRUE_MOUTH} for figures in rows.values())
    assert metrics.TRUE_MOUTH not in found["tables"]["projections"]["rows"][0]["metrics"]
    assert "difference (mouth of the ground truth) of appearance alone" in made.verdict
    mouth = [rows[name][metrics.TRUE_MOUTH]["mean"] for name in ("appearance alone", "0.1", "1.0")]
    assert mouth == sorted(mouth, reverse=True)
    assert (mouth[2] < 0.8 * mouth[0]) != deaf
    assert "curve-expression.png" in found["images"]
    assert not (made.good and deaf)
