import dataclasses
import json
import re

import cv2
import numpy as np
import pytest
from oracle import Memory, built_in_faces, means, setup_of

from lgan_jax.evaluation import report
from lgan_jax.evaluation.harness import OtherRun
from lgan_jax.evaluation.tables import scalar
from lgan_jax.methods.expression.evaluation import augmentation_study
from lgan_jax.methods.expression.evaluation import evaluate as expression
from lgan_jax.methods.expression.evaluation.evaluate import verdict
from lgan_jax.methods.expression.evaluation.metrics import COPY, GROUND_TRUTH, OURS, Measured, rates
from lgan_jax.methods.expression.evaluation.pairs import (
    across_people,
    choose,
    of_each_expression,
    own_images,
    partners,
)
from lgan_jax.methods.expression.evaluation.tables import verification
from lgan_jax.metrics import expression_classifier as classifiers
from lgan_jax.metrics.verification import Verification

SIZE = 64
SMALL = classifiers.Settings(steps=12, batch_size=8, width=4, learning_rate=0.01)
SETTINGS = expression.Settings(frames=6, classifier=SMALL)
IMAGES = ["examples", "expressions", "landmarks-of-others"]


class Oracle:
    """Gives the picture whose landmarks are asked for."""

    left_out = ("a loss, for want of weights",)

    def __init__(self, data):
        self.info = data.info
        self.known = {record["landmarks"].tobytes(): record["image"] for record in data.test.records}

    def synthesize(self, image, landmarks, expression):
        made = [self.known[points.tobytes()] for points in landmarks]
        return np.stack(made).astype(np.float32) / 127.5 - 1


class Lazy:
    """Makes the source darker."""

    left_out = ()

    def __init__(self, info):
        self.info, self.made = info, 0

    def synthesize(self, image, landmarks, expression):
        self.made += len(image)
        return np.clip(image - 0.2, -1, 1)


