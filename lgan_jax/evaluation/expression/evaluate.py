"""Evaluation of a trained synthesizer on held-out people, beside the figures of Li et al. and copying the source."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lgan_jax.action_units import EXPRESSIONS
from lgan_jax.data import FaceData
from lgan_jax.evaluation import report
from lgan_jax.evaluation.expression import augmentation, sheets, tables
from lgan_jax.evaluation.expression.cases import Cases, choose
from lgan_jax.evaluation.expression.measures import Features, Judges, Measured, Model, Real, made_by, measure, real
from lgan_jax.evaluation.expression.tables import COPY, OURS, TRUTH
from lgan_jax.evaluation.judge import find_judge
from lgan_jax.evaluation.tables import Table
from lgan_jax.metrics import expression_classifier as classifiers

_PAPERS = {"ck_plus": "CK+", "oulu_casia": "Oulu-CASIA"}


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much is looked at.

    Attributes:
      frames: held-out pictures at most, each of which is asked for of another one of the same person.
      inception: the user's file of pytorch-fid's Inception weights, for FID; empty for none.
      compare: folders of other runs of the same data, such as the ablations, for Table 7.
      classifier: of expressions.
      augmentation: whether to make Table 4, too.
      factors: of Table 4: how many times as many made faces as real ones the classifier learns from.
      seeds: of Table 4: trainings for each factor.
    """

    frames: int = 96
    inception: str = ""
    compare: tuple[str, ...] = ()
    classifier: classifiers.Settings = classifiers.Settings()
    augmentation: bool = False
    factors: tuple[int, ...] = (0, 1, 5, 10, 100)
    seeds: int = 3

    def __post_init__(self) -> None:
        for name in ("frames", "seeds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not self.factors or min(self.factors) < 0 or len(set(self.factors)) < len(self.factors):
            raise ValueError(f"factors must be different numbers, none below 0, not {self.factors}")


@dataclasses.dataclass(frozen=True)
class Other:
    """Another run of the same data.

    Attributes:
      model: what it trained.
      difference: how its config differs from that of the run which is evaluated.
    """

    model: Model
    difference: str


def evaluate(
    model: Model,
    data: FaceData,
    settings: Settings,
    out: Path,
    about: Mapping[str, str] | None = None,
    others: Mapping[str, Other] | None = None,
    inception: Features | None = None,
) -> report.Report:
    """Measures the model, and others, and writes the report into the folder `out`.

    Args:
      model: makes faces (`methods.expression.model.ExpressionSynthesizer`).
      data: the faces that it was trained on; its held-out people are measured.
      settings: how much is looked at.
      out: the report's folder, made if missing.
      about: more facts to show with the figures, such as which weights these are.
      others: the runs that `settings.compare` names, opened, by name.
      inception: gives the features of FID, from the file that `settings.inception` names.

    Raises:
      ValueError: a model and the data differ in scheme or size, or somebody is in both splits of the data, or nobody
        held out has two expressions.
      OSError: the report cannot be written.
    """
    start = time.monotonic()
    others = others or {}
    for each in (model, *(other.model for other in others.values())):
        _check(each, data)
    weights = (about or {}).get("Weights", "")
    if settings.augmentation:
        found = augmentation.run(model, data, settings.classifier, settings.factors, settings.seeds, weights)
        augmentation.write(found, out)
    table_4, warnings = augmentation.read(out, weights, data.fingerprint)
    cases = choose(data, settings.frames)
    judge, without_dlib = find_judge()
    judges = Judges(judge, augmentation.trained_on_real(data, settings.classifier), inception)
    seen = real(judges, cases)
    made = {OURS: made_by(model, cases)} | {name: made_by(other.model, cases) for name, other in others.items()}
    found = {name: measure(each, cases, seen, data.info.scheme, judges)
             for name, each in {**made, COPY: cases.pictures, TRUTH: cases.true}.items()}  # fmt: skip
    verdict, good = tables.verdict(found, {name: found[name] for name in others})
    pictures = sheets.sheets(data, model, cases, made)
    seconds = time.monotonic() - start
    made_report = report.Report(
        title="Landmark and expression guided synthesis",
        verdict=verdict,
        good=good,
        warnings=[*without_dlib, *_warnings(model, data, settings), *warnings],
        facts={
            **_facts(data, cases),
            **(about or {}),
            **report.surroundings(),
            "Time": f"{seconds:.0f} s",
        },
        tables=[
            *_tables(data, cases, judges, seen, found, others),
            *([augmentation.table(table_4, data.name == _PAPERS["oulu_casia"])] if table_4 else []),
        ],
        sheets=[*pictures, *([augmentation.sheet(table_4)] if table_4 else [])],
        details={
            "settings": dataclasses.asdict(settings),
            "data": report.data_record(data),
            "seconds": round(seconds, 1),
        },
    )
    report.write(made_report, out)
    return made_report
