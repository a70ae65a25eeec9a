"""Evaluation of a trained synthesizer on test people, beside the figures of Li et al. and copying the source."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lgan_jax.action_units import EXPRESSIONS
from lgan_jax.data import FaceData
from lgan_jax.evaluation import outcomes, report
from lgan_jax.evaluation.distances import NO_FID
from lgan_jax.evaluation.judge import find_judge
from lgan_jax.evaluation.tables import Table
from lgan_jax.methods.expression.evaluation import augmentation, sheets, tables
from lgan_jax.methods.expression.evaluation.cases import Cases, Pictures, choose
from lgan_jax.methods.expression.evaluation.measures import Features, Judges, Measured, Model, made_by, measure, real
from lgan_jax.methods.expression.evaluation.tables import COPY, OURS, TRUTH
from lgan_jax.metrics import expression_classifier as classifiers

_CK_PLUS, _OULU_CASIA = "CK+", "Oulu-CASIA"  # the paper's data, as `FaceData.name` has them


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much is looked at.

    Attributes:
      frames: test pictures at most, each of which is asked for of another one of the same person.
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
    classifier: classifiers.Settings = dataclasses.field(default_factory=classifiers.Settings)
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
      data: the faces that it was trained on; its test split is measured.
      settings: how much is looked at.
      out: the report's folder, made if missing.
      about: more facts to show with the figures, such as which weights these are.
      others: the runs that `settings.compare` names, opened, by name.
      inception: gives the features of FID, from the file that `settings.inception` names.

    Raises:
      ValueError: a model and the data differ in scheme or size, or somebody trains and is held out too, or
        nobody in a split has two expressions.
      OSError: the report cannot be written.
    """
    evaluation = report.Evaluation(data, settings, out, about or {})
    others = others or {}
    for each in (model, *(other.model for other in others.values())):
        report.check(each.info, data)
    data.require_subjects()
    table_4, warnings = _table_4(model, data, settings, out, evaluation.about.get("Weights", ""))
    cases = choose(data, settings.frames)
    judge, without_dlib = find_judge()
    judges = Judges(judge, augmentation.trained_on_real(data, settings.classifier), inception)
    made = {OURS: made_by(model, cases)} | {name: made_by(other.model, cases) for name, other in others.items()}
    rows = _rows(made, cases, judges, data)
    verdict, good = tables.verdict(rows, {name: rows[name] for name in others})
    shown = _tables(data, cases, judges, rows, others)
    pictures = sheets.sheets(data, model, cases, made)
    if table_4 is not None:
        shown.append(augmentation.table(table_4, data.name == _OULU_CASIA))
        pictures.append(augmentation.sheet(table_4))
    known, others, tested = (len(np.unique(split.identity)) for split in (data.train, data.validation, data.test))
    return evaluation.finish(
        title="Landmark and expression guided synthesis",
        verdict=verdict,
        good=good,
        warnings=[*without_dlib, *_warnings(model, data, judges), *warnings],
        facts={"People": f"{known} training, {others} validation, {tested} test; nobody trains and is held out"},
        measured=f"{len(cases)} test pictures of {data.info.size}×{data.info.size} pixels",
        tables=shown,
        sheets=pictures,
    )


def _table_4(
    model: Model, data: FaceData, settings: Settings, out: Path, weights: str
) -> tuple[augmentation.Outcome | None, list[str]]:
    """What the augmentation experiment found, now or before, where it was made; and warnings."""
    if settings.augmentation:
        arguments = (settings.classifier, settings.factors, settings.seeds, weights)
        outcomes.write(augmentation.run(model, data, *arguments), out)
    return outcomes.read(augmentation.Outcome, out, weights, data.fingerprint)


def _rows(made: Mapping[str, Pictures], cases: Cases, judges: Judges, data: FaceData) -> dict[str, Measured]:
    """This run and the others, copying the source, and the truth."""
    seen = real(judges, cases)
    whole = {**made, COPY: cases.pictures, TRUTH: cases.true}
    return {name: measure(each, cases, seen, data.info.scheme, judges) for name, each in whole.items()}


def _tables(
    data: FaceData, cases: Cases, judges: Judges, rows: Mapping[str, Measured], others: Mapping[str, Other]
) -> list[Table]:
    on_ck_plus = data.name == _CK_PLUS
    main = {name: rows[name] for name in (OURS, COPY, TRUTH)}
    shown = [tables.quality(main, _about(data, cases), on_ck_plus), tables.control(main, _judged(data, judges))]
    if judges.dlib is not None:
        shown.append(tables.verification(main, on_ck_plus))
    if others:
        compared = {name: rows[name] for name in (OURS, *others)}
        differences = {name: other.difference for name, other in others.items()}
        shown.append(tables.ablations(compared, differences, on_ck_plus))
    return shown


def _about(data: FaceData, cases: Cases) -> str:
    """How many pictures, and what was done."""
    size = data.info.size
    return (
        f"{len(cases)} pictures of {len(np.unique(cases.identity))} test people, {size}×{size} pixels, each made "
        "from another picture of the same person, with the landmarks and the expression of the one that is asked for."
    )


def _judged(data: FaceData, judges: Judges) -> str:
    """How well the classifier does on real faces of people whom it has not seen."""
    right = np.mean(judges.classifier(augmentation.faces_of(data.test)) == data.test.expression)
    return (
        f"The same faces. The classifier of expressions, trained on {len(data.train):,} real training faces, is right "
        f"about {right:.1%} of all {len(data.test):,} real test ones; guessing, about {_chance(data):.1%}."
    )


def _chance(data: FaceData) -> float:
    """How often the most frequent test expression is right."""
    return float(np.bincount(data.test.expression).max() / len(data.test))


def _warnings(model: Model, data: FaceData, judges: Judges) -> list[str]:
    """What a reader must know before reading a figure."""
    warnings = [f"This run was trained without {each}." for each in model.left_out]
    if data.name.startswith("prepared"):
        warnings.append("The data's expressions were estimated from landmarks; no true ones are known.")
    if judges.inception is None:
        warnings.append(NO_FID)
    learned, tested = (set(split.expression.tolist()) for split in (data.train, data.test))
    if unknown := sorted(tested - learned):
        names = ", ".join(EXPRESSIONS[each] for each in unknown)
        warnings.append(f"Nobody in the training pictures shows {names}: nothing could learn it.")
    return warnings
