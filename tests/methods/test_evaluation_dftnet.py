import dataclasses
import json

import cv2
import numpy as np
import pytest
from oracle import Memory, built_in_faces, drawn, means

from lgan_jax import action_units
from lgan_jax.evaluation import report
from lgan_jax.methods.dftnet.evaluation import evaluate as dftnet
from lgan_jax.methods.dftnet.evaluation.edits import choose, largest
from lgan_jax.methods.dftnet.evaluation.evaluate import verdict
from lgan_jax.methods.dftnet.evaluation.metrics import (
    BASELINE,
    GROUND_TRUTH,
    OURS,
    UNCHANGED,
    saturated,
    use_of_parts,
)
from lgan_jax.methods.dftnet.networks import Edited

SIZE = 64
IMAGES = ["parts", "singles", "eyelids", "interpolation", "flow"]


def _edited(images, attention=0.5, flow=0.0):
    grid = np.zeros((*images.shape[:3], 1), np.float32)
    weight = attention * np.linspace(0, 1, SIZE, dtype=np.float32)[None, :, None, None] + grid
    return Edited(images, np.concatenate([grid + flow, grid], -1), weight, images, images)


class Oracle:
    """Draws a held-out face with the action units it is given, and knows those of every picture it has drawn."""

    def __init__(self, data, samples, baseline=None):
        self.info, self.baseline = data.info, baseline
        self.samples, self.known = {}, {}
        for sample, record in zip(samples["test"], data.test.records):
            self._keep(record["image"], sample)

    def edit(self, image, action_units):
        made = []
        for picture, units in zip(_bytes(image), action_units):
            sample = self.samples[picture.tobytes()]
            changed = dataclasses.replace(sample, action_units=tuple(map(float, units)))
            made.append(drawn(changed, SIZE)["image"])
            self._keep(made[-1], changed)
        return _edited(np.stack(made).astype(np.float32) / 127.5 - 1, flow=0.02)

    def estimate(self, image):
        nothing = np.zeros(len(action_units.NUMBERS), np.float32)
        return np.stack([self.known.get(picture.tobytes(), nothing) for picture in _bytes(image)])

    def _keep(self, picture, sample):
        self.samples[picture.tobytes()] = sample
        self.known[picture.tobytes()] = np.array(sample.action_units, np.float32)


class Lazy:
    """Makes faces darker, and sees a neutral face everywhere."""

    baseline = None

    def __init__(self, info):
        self.info = info

    def edit(self, image, action_units):
        return _edited(np.clip(image - 0.1, -1, 1), attention=0.0)

    def estimate(self, image):
        return np.zeros((len(image), len(action_units.NUMBERS)), np.float32)


