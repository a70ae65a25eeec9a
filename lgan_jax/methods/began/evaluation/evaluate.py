"""Evaluation of generated faces with landmarks: image quality, landmark errors, and smoothness of interpolations."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from lgan_jax.config import within
from lgan_jax.evaluation import comparison, frechet, study
from lgan_jax.evaluation.comparison import Compared, compared
from lgan_jax.evaluation.harness import Evaluation, Setup
from lgan_jax.evaluation.tables import Values
from lgan_jax.landmarks import INNER49, to_inner49
from lgan_jax.media.images import to_floats
from lgan_jax.methods.began.evaluation import augmentation_study, image_grids, metrics, tables
from lgan_jax.methods.began.evaluation.metrics import LINEAR, MEAN, OURS, Generated, InvertedImages, Measured
from lgan_jax.metrics.lmk import nme_where_known
from lgan_jax.ops.spacing import evenly_spaced

WATCHED = ("began", "convergence")  # the phase and the metric of `Setup.history`


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the evaluation.

    Attributes:
      frames: largest number of test images, and of generated faces.
      interpolations: number of interpolations through z, from test images to their mirror images and to each other.
      inception: the user's file of pytorch-fid's Inception weights, for FID; empty for none.
      augmentation: whether to run the augmentation study, which is slow.
      study: settings of the augmentation study.
    """

    frames: int = 200
    interpolations: int = 8
    inception: str = ""
    augmentation: bool = False
    study: augmentation_study.Settings = dataclasses.field(default_factory=augmentation_study.Settings)

    def __post_init__(self) -> None:
        within(self, 2, math.inf, "frames")
        within(self, 1, math.inf, "interpolations")


def measure(setup: Setup) -> Measured:
    """Measures generated faces, inverted test images, their landmarks with two baselines, and interpolations."""
    model, settings = setup.model, setup.settings
    run = (lambda: augmentation_study.run(setup)) if settings.augmentation else None
    stored, study_warnings = study.run_or_read(
        augmentation_study.Result, setup.out, setup.weights, setup.data.fingerprint, run
    )
    test = metrics.inverted_images(model, setup.data, settings.frames)
    generated, near = (metrics.generated(model, setup.dlib, len(test.images), near) for near in (False, True))
    errors = _landmark_errors(setup, test, {"generated": generated, "near": near})
    smoothness, mirror = _interpolations(setup, test)
    return Measured(test, generated, near, errors, smoothness, mirror, stored, study_warnings)


def _landmark_errors(setup: Setup, test: InvertedImages, kinds: dict[str, Generated]) -> dict[str, Values]:
    """Errors of the landmark generator and both baselines on test and generated images; of dlib on test images."""
    scheme = setup.data.info.scheme
    base = metrics.baselines(*metrics.training_pairs(setup.model, setup.data))
    truth = to_inner49(test.landmarks, scheme)
    known = {"test": (test.z, truth)}
    if setup.dlib.installed:
        known |= {kind: (some.z, some.seen) for kind, some in kinds.items()}
    rows: dict[str, Values] = {
        name: {
            kind: nme_where_known(to_inner49(landmarks(z), scheme), points, INNER49)
            for kind, (z, points) in known.items()
        }
        for name, landmarks in ((OURS, setup.model.landmarks), (MEAN, base.mean), (LINEAR, base.linear))
    }
    if setup.dlib.installed:
        seen = frechet.inner_landmarks(setup.dlib, test.images)
        rows["dlib, which sees the image"] = {"test": nme_where_known(seen, truth, INNER49)}
    return rows


def _interpolations(
    setup: Setup, test: InvertedImages
) -> tuple[dict[str, Values], tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]]:
    """Unevenness of interpolations, and one interpolation with the images at its ends."""
    chosen = evenly_spaced(np.arange(len(test.images)), setup.settings.interpolations)
    mirrored = setup.model.invert(to_floats(test.images[chosen][:, :, ::-1])).z
    kinds = {
        "to the mirror image": [metrics.interpolated(test.z[i], other) for i, other in zip(chosen, mirrored)],
        "to another face": [metrics.interpolated(test.z[i], test.z[j]) for i, j in zip(chosen, np.roll(chosen, 1))],
    }
    rows = {}
    for name, latents in kinds.items():
        images, points = np.array([metrics.uneven(setup.model, z) for z in latents]).T
        rows[name] = {"images": images, "landmarks": points}
    first = test.images[chosen[0]]
    return rows, (kinds["to the mirror image"][0], (first, np.ascontiguousarray(first[:, ::-1])))


def verdict(setup: Setup, measured: Measured) -> tuple[str, bool | None]:
    """Whether the landmark generator beats both baselines: each metric is compared with the better baseline."""
    names = {"test": "landmark error on test images", "generated": "landmark error on generated images by dlib"}
    compared_metrics = [_against(measured, key, name) for key, name in names.items() if key in measured.errors[OURS]]
    return comparison.verdict("The landmark generator", "better of mean shape and linear map", compared_metrics)


def _against(measured: Measured, key: str, name: str) -> Compared:
    rows = measured.errors
    both = (compared(name, rows[OURS][key], rows[baseline][key], "lower") for baseline in (MEAN, LINEAR))
    return max(both, key=lambda each: -each.baseline)


EVALUATION = Evaluation(
    title="Generated faces with landmarks",
    measure=measure,
    measured_on=lambda setup, measured: (
        f"{len(measured.test.images)} test images and as many generated ones, {setup.size}"
    ),
    tables=(
        tables.convergence,
        tables.distances,
        tables.inversion,
        tables.landmarks,
        tables.smoothness,
        augmentation_study.table,
    ),
    images=(
        image_grids.generated,
        image_grids.generated_near,
        image_grids.inverted,
        image_grids.mirror,
        image_grids.convergence,
        augmentation_study.error_plot,
    ),
    verdict=verdict,
    warnings=lambda setup, measured: [
        *measured.study_warnings,
        *frechet.warnings(measured.generated.seen, setup.dlib, setup.inception),
    ],
    least=2,
)
evaluate = EVALUATION.run
