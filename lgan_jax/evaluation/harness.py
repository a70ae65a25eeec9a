"""Runs an evaluation: what a method declares (metrics, baselines, image grids, verdict) becomes a report."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lgan_jax.data import FaceData, training_landmarks
from lgan_jax.evaluation import report
from lgan_jax.evaluation.dlib_evaluator import DlibEvaluator, find_dlib
from lgan_jax.evaluation.frechet import Features
from lgan_jax.evaluation.report import Report, ReportImage
from lgan_jax.evaluation.tables import Table
from lgan_jax.protocols import FaceModel

BUILT_IN = "Measured on the built-in faces, which the library draws: no metric here is one of real faces."


@dataclasses.dataclass(frozen=True)
class OtherRun:
    """Another run of the same data, to compare with.

    Attributes:
      model: what it trained.
      difference: how its config differs from that of the evaluated run.
    """

    model: FaceModel
    difference: str


@dataclasses.dataclass(frozen=True)
class Setup:
    """What an evaluation works with.

    Attributes:
      model: the trained model.
      data: the faces that it was trained on.
      settings: of the evaluation.
      out: the report's folder.
      weights: which weights of the model these are.
      dlib: the evaluator that no training has seen.
      others: other runs, by name.
      inception: features for FID; None without a file of weights.
      history: step and value of a metric at each evaluation while training.
    """

    model: Any
    data: FaceData
    settings: Any
    out: Path
    weights: str
    dlib: DlibEvaluator
    others: Mapping[str, OtherRun]
    inception: Features | None
    history: Sequence[tuple[int, float]]

    @property
    def size(self) -> str:
        """The image size, in words."""
        return f"{self.data.info.size}×{self.data.info.size} pixels"


def _nothing(setup: Setup, measured: Any) -> Any:
    return ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The declaration of a method's evaluation. Its functions take the `Setup` and what `measure` returned.

    Attributes:
      title: of the report.
      measure: chooses the test images, generates with the model and its baselines, and measures the metrics.
      measured_on: how many images, of what size.
      tables: one function a table; None leaves a table out.
      images: one function an image grid or plot; None leaves it out.
      verdict: the sentence that the metrics decide, and whether it is a good one (None: nothing to compare with).
      warnings: what a reader must know before reading a metric.
      facts: more facts about the data.
      details: more for `metrics.json` alone.
      least: test images that it takes.
      identities: whether the model and the data must have the same identities.
      unit: what the data's images are called.
    """

    title: str
    measure: Callable[[Setup], Any]
    measured_on: Callable[[Setup, Any], str]
    tables: Sequence[Callable[[Setup, Any], Table | None]]
    images: Sequence[Callable[[Setup, Any], ReportImage | None]]
    verdict: Callable[[Setup, Any], tuple[str, bool | None]]
    warnings: Callable[[Setup, Any], Sequence[str]] = _nothing
    facts: Callable[[Setup, Any], Mapping[str, str]] = _nothing
    details: Callable[[Setup, Any], Mapping[str, Any]] = _nothing
    least: int = 1
    identities: bool = False
    unit: str = "images"

    def run(
        self,
        model: FaceModel,
        data: FaceData,
        settings: Any,
        out: Path,
        about: Mapping[str, str] | None = None,
        *,
        others: Mapping[str, OtherRun] | None = None,
        inception: Features | None = None,
        history: Sequence[tuple[int, float]] = (),
    ) -> Report:
        """Measures the model on the test split and writes the report into the folder `out`.

        Args:
          model: the trained model, as the method's protocol in `lgan_jax.protocols` describes it.
          data: the faces that it was trained on.
          settings: of the evaluation.
          out: the report's folder, created if missing.
          about: more facts for the report, such as which weights these are.
          others: opened runs of the same data to compare with, by name.
          inception: features for FID, of the weights that the settings name.
          history: step and value of a metric at each evaluation while training.

        Raises:
          ValueError: a model and the data differ in scheme, size or identities, or the data lack what is needed.
          OSError: the report cannot be written.
        """
        start = time.monotonic()
        about, others = about or {}, others or {}
        for each in (model, *(other.model for other in others.values())):
            report.check(each.info, data, least=self.least, identities=self.identities)
        dlib, warnings = find_dlib()
        setup = Setup(model, data, settings, out, about.get("Weights", ""), dlib, others, inception, history)
        measured = self.measure(setup)
        verdict, good = self.verdict(setup, measured)
        tables, images = (
            [part for declared in parts if (part := declared(setup, measured)) is not None]
            for parts in (self.tables, self.images)
        )
        warnings = [*([BUILT_IN] if data.built_in else []), *warnings, *self.warnings(setup, measured)]
        facts = {"Data": f"{data.name}; {data.counted(self.unit)}", **dict(self.facts(setup, measured))}
        facts["Measured on"] = self.measured_on(setup, measured)
        facts |= {"Notes": "; ".join(data.notes)} if data.notes else {}
        seconds = time.monotonic() - start
        facts |= {**about, **report.surroundings(), "Time": f"{seconds:.0f} s"}
        details = {
            "settings": dataclasses.asdict(settings),
            "data": training_landmarks.described(data, data.info) | {"notes": list(data.notes), **data.counts},
            "seconds": round(seconds, 1),
            **dict(self.details(setup, measured)),
        }
        result = Report(self.title, verdict, good, warnings, facts, tables, images, details)
        report.write(result, out)
        return result