def _bytes(images):
    return np.rint((np.asarray(images) + 1) * 127.5).astype(np.uint8)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The report on an oracle beside a lazy baseline, measured by dlib."""
    data, samples = built_in_faces(SIZE, identities=1, train=1, test=6, variation="wild")
    out = tmp_path_factory.mktemp("measured") / "report"
    settings = dftnet.Settings(frames=6, identity_frames=4, single_frames=2)
    return dftnet.evaluate(Oracle(data, samples, Lazy(data.info)), data, settings, out, {"Weights": "none"}), out


def test_an_oracle_beats_the_baseline(measured):
    made, _ = measured
    rows = means(made, "editing")
    assert list(rows) == [OURS, BASELINE, UNCHANGED, GROUND_TRUTH]
    assert rows[OURS][f"by_{OURS}"] == pytest.approx(0, abs=1e-6)
    assert rows[OURS]["by_landmarks"] < 0.8 * min(rows[BASELINE]["by_landmarks"], rows[UNCHANGED]["by_landmarks"])
    assert rows[OURS]["ssim"] > 0.98 > rows[UNCHANGED]["ssim"] > rows[BASELINE]["ssim"]
    assert rows[GROUND_TRUTH]["psnr"] == 100
    wanted = np.mean([record["action_units"] for record in _test_records()])
    assert rows[UNCHANGED][f"by_{BASELINE}"] == pytest.approx(wanted, rel=1e-5)
    assert made.good is True
    assert "DFT-Net beats the GANimation baseline in action-unit error by landmarks (" in made.verdict
    assert "and SSIM (" in made.verdict


def _test_records():
    return built_in_faces(SIZE, identities=1, train=1, test=6, variation="wild")[0].test.records


def test_person_and_way_back(measured):
    rows = means(measured[0], "keeping")
    assert rows[OURS]["cycle"] < 0.001 < 0.05 < rows[BASELINE]["cycle"]
    assert rows[UNCHANGED]["identity"] == 0 < rows[OURS]["identity"] < 0.6
    assert rows[OURS]["frechet"] > 0
    assert "frechet" not in rows[UNCHANGED]
    assert "cycle" in rows[GROUND_TRUTH]
    assert rows[GROUND_TRUTH]["cycle"] is None
    assert rows[OURS]["found"] > 0.8


def test_single_expressions_rise(measured):
    rows = means(measured[0], "singles")
    for name, row in rows.items():
        assert row[OURS] > row["before"] + 0.15, name
        assert row[OURS] == pytest.approx(row[GROUND_TRUTH], abs=0.01), name
        assert abs(row[BASELINE] - row["before"]) < 0.2, name


def test_parts_and_units(measured):
    made, _ = measured
    rows = means(made, "parts")
    assert rows[OURS]["attention"] == pytest.approx(0.25)
    assert rows[OURS]["flow"] == pytest.approx(0.02)
    assert "flow" not in rows[BASELINE]
    assert any("GANimation's attention is 0 everywhere" in warning for warning in made.warnings)
    rows = means(made, "units")
    assert len(rows) == 17
    assert rows["25 lips part"][f"of_landmark_units_{OURS}"] is not None
    assert f"of_landmark_units_{OURS}" not in rows["9 nose wrinkler"]


def test_files_of_the_report(measured):
    made, out = measured
    data = json.loads((out / "metrics.json").read_text())
    row = data["tables"]["editing"]["rows"][0]["metrics"]
    assert row["ssim"]["measured"] == row["by_landmarks"]["of"] == 6
    assert data["tables"]["keeping"]["rows"][0]["metrics"]["identity"]["of"] == 4
    assert data["images"] == [f"{name}.png" for name in IMAGES]
    assert all(cv2.imread(str(out / name)) is not None for name in data["images"])
    assert data["settings"] == {"frames": 6, "identity_frames": 4, "single_frames": 2}
    captions = {image.name: image.caption for image in made.images}
    assert "around the eyes" in captions["eyelids"]
    assert "1.3 of 64 pixels" in captions["flow"]


def test_terminal_is_not_cut_at_80_columns(measured, capsys):
    made, _ = measured
    report.show_report(made)
    text = capsys.readouterr().out
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    for name in (OURS, BASELINE, UNCHANGED, GROUND_TRUTH, "15 lip corner depressor"):
        assert any(line.strip().startswith(name) for line in text.splitlines()), name


def test_no_baseline_no_dlib_and_nothing_to_compare_with(tmp_path, without_dlib):
    data, _ = built_in_faces(SIZE, identities=1, train=1, test=2)
    kept = ("image", "identity", "action_units")
    records = [{key: record[key] for key in kept} for record in data.test.records]
    data = dataclasses.replace(data, name="EmotioNet", built_in=False, drawn=None, test=Memory(records))
    made = dftnet.evaluate(Lazy(data.info), data, dftnet.Settings(), tmp_path)
    rows = means(made, "editing")
    assert list(rows) == [OURS, UNCHANGED]
    assert set(rows[OURS]) == {"by_landmarks", f"by_{OURS}"}
    assert rows[OURS]["by_landmarks"] is None
    assert [table.key for table in made.tables] == ["editing", "keeping", "parts", "units"]
    assert made.good is False  # as far from the target as the sources were
    assert "no baseline to compare with" in made.verdict
    for words in ("pip install 'lgan_jax[faces]'", "no GANimation to compare with", "no neutral face"):
        assert any(words in warning for warning in made.warnings), words
    assert [image.name for image in made.images] == IMAGES


def _edits(found, error):
    count = len(found)
    values = np.full(count, error)
    by = {f"by_{name}": values for name in ("landmarks", OURS, BASELINE)}
    return {**by, "ssim": 1 - values, "found": np.array(found)}


def test_the_verdict_needs_faces_and_nearness():
    seen, unseen = [True] * 4, [True, False, False, False]
    rows = {OURS: _edits(seen, 0.1), BASELINE: _edits(seen, 0.2), UNCHANGED: _edits(seen, 0.3)}
    assert verdict(rows, True)[1] is True
    text, good = verdict(rows | {UNCHANGED: _edits(seen, 0.05)}, True)
    assert (
        "But its edits do not bring faces closer to the target: action-unit error by landmarks 0.100, of the unchanged"
        in text
    )
    assert good is False
    text, good = verdict(rows | {OURS: _edits(unseen, 0.1)}, True)
    assert text.endswith("dlib finds a face in 1 of 4 images by DFT-Net: it is not trained well enough.")
    assert good is False
    text, good = verdict({OURS: _edits(seen, 0.1), UNCHANGED: _edits(seen, 0.3)}, True)
    assert good is None
    assert "no baseline" in text


def test_every_face_gets_another_ones_expression():
    data, samples = built_in_faces(SIZE, identities=1, train=1, test=5, variation="wild")
    edits = choose(data, 5)
    assert sorted(edits.donor) == list(range(5))
    assert not np.any(edits.donor == np.arange(5))
    np.testing.assert_array_equal(edits.target, edits.units[edits.donor])
    own, other = samples["test"][0], samples["test"][edits.donor[0]]
    same = dataclasses.replace(own, action_units=other.action_units, lopsided=other.lopsided)
    np.testing.assert_array_equal(edits.ground_truth[0], drawn(same, SIZE)["image"])


def test_in_recordings_both_faces_of_a_pair_get_each_others_expression():
    data, _ = built_in_faces(SIZE, identities=1, train=1, test=6)
    pairs = np.array([[0, 3], [1, 4], [2, 5]])
    data = dataclasses.replace(data, drawn=None, test=Memory(data.test.records, lambda _: pairs))
    edits = choose(data, 5)
    assert edits.indices.tolist() == [0, 3, 2, 5]  # two pairs: not more than five faces
    assert edits.donor.tolist() == [1, 0, 3, 2]
    np.testing.assert_array_equal(edits.target, edits.units[edits.donor])
    np.testing.assert_array_equal(edits.ground_truth, edits.images[edits.donor])


def test_attention_that_is_the_same_everywhere_is_named():
    flow = np.zeros((2, 8, 8, 2))
    assert saturated(use_of_parts(np.ones((2, 8, 8, 1)), flow)) == "1"
    assert saturated(use_of_parts(np.zeros((2, 8, 8, 1)), flow)) == "0"
    assert saturated(use_of_parts(np.full((2, 8, 8, 1), 0.5), flow)) == ""
    np.testing.assert_allclose(use_of_parts(np.ones((2, 8, 8, 1)), flow + [0.03, 0.04])["flow"], 0.05)


def test_bad_input(tmp_path, without_dlib):
    data, _ = built_in_faces(SIZE, identities=1, train=1, test=2)
    small, _ = built_in_faces(32, identities=1, train=1, test=2)
    with pytest.raises(ValueError, match=r"image size \(64\) is not the data's \(32\)"):
        dftnet.evaluate(Lazy(data.info), small, dftnet.Settings(), tmp_path)
    one = dataclasses.replace(data, test=Memory(data.test.records[:1]))
    with pytest.raises(ValueError, match="fewer than two test images"):
        dftnet.evaluate(Lazy(data.info), one, dftnet.Settings(), tmp_path)
    bare = [{"image": record["image"], "identity": record["identity"]} for record in data.test.records]
    with pytest.raises(ValueError, match="has no action units"):
        dftnet.evaluate(Lazy(data.info), dataclasses.replace(data, train=Memory(bare)), dftnet.Settings(), tmp_path)
    for name, least in (("frames", 2), ("single_frames", 1)):
        with pytest.raises(ValueError, match=f"^{name} is 0; it must be at least {least}"):
            dftnet.Settings(**{name: 0})


def test_the_largest_edits_change_most():
    data, _ = built_in_faces(SIZE, identities=1, train=1, test=4, variation="wild")
    edits = choose(data, 4)
    change = np.abs(edits.target - edits.units).sum(-1)
    assert change[largest(edits, 4)].tolist() == sorted(change.tolist(), reverse=True)
