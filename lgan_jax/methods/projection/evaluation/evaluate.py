"""Evaluation of a StyleGAN2 run: the quality of its faces, and of projections of test pairs."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from jaxtyping import UInt8

from lgan_jax.config import within
from lgan_jax.data import Split
from lgan_jax.evaluation import comparison, frechet
from lgan_jax.evaluation.comparison import Compared, compared_by
from lgan_jax.evaluation.harness import Evaluation, Setup
from lgan_jax.media.images import to_bytes
from lgan_jax.methods.projection.evaluation import image_grids, metrics, tables
from lgan_jax.methods.projection.evaluation.metrics import (
    APPEARANCE,
    APPEARANCE_IMAGE,
    DETECTOR,
    DLIB,
    FEATURES,
    GROUND_TRUTH,
    IDENTITY,
    LANDMARK_IMAGE,
    LANDMARKS,
    TRUE_LANDMARKS,
    TRUE_MOUTH,
    Measured,
    measure_images,
)
from lgan_jax.methods.projection.model import SETTINGS
from lgan_jax.ops.spacing import evenly_spaced

_SEED = 6  # of the generated faces that are measured


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much is measured.

    Attributes:
      frames: test images at most; as many faces are generated.
      pairs: of test images that are projected.
      weights: of the landmarks, beside 1 for the appearance.
      steps: of each projection.
      inception: the user's file of pytorch-fid's Inception weights, for FID; empty for none.
    """

    frames: int = 200
    pairs: int = 8
    weights: tuple[float, ...] = (0.003, 0.01, 0.03, 0.1)
    steps: int = 250
    inception: str = ""

    def __post_init__(self) -> None:
        within(self, 2, math.inf, "frames", "pairs")
        within(self, 1, math.inf, "steps")
        if not self.weights or not all(0 < weight < math.inf for weight in self.weights):
            raise ValueError(f"weights are {self.weights}; at least one number above 0 is needed")


def measure(setup: Setup) -> Measured:
    """Generated faces; and projections at each weight of the landmarks, beside both ends and the images themselves."""
    model, settings = setup.model, setup.settings
    test = _images(setup.data.test, settings.frames)
    generated = to_bytes(model.sample(_SEED, len(test)).image)
    search = {"steps": settings.steps, "every": max(1, settings.steps // 10)}
    projector = model.projector(dataclasses.replace(SETTINGS, **search))
    pairs = metrics.pairs(setup.data, settings.pairs)
    projected = metrics.projected(projector, pairs, settings.weights)
    images = {**projected, APPEARANCE_IMAGE: pairs.appearance, LANDMARK_IMAGE: pairs.others}
    if pairs.ground_truth is not None:
        images[GROUND_TRUTH] = pairs.ground_truth
    rows = {name: measure_images(model, projector, setup.dlib, pairs, each) for name, each in images.items()}
    weight = min(settings.weights, key=lambda weight: abs(math.log(weight / SETTINGS.landmarks)))
    return Measured(test, generated, _images(setup.data.train, len(test)), pairs, projected, rows, str(weight))


def _images(split: Split, count: int) -> UInt8[np.ndarray, "n H W 3"]:
    """At most `count` of a split, evenly spaced."""
    return np.stack([split[int(i)]["image"] for i in evenly_spaced(np.arange(len(split)), count)])


def verdict(setup: Setup, measured: Measured) -> tuple[str, bool | None]:
    """Whether a weight brings landmarks nearer than appearance alone does, and appearance nearer than landmarks alone.

    Nearer to the ground truth, and mouths too, where there is one; or else to the other's landmarks, which the shape of
    the appearance's face keeps away.
    """

    def against(end: str, what: str, *keys: str) -> Compared:
        names = {key: f"{what} ({key}) of {end}" for key in keys}
        return compared_by(names, measured.rows[measured.weight], measured.rows[end], "lower")

    if measured.pairs.ground_truth is None:
        landmarks = [against(APPEARANCE, "landmark error", DLIB, DETECTOR)]
    else:
        landmarks = [against(APPEARANCE, "landmark error", TRUE_LANDMARKS, DETECTOR)]
        landmarks.append(against(APPEARANCE, "difference", TRUE_MOUTH))
    appearance = against(LANDMARKS, "distance of the appearance", IDENTITY, FEATURES)
    return comparison.verdict(f"Projection with landmark weight {measured.weight}", "ends", [*landmarks, appearance])


EVALUATION = Evaluation(
    title="StyleGAN2 and landmark projection",
    measure=measure,
    measured_on=lambda setup, measured: f"{len(measured.test)} test images and as many generated ones, {setup.size}",
    tables=(tables.distances, tables.projections, tables.expressions),
    images=(image_grids.generated, image_grids.projections, *image_grids.CURVES),
    verdict=verdict,
    warnings=lambda setup, measured: frechet.warnings(
        frechet.inner_landmarks(setup.dlib, measured.generated), setup.dlib, setup.inception
    ),
    details=lambda setup, measured: {"ends": [APPEARANCE, LANDMARKS]},
    least=2,
)
evaluate = EVALUATION.run
