"""Evaluation of a trained LandmarkGAN: Table 1 and Fig. 6 of Sun et al., with the baselines that the paper lacks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from lgan_jax.data import FaceData, Split
from lgan_jax.data.kept import evenly
from lgan_jax.evaluation import report
from lgan_jax.evaluation.judge import Judge, find_judge
from lgan_jax.landmarks import Scheme
from lgan_jax.methods.landmarkgan.evaluation import sheets, tables
from lgan_jax.methods.landmarkgan.evaluation.makers import Gallery, Generated, Maker, MeanFace, Model, NearestFrame
from lgan_jax.methods.landmarkgan.evaluation.reenactment import Frames, most_frontal, redraw, reenact

OURS, UNCONSTRAINED, DIRECT = "LandmarkGAN", "without constraint", "without converter"
NEAREST, WARPED, MEAN = "nearest training frame", "warped nearest frame", "mean face of the target"
WARPED_CONSTRAINED = "warped, constrained"
_FRONTAL_TRIES = 10


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much is measured.

    Attributes:
      split: "test", which is for reports; or "validation", for choosing settings.
      frames: held-out frames of each identity that drive all others.
      identity_frames: on how many of them the identity distance is measured (dlib takes 0.15 s a face).
      gallery_frames: of each identity, how many training frames the baselines choose from, and how many held-out
        frames the frontal reference is chosen from.
    """

    split: Literal["test", "validation"] = "test"
    frames: int = 8
    identity_frames: int = 2
    gallery_frames: int = 1000

    def __post_init__(self) -> None:
        for name in ("frames", "identity_frames", "gallery_frames"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")


def evaluate(
    model: Model, data: FaceData, settings: Settings, out: Path, about: Mapping[str, str] | None = None
) -> report.Report:
    """Measures the model on held-out frames and writes the report into the folder `out`.

    Args:
      model: converts, synthesizes and detects (`methods.landmarkgan.model.LandmarkGAN`).
      data: the faces that it was trained on; its test split is measured, its training split gives the baselines.
      settings: how much is looked at.
      out: the report's folder, made if missing.
      about: more facts to show with the figures, such as which weights these are.

    Returns:
      What was found; `report.show_report` prints it.

    Raises:
      ValueError: the model and the data differ in scheme, size or identities, or there is no held-out frame.
      OSError: the report cannot be written.
    """
    evaluation = report.Evaluation(data, settings, out, about or {})
    report.check(model.info, data, identities=True)
    judge, warnings = find_judge()
    people = held_out_frames(data, settings, judge)
    warnings += _missing(data, people)
    makers, redrawers = _makers(model, data, settings)
    count = len(data.info.identities)
    pairs = {}
    if count > 1:
        for name, maker in makers.items():
            pairs[name] = reenact(maker, model, judge, people, settings.identity_frames, count)
    redrawn = {name: redraw(maker, model, judge, people, data.info.scheme) for name, maker in redrawers.items()}
    verdict, good = tables.verdict(pairs or redrawn, OURS, WARPED)
    shown = tables.tables(pairs, redrawn, data, people, settings.identity_frames, judge is not None)
    pictures = sheets.sheets(model, data.info, people, makers, redrawers, pairs.get(OURS))
    frames = f"{sum(len(each.pictures) for each in people)} held-out frames"
    size, scheme = data.info.size, data.info.scheme
    return evaluation.finish(
        title="LandmarkGAN: faces from landmarks",
        verdict=verdict,
        good=good,
        warnings=warnings,
        called="frames",
        facts={"Identities": ", ".join(data.info.identities)},
        measured=f"{frames} of {size}×{size} pixels, {scheme.count} landmarks ({scheme.name})",
        tables=shown,
        sheets=pictures,
        details={"pairs": tables.by_pair(pairs[OURS], data.info.identities) if pairs else []},
    )


def held_out_frames(data: FaceData, settings: Settings, judge: Judge | None) -> list[Frames]:
    """Held-out frames of every identity that has some, evenly spaced."""
    people, split = [], getattr(data, settings.split)
    for i in range(len(data.info.identities)):
        places = np.flatnonzero(np.asarray(split.identity) == i)
        if len(places) == 0:
            continue
        records = [split[int(place)] for place in evenly(places, settings.frames)]
        pictures = np.stack([record["image"] for record in records])
        people.append(
            Frames(
                identity=i,
                pictures=pictures,
                landmarks=np.stack([record["landmarks"] for record in records]).astype(np.float32),
                seen=None if judge is None else judge.landmarks(pictures),
                reference=None
                if judge is None
                else _reference(split, evenly(places, settings.gallery_frames), data.info.scheme, judge),
            )
        )
    return people


def _reference(split: Split, places: np.ndarray, scheme: Scheme, judge: Judge) -> np.ndarray | None:
    """dlib's descriptor of the most frontal of these held-out frames in which it finds the face."""
    landmarks = np.stack([split[int(place)]["landmarks"] for place in places])
    for place in places[most_frontal(landmarks, scheme)[:_FRONTAL_TRIES]]:
        descriptor = judge.descriptors(split[int(place)]["image"][None])[0]
        if not np.isnan(descriptor).any():
            return descriptor
    return None


def _makers(model: Model, data: FaceData, settings: Settings) -> tuple[dict[str, Maker], dict[str, Maker]]:
    """The rows of reenactment, and those of reconstruction, where landmarks are the target's own."""
    gallery = Gallery(data.train, data.info.identities, settings.gallery_frames)
    direct, mean, constrained = Generated(model, convert=False), MeanFace(gallery), bool(model.constraint)
    reenacting = {OURS: Generated(model, convert=True)}
    if constrained:
        reenacting[UNCONSTRAINED] = Generated(model, convert=True, constrain=False)
    reenacting |= {
        DIRECT: direct,
        NEAREST: NearestFrame(model, gallery, convert=True, constrain=False),
        WARPED: NearestFrame(model, gallery, convert=True, warped=True, constrain=False),
    }
    if constrained:
        reenacting[WARPED_CONSTRAINED] = NearestFrame(model, gallery, convert=True, warped=True)
    redrawing = {
        OURS: direct,
        NEAREST: NearestFrame(model, gallery, convert=False),
        WARPED: NearestFrame(model, gallery, convert=False, warped=True),
        MEAN: mean,
    }
    return {**reenacting, MEAN: mean}, redrawing


def _missing(data: FaceData, people: Sequence[Frames]) -> list[str]:
    """What the data lacks, as warnings."""
    warnings = []
    if len(data.info.identities) == 1:
        warnings.append("There is one identity only, so nobody to convert to: reconstruction alone is measured.")
    for i, name in enumerate(data.info.identities):
        if i not in {frames.identity for frames in people}:
            warnings.append(f"{name} has no held-out frames: it is a target here, but drives nobody.")
    return warnings
