"""Evaluation of a StyleGAN2 run: how good its faces are, and what projections of test pairs keep and take over."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from lgan_jax.data import FaceData, Split
from lgan_jax.data.kept import evenly
from lgan_jax.evaluation import distances, report
from lgan_jax.evaluation.distances import Features
from lgan_jax.evaluation.judge import find_judge
from lgan_jax.media.images import to_bytes
from lgan_jax.methods.projection.evaluation import measures, sheets, tables
from lgan_jax.methods.projection.evaluation.measures import DRAWN, LANDMARKS, LOOK, THE_LANDMARKS, THE_LOOK, Model
from lgan_jax.methods.projection.model import SETTINGS

_SEED = 6  # of the made faces that are measured


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much is looked at.

    Attributes:
      frames: test pictures at most; as many faces are made.
      pairs: of test pictures that are projected.
      weights: of the landmarks, beside 1 for the look.
      steps: of each projection.
      inception: the user's file of pytorch-fid's Inception weights, for FID; empty for none.
    """

    frames: int = 200
    pairs: int = 8
    weights: tuple[float, ...] = (0.003, 0.01, 0.03, 0.1)
    steps: int = 250
    inception: str = ""

    def __post_init__(self) -> None:
        for name, least in (("frames", 2), ("pairs", 2), ("steps", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)}")
        if not self.weights or not all(0 < weight < math.inf for weight in self.weights):
            raise ValueError(f"weights are {self.weights}; at least one number above 0 is needed")


def evaluate(
    model: Model,
    data: FaceData,
    settings: Settings,
    out: Path,
    about: Mapping[str, str] | None = None,
    inception: Features | None = None,
) -> report.Report:
    """Measures the model and writes the report into the folder `out`.

    Args:
      model: makes faces and projects (`methods.projection.model.StyledFaces`).
      data: the faces that it was trained on; its test split is measured.
      settings: how much is looked at.
      out: the report's folder, made if missing.
      about: more facts to show with the figures, such as which weights these are.
      inception: gives the features of FID, from the file that `settings.inception` names.

    Raises:
      ValueError: the model and the data differ in scheme or size, or the test split has fewer than two pictures.
      OSError: the report cannot be written.
    """
    evaluation = report.Evaluation(data, settings, out, about or {})
    report.check(model.info, data, least=2)
    judge, warnings = find_judge()
    held_out = _pictures(data.test, settings.frames)
    made = to_bytes(model.sample(_SEED, len(held_out)).image)
    kinds = {distances.MADE: made, distances.TRAINED: _pictures(data.train, len(held_out))}
    search = {"steps": settings.steps, "every": max(1, settings.steps // 10)}
    projector = model.projector(dataclasses.replace(SETTINGS, **search))
    pairs = measures.pairs(data, settings.pairs)
    results = measures.projected(projector, pairs, settings.weights)
    photos = {THE_LOOK: pairs.looks, THE_LANDMARKS: pairs.others}
    if pairs.drawn is not None:
        photos[DRAWN] = pairs.drawn
    rows = {
        name: measures.measured(model, projector, judge, pairs, pictures)
        for name, pictures in (results | photos).items()
    }
    curve = {name: rows[name] for name in results}
    weight = min(settings.weights, key=lambda weight: abs(math.log(weight / SETTINGS.landmarks)))
    verdict, good = tables.verdict(rows, str(weight))
    shown = [distances.table(kinds, held_out, judge, inception), tables.projections(rows, settings.steps)]
    if pairs.drawn is not None:
        shown.append(tables.expressions({name: each for name, each in rows.items() if name != DRAWN}))
    doubts = distances.doubts(distances.seen(judge, made), inception)
    return evaluation.finish(
        title="StyleGAN2 and landmark projection",
        verdict=verdict,
        good=good,
        warnings=[*warnings, *doubts],
        measured=f"{len(held_out)} test pictures and as many made faces, {data.info.size} pixels",
        tables=shown,
        sheets=[sheets.made(made), sheets.projections(pairs, results, data.info.scheme), *sheets.curves(curve)],
        details={"ends": [LOOK, LANDMARKS]},
    )


def _pictures(split: Split, count: int) -> UInt8[np.ndarray, "n H W 3"]:
    """At most `count` of a split, evenly spaced."""
    return np.stack([split[int(i)]["image"] for i in evenly(np.arange(len(split)), count)])