def _colors(images):
    """What stands for Inception: mean colours of the quarters."""
    return images.reshape(len(images), 2, SIZE // 2, 2, SIZE // 2, 3).mean((2, 4)).reshape(len(images), -1)


@pytest.fixture(scope="module")
def data():
    """Two people to train on, three held out, four posed expressions each."""
    return built_in_faces(SIZE, identities=2, train=4, test=4, test_identities=3, acts="posed")[0]


@pytest.fixture(scope="module")
def measured(data, tmp_path_factory):
    """The report on an oracle, beside a lazy ablation."""
    out = tmp_path_factory.mktemp("measured") / "report"
    others = {"quick-without_labels": OtherRun(Lazy(data.info), "synthesizer.labels was True, is False")}
    made = expression.evaluate(Oracle(data), data, SETTINGS, out, {"Weights": "none"}, others=others, inception=_colors)
    return made, out


def test_an_oracle_beats_copying(measured):
    made, _ = measured
    rows = means(made, "quality")
    assert list(rows) == [OURS, COPY]
    assert rows[OURS]["psnr"] == 100
    assert rows[OURS]["frechet"] < 1e-6 > rows[OURS]["fid"]
    assert rows[OURS]["ssim"] == pytest.approx(1)
    assert rows[COPY]["ssim"] < 0.99
    assert rows[COPY]["fid"] > 0 < rows[COPY]["frechet"]
    assert means(made, "quality", published=True)["Li et al."] == {"psnr": 23.004, "ssim": 0.775, "fid": 67.69}
    rows = means(made, "control")
    assert list(rows) == [OURS, COPY, GROUND_TRUTH]
    assert rows[OURS] == rows[GROUND_TRUTH]
    assert rows[OURS]["landmarks"] < 0.08
    assert rows[OURS]["landmarks"] < rows[COPY]["landmarks"]
    assert rows[COPY]["identity"] == 0 < rows[OURS]["identity"] < 0.6
    assert rows[OURS]["found"] > 0.8
    assert "beats the copy of the source in SSIM (1.000 against" in made.verdict
    assert "another data set, not comparable" in made.tables[0].published


def test_people_are_found_again(measured):
    (table,) = [table for table in measured[0].tables if table.key == "verification"]
    rows = means(measured[0], "verification")
    assert rows[GROUND_TRUTH] == rows[OURS]
    assert rows[OURS]["rank1"] > 0.5
    assert rows[OURS]["tar_0.01"] is rows[OURS]["tar_0.001"] is None
    assert re.search(rf"{OURS}: \d probes, \d+ genuine, \d+ of impostors; {COPY}: ", table.about)
    assert "Too few impostors' comparisons for a value: FAR 1% takes 100, FAR 0.1% takes 1,000" in table.about
    paper = means(measured[0], "verification", published=True)["Li et al., Light CNN"]
    assert paper == pytest.approx({"rank1": 0.8462, "tar_0.01": 0.6386, "tar_0.001": 0.4417})


def test_other_runs_stand_beside_it(measured):
    made, _ = measured
    rows = means(made, "ablations")
    assert list(rows) == [OURS, "quick-without_labels"]
    assert rows[OURS]["fid"] < rows["quick-without_labels"]["fid"]
    (table,) = [table for table in made.tables if table.key == "ablations"]
    assert "quick-without_labels: synthesizer.labels was True, is False." in table.about
    assert "It beats the run quick-without_labels in FID (0.000 against" in made.verdict
    assert means(made, "ablations", published=True)["all together"] == {"fid": 67.69}


def test_files_of_the_report(measured):
    made, out = measured
    data = json.loads((out / "metrics.json").read_text())
    assert data["tables"]["quality"]["rows"][0]["metrics"]["ssim"]["measured"] == 6
    assert data["images"] == [f"{name}.png" for name in IMAGES]
    assert all(cv2.imread(str(out / name)) is not None for name in data["images"])
    assert data["settings"]["classifier"]["steps"] == 12
    assert "This run was trained without a loss, for want of weights." in data["warnings"]
    assert data["facts"]["People"] == "2 training, 3 validation, 3 test; nobody is in two splits"
    by_name = {image.name: image for image in made.images}
    assert by_name["expressions"].image.shape[1] == 112 + 8 + 4 * 200  # the source and three expressions


def test_terminal_is_not_cut_at_80_columns(measured, capsys):
    report.show_report(measured[0])
    text = capsys.readouterr().out
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    for name in (OURS, COPY, GROUND_TRUTH, "GC-GAN °", "C-GAN, VGG-Face °"):
        assert any(line.strip().startswith(name) for line in text.splitlines()), name


def test_without_dlib_inception_and_other_runs(data, tmp_path, without_dlib):
    made = expression.evaluate(Lazy(data.info), data, SETTINGS, tmp_path)
    assert [table.key for table in made.tables] == ["quality", "control"]
    rows = means(made, "quality")
    assert set(rows[OURS]) == {"psnr", "ssim"}
    assert made.good is False
    assert "landmark error" not in made.verdict
    for words in ("pip install 'lgan_jax[faces]'", "FID was not measured", "built-in faces"):
        assert any(words in warning for warning in made.warnings), words
    assert [image.name for image in made.images] == IMAGES


def test_the_augmentation_study(data, tmp_path, without_dlib, capsys):
    settings = dataclasses.replace(SETTINGS, augmentation=True, factors=(0, 3), seeds=2)
    model = Lazy(data.info)
    made = expression.evaluate(model, data, settings, tmp_path, {"Weights": "step 7"})
    said = capsys.readouterr().out
    assert "augmentation 48/48" in said
    stored = json.loads((tmp_path / augmentation_study.Result.file).read_text())
    assert set(stored["accuracy"]) == {"0", "3"}
    assert [len(values) for values in stored["accuracy"].values()] == [2, 2]
    assert stored["mean"]["3"] == pytest.approx(np.mean(stored["accuracy"]["3"]))
    assert (stored["real"], stored["test"], stored["weights"]) == (8, 12, "step 7")
    rows = means(made, "augmentation")
    assert rows["real faces alone"]["paper"] == pytest.approx(0.673)
    assert "paper" not in rows["3 times"]
    assert rows["3 times"]["accuracy"] == stored["mean"]["3"]
    again = expression.evaluate(model, data, SETTINGS, tmp_path, {"Weights": "step 7"})
    assert means(again, "augmentation") == rows
    assert again.images[-1].name == "augmentation"
    later = expression.evaluate(model, data, SETTINGS, tmp_path, {"Weights": "step 8"})
    assert "augmentation" not in [table.key for table in later.tables]
    assert any("is of other weights or data" in warning for warning in later.warnings)


def test_synthesized_faces_have_landmarks_and_expression_of_one_person(data):
    asked = []

    class Watched(Lazy):
        def synthesize(self, image, landmarks, expression):
            asked.extend(zip(image, landmarks, expression))
            return super().synthesize(image, landmarks, expression)

    model = Watched(data.info)
    pool = augmentation_study.Pool(model, data.train)
    faces, labels = pool(np.array([3, 8, 21, 8]))
    np.testing.assert_array_equal(faces[0], classifiers.prepared(data.train[3]["image"][None])[0])
    assert labels[0] == data.train.expression[3]
    np.testing.assert_array_equal(faces[1], faces[3])
    assert model.made == 2  # each once
    by_landmarks = {record["landmarks"].tobytes(): record for record in data.train.records}
    for number, label, (image, landmarks, asked_for) in zip((8, 21), labels[1:], asked):
        lender = by_landmarks[landmarks.tobytes()]
        assert lender["expression"] == asked_for == label
        assert lender["identity"] != data.train.identity[number % 8]
        np.testing.assert_allclose(image, data.train[number % 8]["image"] / 127.5 - 1, atol=1e-6)
    again, _ = augmentation_study.Pool(Lazy(data.info), data.train)(np.array([21]))
    np.testing.assert_array_equal(again[0], pool(np.array([21]))[0][0])
    alone = Memory([record for record in data.train.records if record["identity"] == 0])
    with pytest.raises(ValueError, match="the training split has one person"):
        augmentation_study.Pool(model, alone)


def test_pairs_are_of_one_person_with_two_expressions(data):
    pairs = choose(data, 100)
    assert sorted(pairs.target) == list(range(12))
    assert (data.test.identity[pairs.source] == data.test.identity[pairs.target]).all()
    assert (data.test.expression[pairs.source] != pairs.expression).all()
    np.testing.assert_array_equal(pairs.ground_truth[5], data.test[pairs.target[5]]["image"])
    assert len(choose(data, 5)) == len(set(choose(data, 5).target)) == 5
    np.testing.assert_array_equal(choose(data, 5).source, choose(data, 5).source)
    assert set(partners(data.test, 0)) == {3, 6, 9}
    own = own_images(pairs.at(np.array([2])), np.arange(12))
    assert set(np.flatnonzero(own[0])) == {pairs.source[2], pairs.target[2]}


def test_other_people_are_others_and_everybody_shows_all_expressions(data):
    pairs = choose(data, 6)
    others = across_people(data, pairs)
    np.testing.assert_array_equal(others.source, pairs.source)
    assert (data.test.identity[others.target] != others.identity).all()
    people = of_each_expression(data, 2)
    assert [each.expression.tolist() for each in people] == [[1, 2, 3]] * 2
    assert {int(data.test.expression[each.source[0]]) for each in people} == {0}
    alone = Memory([record for record in data.test.records if record["identity"] == 3])
    assert (
        across_people(dataclasses.replace(data, test=alone), choose(dataclasses.replace(data, test=alone), 3)) is None
    )


def _values(good, found=4):
    values = np.full(4, float(good))
    there = {"found": np.arange(4) < found, "frechet": scalar(1 - good, found, 4)}
    return {"ssim": values, "landmarks": 1 - values, "expression": values > 0.5, **there}


def test_the_verdict():
    rows = {OURS: _values(0.8), COPY: _values(0.4)}
    text, good = verdict(rows, {})
    assert good is True
    assert text.startswith("The run beats the copy of the source in SSIM (0.800 against 0.400, over 4) and landmark")
    text, good = verdict(rows, {"narrow": _values(0.9)})
    assert good is False
    assert "It does not beat the run narrow in FD of dlib (0.200 against 0.100, over 4) or SSIM" in text
    text, good = verdict(rows | {OURS: _values(0.8, found=1)}, {})
    assert good is False
    assert text.endswith("dlib finds a face in 1 of 4 synthesized images: not trained well enough.")


def test_rates_that_can_be_told_havemeans(data):
    found = Verification(0.9, {0.01: 0.75, 0.001: np.nan}, 10, 20, 500)
    names = (OURS, COPY, GROUND_TRUTH)
    rows = {name: _values(0.8) | rates(found, 4) for name in names}
    measured = Measured(None, None, {}, rows, dict.fromkeys(names, found), None, [])
    table = verification(setup_of(dataclasses.replace(data, name="CK+")), measured)
    metrics = table.rows[0].metrics
    assert (metrics["tar_0.01"].mean, metrics["tar_0.01"].measured) == (0.75, 20)
    assert metrics["tar_0.001"].mean is None
    assert "10 probes, 20 genuine, 500 of impostors" in table.about
    assert table.about.endswith("for a value: FAR 0.1% takes 1,000.")
    assert "not comparable" not in table.published


def test_bad_input(data, tmp_path, without_dlib):
    small, _ = built_in_faces(32, identities=1, train=2, test=2, test_identities=1, acts="posed")
    with pytest.raises(ValueError, match=r"image size \(64\) is not the data's \(32\)"):
        expression.evaluate(Lazy(data.info), small, SETTINGS, tmp_path)
    both, _ = built_in_faces(32, identities=1, train=2, test=2, acts="posed")
    with pytest.raises(ValueError, match="is in the training and in another split"):
        expression.evaluate(Lazy(both.info), both, SETTINGS, tmp_path)
    for name in ("frames", "seeds"):
        with pytest.raises(ValueError, match=f"^{name} is 0; it must be at least 1"):
            expression.Settings(**{name: 0})
    for factors in ((), (1, 1), (-1,)):
        with pytest.raises(ValueError, match="factors must be different numbers"):
            expression.Settings(factors=factors)
