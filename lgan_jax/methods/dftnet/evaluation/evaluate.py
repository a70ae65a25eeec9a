"""Evaluation of a trained DFT-Net on test faces, beside the paper's baseline, GANimation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lgan_jax.action_units import NUMBERS
from lgan_jax.data import FaceData, kept
from lgan_jax.data.builders.emotionet import EVERYBODY
from lgan_jax.data.kept import evenly
from lgan_jax.evaluation import report
from lgan_jax.evaluation.judge import Judge, find_judge
from lgan_jax.evaluation.tables import Table
from lgan_jax.media.images import to_floats
from lgan_jax.methods.dftnet.evaluation import sheets, tables
from lgan_jax.methods.dftnet.evaluation.cases import SINGLE, Cases, calmest, choose, drawn, neutral, with_units
from lgan_jax.methods.dftnet.evaluation.editing import (
    Edits,
    Estimator,
    Model,
    Use,
    edited,
    heads_of,
    measure,
    responses,
    seen_by,
    unchanged,
    use,
)
from lgan_jax.methods.dftnet.evaluation.tables import BASELINE, OURS, TRUE, UNCHANGED
from lgan_jax.ops.unit_estimate import ESTIMATED, neutral_head


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much is looked at.

    Attributes:
      frames: test faces, each of which is given another one's action units.
      identity_frames: on how many of them identity and the Fréchet distance are measured (dlib takes 0.15 s a face).
      single_frames: how many of the calmest are given single expressions.
    """

    frames: int = 96
    identity_frames: int = 64
    single_frames: int = 16

    def __post_init__(self) -> None:
        for name, least in (("frames", 2), ("identity_frames", 1), ("single_frames", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)}")


def evaluate(
    model: Model, data: FaceData, settings: Settings, out: Path, about: Mapping[str, str] | None = None
) -> report.Report:
    """Measures the model, and the baseline where the run has it, and writes the report into the folder `out`.

    Args:
      model: edits and estimates (`methods.dftnet.model.ExpressionEditor`).
      data: the faces that it was trained on; its test split is measured.
      settings: how much is looked at.
      out: the report's folder, made if missing.
      about: more facts to show with the figures, such as which weights these are.

    Raises:
      ValueError: the model and the data differ in scheme or size, or the data has fewer than two test pictures, or
        no action units.
      OSError: the report cannot be written.
    """
    evaluation = report.Evaluation(data, settings, out, about or {})
    report.check(model.info, data)
    models = {OURS: model} | ({} if model.baseline is None else {BASELINE: model.baseline})
    cases = choose(data, settings.frames)
    judge, warnings = find_judge()
    seen = seen_by(judge, cases.pictures)
    estimator = None if judge is None else _estimator(data, cases, judge)
    asked = evenly(np.arange(len(cases.pictures)), settings.identity_frames)
    rows = _rows(models, cases, judge, estimator, asked)
    uses = {name: _use(each, cases) for name, each in models.items()}
    shown = [
        tables.editing(
            rows, _about(data, cases, judge, estimator), list(models), cases.true is not None
        ),
        tables.keeping(rows, rows[UNCHANGED].descriptors, asked),
        *_singles(data, cases, models, judge, estimator, settings.single_frames),
        tables.parts(uses),
        tables.by_unit(rows, cases.wanted, () if estimator is None else ESTIMATED),
    ]  # fmt: skip
    verdict, good = tables.verdict(rows, cases.true is not None)
    return evaluation.finish(
        title="DFT-Net: expressions from action units",
        verdict=verdict,
        good=good,
        warnings=[*warnings, *_warnings(data, cases, models, estimator, uses)],
        measured=f"{len(cases.pictures)} test pictures of {data.info.size}×{data.info.size} pixels",
        tables=shown,
        sheets=sheets.sheets(data, cases, models, seen),
    )


