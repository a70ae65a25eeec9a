"""Evaluation of made faces with landmarks: how good they are, how right the landmarks, how smooth the ways between."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lgan_jax.data import FaceData
from lgan_jax.data.kept import evenly
from lgan_jax.evaluation import distances, outcomes, report
from lgan_jax.evaluation.distances import Features
from lgan_jax.evaluation.judge import Judge, find_judge
from lgan_jax.evaluation.tables import Table
from lgan_jax.landmarks import INNER49, to_inner49
from lgan_jax.media.images import to_floats
from lgan_jax.methods.began.evaluation import claim, measures, sheets, tables
from lgan_jax.methods.began.evaluation.measures import Known, Made, Model
from lgan_jax.metrics.lmk import error_where_known

WATCHED = ("began", "convergence")  # the phase and the figure whose history is shown


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much is looked at.

    Attributes:
      frames: test pictures at most; as many faces are made.
      interpolations: through z, from test pictures to their mirror images and to each other.
      inception: the user's file of pytorch-fid's Inception weights, for FID; empty for none.
      augmentation: whether to train landmark detectors on real and on made faces, which takes long.
      claim: of those detectors.
    """

    frames: int = 200
    interpolations: int = 8
    inception: str = ""
    augmentation: bool = False
    claim: claim.Settings = dataclasses.field(default_factory=claim.Settings)

    def __post_init__(self) -> None:
        if self.frames < 2:
            raise ValueError(f"frames must be at least 2, not {self.frames}")
        if self.interpolations < 1:
            raise ValueError(f"interpolations must be at least 1, not {self.interpolations}")


def evaluate(
    model: Model,
    data: FaceData,
    settings: Settings,
    out: Path,
    about: Mapping[str, str] | None = None,
    history: Sequence[tuple[int, float]] = (),
    inception: Features | None = None,
) -> report.Report:
    """Measures the model and writes the report into the folder `out`.

    Args:
      model: makes faces and landmarks, and inverts (`methods.began.model.LandmarkedFaces`).
      data: the faces that it was trained on; its test split is measured.
      settings: how much is looked at.
      out: the report's folder, made if missing.
      about: more facts to show with the figures, such as which weights these are.
      history: step and convergence measure at each evaluation of the training.
      inception: gives the features of FID, from the file that `settings.inception` names.

    Raises:
      ValueError: the model and the data differ in scheme or size, or the test split has fewer than two pictures.
      OSError: the report cannot be written.
    """
    evaluation = report.Evaluation(data, settings, out, about or {})
    report.check(model.info, data, least=2)
    judge, warnings = find_judge()
    learned, stale = _claim(model, data, settings, out, evaluation.about.get("Weights", ""))
    faces = measures.known(model, data, settings.frames)
    made, near = (measures.made(model, judge, len(faces.pictures), near) for near in (False, True))
    points = _landmark_errors(model, data, faces, {"made": made, "near": near}, judge)
    verdict, good = tables.verdict(points)
    ways, mirror = _ways(model, faces, settings.interpolations)
    shown = [
        *([tables.convergence(history)] if history else []),
        _distances(faces, made, near, judge, inception),
        _inversion(model, faces),
        tables.landmarks(points, len(faces.pictures)),
        tables.smoothness(ways, measures.STEPS),
        *([claim.table(learned)] if learned else []),
    ]
    scheme = data.info.scheme
    pictures = [sheets.made(made, scheme), sheets.made_near(near, scheme), sheets.inverted(faces, scheme), mirror]
    pictures += [sheets.convergence(history)] if len(history) > 1 else []
    pictures += [claim.sheet(learned)] if learned else []
    return evaluation.finish(
        title="Made faces with their landmarks",
        verdict=verdict,
        good=good,
        warnings=[*warnings, *stale, *distances.doubts(made.seen, inception)],
        measured=f"{len(faces.pictures)} test pictures and as many made faces, {data.info.size} pixels",
        tables=shown,
        sheets=pictures,
    )


def _claim(
    model: Model, data: FaceData, settings: Settings, out: Path, weights: str
) -> tuple[claim.Outcome | None, list[str]]:
    """What detectors learned from made faces, now or before, where it was tested; and warnings."""
    if settings.augmentation:
        outcomes.write(claim.run(model.sample, data, settings.claim, weights), out)
    return outcomes.read(claim.Outcome, out, weights, data.fingerprint)


def _landmark_errors(
    model: Model, data: FaceData, faces: Known, made: Mapping[str, Made], judge: Judge | None
) -> dict[str, dict[str, np.ndarray]]:
    """Of the landmark generator and of both baselines on all kinds of `made` faces, of dlib on test pictures."""
    base = measures.baselines(*measures.training_pairs(model, data))
    true = to_inner49(faces.landmarks, data.info.scheme)
    kinds = {"held_out": (faces.z, true)}
    kinds |= {kind: (some.z, some.seen) for kind, some in made.items() if some.seen is not None}
    rows: dict[str, dict[str, np.ndarray]] = {}
    for name, make in {tables.OURS: model.landmarks, tables.MEAN: base.mean, tables.LINEAR: base.linear}.items():
        rows[name] = {
            kind: error_where_known(to_inner49(make(z), data.info.scheme), known, INNER49)
            for kind, (z, known) in kinds.items()
        }
    if judge is not None:
        seen = distances.seen(judge, faces.pictures)
        rows["dlib, which sees the picture"] = {"held_out": error_where_known(seen, true, INNER49)}
    return rows


def _distances(faces: Known, made: Made, near: Made, judge: Judge | None, inception: Features | None) -> Table:
    kinds = {distances.MADE: made.pictures, distances.NEAR: near.pictures, distances.TRAINED: faces.trained}
    return distances.table(kinds, faces.pictures, judge, inception)


def _inversion(model: Model, faces: Known) -> Table:
    rows = {tables.INVERTED: faces.made, tables.NEAREST: faces.nearest, tables.AVERAGE: faces.mean}
    errors = {name: measures.difference(faces.pictures, others) for name, others in rows.items()}
    searched = model.searched.error
    return tables.inversion(errors, float(searched[searched >= 0].mean()) / 2)


def _ways(model: Model, faces: Known, count: int) -> tuple[dict[str, dict[str, np.ndarray]], report.Sheet]:
    """How even ways are, and the sheet of one of them."""
    chosen = evenly(np.arange(len(faces.pictures)), count)
    others = model.invert(to_floats(faces.pictures[chosen][:, :, ::-1])).z
    kinds = {
        "to the mirror image": [measures.way(faces.z[i], other) for i, other in zip(chosen, others)],
        "to another face": [measures.way(faces.z[i], faces.z[j]) for i, j in zip(chosen, np.roll(chosen, 1))],
    }
    rows = {}
    for name, ways in kinds.items():
        pictures, points = np.array([measures.uneven(model, z) for z in ways]).T
        rows[name] = {"pictures": pictures, "landmarks": points}
    first = faces.pictures[chosen[0]]
    sheet = sheets.way(model, kinds["to the mirror image"][0], (first, np.ascontiguousarray(first[:, ::-1])))
    return rows, sheet
