"""Evaluation of a trained LandmarkGAN: Table 1 and Fig. 6 of Sun et al., with baselines that are not in the paper."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

import numpy as np

from lgan_jax.config import within
from lgan_jax.data import FaceData, Split
from lgan_jax.evaluation import comparison
from lgan_jax.evaluation.comparison import compared, compared_by
from lgan_jax.evaluation.dlib_evaluator import DlibEvaluator
from lgan_jax.evaluation.harness import Evaluation, Setup
from lgan_jax.landmarks import Scheme
from lgan_jax.methods.landmarkgan.evaluation import image_grids, tables
from lgan_jax.methods.landmarkgan.evaluation.baselines import (
    CONSTRAINED,
    DIRECT,
    MEAN,
    NEAREST,
    OURS,
    UNCONSTRAINED,
    WARPED,
    Gallery,
    Generator,
    generated,
    mean_face,
    nearest_frame,
)
from lgan_jax.methods.landmarkgan.evaluation.reenactment import (
    Frames,
    Measured,
    most_frontal,
    reconstruct,
    reenact,
)
from lgan_jax.ops.spacing import evenly_spaced

_FRONTAL_TRIES = 10


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the evaluation.

    Attributes:
      split: "test" for reports, or "validation" for choosing settings.
      frames: driving frames of each identity in this split.
      identity_frames: number of these frames for the identity distance (dlib takes 0.15 s per face).
      gallery_frames: number of candidates per identity: training frames for the baselines, and frames of the split for
        the frontal reference.
    """

    split: Literal["test", "validation"] = "test"
    frames: int = 8
    identity_frames: int = 2
    gallery_frames: int = 1000

    def __post_init__(self) -> None:
        within(self, 1, math.inf, "frames", "identity_frames", "gallery_frames")


def measure(setup: Setup) -> Measured:
    """Measures every generator on the frames of every identity."""
    people = driving_frames(setup.data, setup.settings, setup.dlib)
    reenacting, reconstructing = generators(setup)
    info, dlib, each = setup.data.info, setup.dlib, setup.settings.identity_frames
    several = len(info.identities) > 1
    reenactment = {
        name: reenact(generator, setup.model, dlib, people, each, len(info.identities))
        for name, generator in (reenacting.items() if several else ())
    }
    reconstruction = {
        name: reconstruct(generator, setup.model, dlib, people, info.scheme)
        for name, generator in reconstructing.items()
    }
    return Measured(people, reenacting, reconstructing, reenactment, reconstruction)


def generators(setup: Setup) -> tuple[dict[str, Generator], dict[str, Generator]]:
    """The model and its baselines for reenactment, and for reconstruction from the target's own landmarks."""
    model, constrained = setup.model, bool(setup.model.constraint)
    gallery = Gallery(setup.data.train, setup.data.info.identities, setup.settings.gallery_frames)
    reenacting = {OURS: generated(model, convert=True)}
    if constrained:
        reenacting[UNCONSTRAINED] = generated(model, convert=True, constrain=False)
    reenacting |= {
        DIRECT: generated(model, convert=False),
        NEAREST: nearest_frame(model, gallery, convert=True, constrain=False),
        WARPED: nearest_frame(model, gallery, convert=True, warped=True, constrain=False),
    }
    if constrained:
        reenacting[CONSTRAINED] = nearest_frame(model, gallery, convert=True, warped=True)
    reconstructing = {
        OURS: generated(model, convert=False),
        NEAREST: nearest_frame(model, gallery, convert=False),
        WARPED: nearest_frame(model, gallery, convert=False, warped=True),
        MEAN: mean_face(gallery),
    }
    return {**reenacting, MEAN: mean_face(gallery)}, reconstructing


def driving_frames(data: FaceData, settings: Settings, dlib: DlibEvaluator) -> list[Frames]:
    """Evenly spaced frames of every identity with frames in the measured split."""
    people, split = [], getattr(data, settings.split)
    for i in range(len(data.info.identities)):
        indices = np.flatnonzero(np.asarray(split.identity) == i)
        if len(indices) == 0:
            continue
        records = [split[int(index)] for index in evenly_spaced(indices, settings.frames)]
        images = np.stack([record["image"] for record in records])
        landmarks = np.stack([record["landmarks"] for record in records]).astype(np.float32)
        reference = _reference(split, evenly_spaced(indices, settings.gallery_frames), data.info.scheme, dlib)
        people.append(Frames(i, images, landmarks, dlib.landmarks(images), reference))
    return people


def _reference(split: Split, indices: np.ndarray, scheme: Scheme, dlib: DlibEvaluator) -> np.ndarray:
    """dlib's descriptor of the most frontal of these frames with a detected face; NaN if there is none."""
    nothing = np.full(128, np.nan, np.float32)
    if not dlib.installed:
        return nothing
    landmarks = np.stack([split[int(index)]["landmarks"] for index in indices])
    for index in indices[most_frontal(landmarks, scheme)[:_FRONTAL_TRIES]]:
        descriptor = dlib.descriptors(split[int(index)]["image"][None])[0]
        if not np.isnan(descriptor).any():
            return descriptor
    return nothing


def verdict(setup: Setup, measured: Measured) -> tuple[str, bool | None]:
    """Whether the model beats the baseline "warped nearest frame" in landmarks and in SSIM, on the shared examples.

    Landmarks are dlib's if dlib found any face for both, else the run's own detector's. Intervals are over identities.
    """
    rows, identities = measured.reconstruction, None
    names = {"error": "error by dlib", "own_error": "error by its own detector"}
    if measured.reenactment:
        rows, identities = measured.reenactment, measured.reenactment[OURS].source
        names = {"lmk": "LMK by dlib", "own_lmk": "LMK by its own detector"}
    ours, baseline = rows[OURS].metrics, rows[WARPED].metrics
    metrics = (
        compared_by(names, ours, baseline, "lower", identities),
        compared("SSIM", ours["ssim"], baseline["ssim"], "higher", identities),
    )
    return comparison.verdict(OURS, WARPED, metrics, ": it is not trained well enough")


def warnings(setup: Setup, measured: Measured) -> list[str]:
    """Warnings about missing data."""
    identities, lines = setup.data.info.identities, []
    if len(identities) == 1:
        lines.append("There is one identity only, so no conversion: only reconstruction is measured.")
    with_frames = {frames.identity for frames in measured.people}
    lines += [
        f"{name} has no {setup.settings.split} frames: it is a target here, but not a source."
        for i, name in enumerate(identities)
        if i not in with_frames
    ]
    return lines


def _measured_on(setup: Setup, measured: Measured) -> str:
    scheme = setup.data.info.scheme
    frames = sum(len(each.images) for each in measured.people)
    return f"{frames} {setup.settings.split} frames of {setup.size}, {scheme.count} landmarks ({scheme.name})"


EVALUATION = Evaluation(
    title="LandmarkGAN: faces from landmarks",
    measure=measure,
    measured_on=_measured_on,
    tables=(tables.reenactment, tables.reconstruction),
    images=(
        image_grids.driving,
        image_grids.converter,
        image_grids.baselines,
        image_grids.failures,
        image_grids.reconstruction,
    ),
    verdict=verdict,
    warnings=warnings,
    facts=lambda setup, _: {"Identities": ", ".join(setup.data.info.identities)},
    details=lambda setup, measured: {"pairs": tables.by_pair(measured.reenactment, setup.data.info.identities)},
    identities=True,
    unit="frames",
)
evaluate = EVALUATION.run
