import html.parser
import json

import cv2
import numpy as np
import pytest
from oracle import Oracle, built_in_faces, means

from lgan_jax.evaluation import report
from lgan_jax.methods.landmarkgan.evaluation import evaluate as landmarkgan

ROWS = [
    *("LandmarkGAN", "without converter", "nearest training frame", "warped nearest frame"),
    "mean face of the target",
]


class Page(html.parser.HTMLParser):
    """Reads a page and complains about tags that are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.images, self.text = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.images.append(dict(attributes))
        if tag not in ("img", "meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The oracle's report on three built-in people, measured by dlib."""
    data, samples = built_in_faces(size=128, identities=3, train=4, test=2)
    out = tmp_path_factory.mktemp("measured") / "report"
    settings = landmarkgan.Settings(frames=2, identity_frames=1)
    return landmarkgan.evaluate(Oracle(data, samples), data, settings, out, {"Weights": "of <nobody>"}), out


def test_an_oracle_beats_every_baseline(measured):
    made, _ = measured
    rows = means(made, "reenactment")
    assert list(rows)[:5] == ROWS
    (worst,) = list(rows)[5:]
    assert worst.startswith("LandmarkGAN, worst: ")
    assert rows[worst]["ssim"] <= rows[ROWS[0]]["ssim"]
    ours, nearest, warped, mean = rows[ROWS[0]], rows[ROWS[2]], rows[ROWS[3]], rows[ROWS[4]]
    assert ours["ssim"] > warped["ssim"] > nearest["ssim"]
    assert ours["lmk"] < 0.05 < nearest["lmk"]
    assert ours["own_lmk"] < 0.01 < nearest["own_lmk"]
    assert ours["ssim"] > 0.99 > 0.8 > max(nearest["ssim"], mean["ssim"])
    assert ours["identity"] < 0.6
    assert ours["generated_found"] >= 0.5
    assert made.good is True
    assert "beats the warped nearest frame in LMK by dlib" in made.verdict
    again = means(made, "reconstruction")
    assert list(again)[:4] == [ROWS[0], *ROWS[2:]]
    assert len(again) == 5
    assert again[ROWS[0]]["psnr"] > 40 > again[ROWS[2]]["psnr"]
    assert again[ROWS[0]]["own_error"] < 1e-6 < again[ROWS[2]]["own_error"]


def test_metrics_carry_their_counts(measured):
    made, _ = measured
    (table,) = [table for table in made.tables if table.key == "reenactment"]
    assert "6 test frames of 128×128 pixels" in table.about
    assert "12 pairs" in table.about
    row = table.rows[0].metrics
    assert row["own_lmk"].measured == row["own_lmk"].of == row["lmk"].of == 12
    assert row["identity"].of == 6  # one of two frames
    assert len(made.details["pairs"]) == 6
    assert {pair["frames"] for pair in made.details["pairs"]} == {2}


def test_files_of_the_report(measured):
    made, out = measured
    data = json.loads((out / "metrics.json").read_text())
    assert data["tables"]["reenactment"]["rows"][0]["metrics"]["ssim"]["measured"] == 12
    assert data["data"]["built_in"] is True
    assert (data["data"]["size"], data["data"]["train"], data["data"]["test"]) == (128, 12, 6)
    assert data["settings"] == {"split": "test", "frames": 2, "identity_frames": 1, "gallery_frames": 1000}
    assert data["verdict"] == made.verdict
    page = Page((out / "index.html").read_text())
    assert [image["src"] for image in page.images] == data["images"]
    assert all(image["alt"] for image in page.images)
    for image in page.images:
        image_file = cv2.imread(str(out / image["src"]))
        assert image_file.shape[:2] == (int(image["height"]), int(image["width"]))
    text = "".join(page.text)
    assert "of <nobody>" in text  # escaped
    assert "built-in faces, which the library draws" in text
    assert "a different data set, not comparable" in text
    assert "http" not in (out / "index.html").read_text()


def test_terminal_is_plain_and_not_cut_at_80_columns(measured, capsys):
    made, _ = measured
    report.show_report(made)
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    for name in ROWS:
        assert any(line.strip().startswith(name) and "%" in line for line in text.splitlines()), name


def test_one_identity_and_no_dlib(tmp_path, without_dlib):
    data, samples = built_in_faces(size=32, identities=1, train=3, test=2)
    made = landmarkgan.evaluate(Oracle(data, samples), data, landmarkgan.Settings(), tmp_path)
    assert [table.key for table in made.tables] == ["reconstruction"]
    assert any("one identity only" in warning for warning in made.warnings)
    assert any("pip install 'lgan_jax[faces]'" in warning for warning in made.warnings)
    row = means(made, "reconstruction")[ROWS[0]]
    assert set(row) == {"ssim", "psnr", "l1", "own_error"}  # dlib's are left out, not zero
    assert "error by its own detector" in made.verdict
    assert {image.name for image in made.images} == {"driving", "reconstruction-images"}
    Page((tmp_path / "index.html").read_text())


class Blind(Oracle):
    """Draws the first picture it knows of everybody, whatever the landmarks."""

    def synthesize(self, landmarks, target, convert=True, constrain=True, driver=None):
        first = [next(i for i, s in enumerate(self.samples) if s.identity == who) for who in target]
        return np.stack([self.pictures[i] for i in first]).astype(np.float32) / 127.5 - 1


def test_a_model_that_ignores_landmarks_loses(tmp_path, without_dlib):
    data, samples = built_in_faces(size=32, identities=2, train=12, test=4)
    made = landmarkgan.evaluate(Blind(data, samples), data, landmarkgan.Settings(), tmp_path)
    assert made.good is False
    assert "not trained well enough" in made.verdict
    rows = means(made, "reenactment")
    assert rows[ROWS[0]]["own_lmk"] > rows[ROWS[2]]["own_lmk"]
    assert not {"lmk", "error", "identity", "generated_found", "returned_found"} & set(rows[ROWS[0]])


def test_an_identity_without_test_frames_drives_nobody(tmp_path, without_dlib):
    data, samples = built_in_faces(size=32, identities=3, train=2, test=1)
    model = Oracle(data, samples)
    data.test.__init__(data.test.records[:2])
    made = landmarkgan.evaluate(model, data, landmarkgan.Settings(), tmp_path)
    name = data.info.identities[2]
    assert any(name in warning and "not a source" in warning for warning in made.warnings)
    assert {pair["source"] for pair in made.details["pairs"]} == set(data.info.identities[:2])
    assert name in {pair["target"] for pair in made.details["pairs"]}


def test_bad_input(tmp_path, without_dlib):
    data, samples = built_in_faces(size=32, identities=2, train=2, test=1)
    other, _ = built_in_faces(size=48, identities=2, train=1, test=1)
    model = Oracle(data, samples)
    with pytest.raises(ValueError, match="image size"):
        landmarkgan.evaluate(model, other, landmarkgan.Settings(), tmp_path)
    model.synthesize = lambda landmarks, target, *_: np.full((len(landmarks), 32, 32, 3), np.nan, np.float32)
    with pytest.raises(ValueError, match="not finite"):
        landmarkgan.evaluate(model, data, landmarkgan.Settings(), tmp_path)
    data.test.__init__([])
    with pytest.raises(ValueError, match="the test split has 0 images; it needs at least 1"):
        landmarkgan.evaluate(model, data, landmarkgan.Settings(), tmp_path)
    with pytest.raises(ValueError, match="identity_frames is 0; it must be at least 1"):
        landmarkgan.Settings(identity_frames=0)
