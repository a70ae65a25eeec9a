"""One function runs every declaration: a toy method's, whose numbers are known."""

import dataclasses
import json

import numpy as np
import pytest
from oracle import built_in_faces

from lgan_jax.evaluation import dlib_evaluator, harness
from lgan_jax.evaluation.comparison import compared, verdict
from lgan_jax.evaluation.harness import Evaluation, OtherRun
from lgan_jax.evaluation.report import grid
from lgan_jax.evaluation.tables import Column, Table, measured_rows, published_rows
from lgan_jax.media.image_grid import GridRow

COLUMNS = (Column("error", "error", "of a toy", "lower"), Column("found", "found", "by a toy", "higher", 0, True))


@dataclasses.dataclass(frozen=True)
class Settings:
    offset: float = 0.25


@dataclasses.dataclass
class Toy:
    info: object


def _measure(setup):
    ours = np.array([0.5, np.nan, 0.25]) - setup.settings.offset
    rows = {"toy": {"error": ours, "found": np.array([True, False, True])}, "baseline": {"error": np.ones(3)}}
    return rows | {name: {"error": np.full(3, 2.0)} for name in setup.others}


def _table(setup, rows):
    published = published_rows({"paper": (12.5,)}, ("error",), unit=100.0)
    return Table("toys", "Toys", "Three toys.", COLUMNS, [*measured_rows(rows, COLUMNS), *published])


def _image(setup, rows):
    return grid("toy", "A toy", "One image.", [GridRow("", [setup.data.test[0]["image"]])], [""], setup.data.info.size)


TOY = Evaluation(
    title="A toy",
    measure=_measure,
    measured_on=lambda setup, rows: f"3 toys of {setup.size}",
    tables=(_table, lambda setup, rows: None),
    images=(lambda setup, rows: None, _image),
    verdict=lambda setup, rows: verdict(
        "toy", "baseline", [compared("error", rows["toy"]["error"], rows["baseline"]["error"], "lower")]
    ),
    warnings=lambda setup, rows: [f"of {setup.weights}"],
    facts=lambda setup, rows: {"Toys": "three"},
    details=lambda setup, rows: {"steps": len(setup.history)},
)


@pytest.fixture(scope="module")
def data():
    return built_in_faces(16, identities=1, train=1, test=1)[0]


@pytest.fixture
def without_dlib(monkeypatch):
    monkeypatch.setattr(harness, "find_dlib", lambda: (dlib_evaluator.MissingDlib(), ["no dlib"]))


def test_a_declaration_becomes_a_report(data, tmp_path, without_dlib):
    others = {"wide": OtherRun(Toy(data.info), "width was 2, is 3")}
    made = TOY.run(
        Toy(data.info), data, Settings(), tmp_path, {"Weights": "step 7"}, others=others, history=[(1, 0.5), (2, 0.25)]
    )
    stored = json.loads((tmp_path / "metrics.json").read_text())
    assert stored["warnings"] == [harness.BUILT_IN, "no dlib", "of step 7"]
    assert list(stored["facts"])[:4] == ["Data", "Toys", "Measured on", "Weights"]
    assert stored["facts"]["Measured on"] == "3 toys of 16×16 pixels"
    assert (stored["steps"], stored["settings"], stored["images"]) == (2, {"offset": 0.25}, ["toy.png"])
    assert list(stored["tables"]) == ["toys"]
    rows = {row["name"]: row["metrics"] for row in stored["tables"]["toys"]["rows"]}
    assert list(rows) == ["toy", "baseline", "wide", "paper"]
    assert rows["toy"]["error"] == {"mean": 0.125, "deviation": 0.125, "measured": 2, "of": 3}
    assert rows["toy"]["found"]["mean"] == pytest.approx(2 / 3)
    assert "found" not in rows["baseline"]
    assert rows["paper"]["error"]["mean"] == 0.125
    assert made.verdict == "toy beats the baseline in error (0.125 against 1.000, over 2)."
    assert "<h2>Toys</h2>" in (tmp_path / "index.html").read_text()


def test_every_model_must_fit_the_data(data, tmp_path, without_dlib):
    small = Toy(dataclasses.replace(data.info, size=8))
    with pytest.raises(ValueError, match=r"image size \(8\) is not the data's \(16\)"):
        TOY.run(Toy(data.info), data, Settings(), tmp_path, others={"small": OtherRun(small, "size")})
    with pytest.raises(ValueError, match="the test split has 1 images; it needs at least 2"):
        dataclasses.replace(TOY, least=2).run(Toy(data.info), data, Settings(), tmp_path)
    renamed = Toy(dataclasses.replace(data.info, identities=("nobody",)))
    with pytest.raises(ValueError, match="identities"):
        dataclasses.replace(TOY, identities=True).run(renamed, data, Settings(), tmp_path)
    assert not list(tmp_path.iterdir())