def _estimator(data: FaceData, cases: Cases, judge: Judge) -> Estimator | None:
    """What estimates action units from landmarks; None where nobody's face at rest is known."""
    drawn_neutral = neutral(data, cases.places)
    if drawn_neutral is not None:
        return Estimator(heads_of(judge.landmarks(drawn_neutral)), "the same person with a neutral face, drawn")
    if not _knows_people(data):
        return None
    heads = {}
    for identity in np.unique(cases.identity):
        heads[identity] = neutral_head(kept.landmarks(data, int(identity)), data.info.scheme)
    return Estimator(np.stack([heads[each] for each in cases.identity]), "the person at rest in the training frames")


def _rows(
    models: Mapping[str, Model], cases: Cases, judge: Judge | None, estimator: Estimator | None, asked: np.ndarray
) -> dict[str, Edits]:
    """Each way to make the faces, and what became of them."""
    makers = {name: edited(model) for name, model in models.items()} | {UNCHANGED: unchanged}
    made = {name: (maker, maker(cases.pictures, cases.wanted)) for name, maker in makers.items()}
    if cases.true is not None:
        made[TRUE] = (None, cases.true)
    return {
        name: measure(maker, pictures, cases, models, judge, estimator, asked)
        for name, (maker, pictures) in made.items()
    }


def _singles(
    data: FaceData,
    cases: Cases,
    models: Mapping[str, Model],
    judge: Judge | None,
    estimator: Estimator | None,
    count: int,
) -> list[Table]:
    """The table of single expressions; none where no landmarks can judge them."""
    if judge is None or estimator is None:
        return []
    chosen = calmest(cases, count)
    found = {}
    for name, changes in SINGLE.items():
        units = with_units(cases.units[chosen], changes)
        made = {"before": cases.pictures[chosen]}
        made |= {each: edited(model)(cases.pictures[chosen], units) for each, model in models.items()}
        made[TRUE] = drawn(data, cases.places[chosen], units)
        found[name] = responses(made, list(changes), judge, estimator.at(chosen))
    return [tables.singles(found, len(chosen))]


def _use(model: Model, cases: Cases) -> Use:
    made = model.edit(to_floats(cases.pictures), cases.wanted)
    return use(np.asarray(made.attention), np.asarray(made.flow))


def _about(data: FaceData, cases: Cases, judge: Judge | None, estimator: Estimator | None) -> str:
    """How many pictures, and how they were judged."""
    size = data.info.size
    text = f"{len(cases.pictures)} test faces of {size}×{size} pixels, each given the action units of another."
    if data.drawn is None and cases.true is not None:
        text += " The other is a frame of the same recording with nearly the same pose, and so what should come out."
    if estimator is not None:
        text += f" Landmarks show {len(ESTIMATED)} of the 17 units, relative to {estimator.source}."
    return text if judge is not None else f"{text} dlib is not installed."


def _warnings(
    data: FaceData, cases: Cases, models: Mapping[str, Model], estimator: Estimator | None, uses: Mapping[str, Use]
) -> list[str]:
    """What a reader must know before reading a figure."""
    warnings = []
    if _knows_people(data) and set(data.test.identity.tolist()) & set(data.train.identity.tolist()):
        warnings.append("The test pictures show people that the run was trained on, in other pictures.")
    if BASELINE not in models:
        warnings.append(
            "The run has no GANimation to compare with; the variant `baseline` of the config trains it too."
        )
    if estimator is None:
        warnings.append("Action units by landmarks were not measured: no neutral face of these people is known.")
    if data.name.startswith("prepared"):
        warnings.append("The data's own action units were estimated from landmarks too; no true ones are known.")
    absent = [str(n) for n, there in zip(NUMBERS, cases.units.any(0)) if not there]
    if absent:
        warnings.append(f"Action units {', '.join(absent)} are 0 in all of these faces, so nothing is said about them.")
    for name, each in uses.items():
        if each.saturated:
            warnings.append(f"{name}'s attention is {each.saturated} everywhere: one of its decoders has no effect.")
    return warnings


def _knows_people(data: FaceData) -> bool:
    """Whether an identity of the data is one person."""
    if data.drawn is not None:
        return data.drawn.variation == "video"
    return data.info.identities != (EVERYBODY,)
