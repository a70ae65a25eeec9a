"""Fréchet distances of generated faces to the test split: of coarse images, dlib's landmarks, Inception's features.

Images are uint8 RGB.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from lgan_jax.evaluation.dlib_evaluator import DlibEvaluator, found_in
from lgan_jax.evaluation.tables import Column, Table, measured_rows, scalar
from lgan_jax.landmarks import IBUG68, to_inner49
from lgan_jax.metrics.frechet import frechet_distance

GENERATED, NEAR, TRAINING = "generated faces", "generated near training", "training images"
NO_FID = "FID was not measured: --inception names pytorch-fid's file of Inception weights for it."
_COARSE = 8  # pixels a side of the gray images

Images = UInt8[np.ndarray, "n H W 3"]
Landmarks = Float[np.ndarray, "n N 2"]
Features = Callable[[Images], Float32[np.ndarray, "n D"]]  # of uint8 images, such as Inception's

_COLUMNS = (
    Column("coarse", "coarse\nimages", "of the images as 8×8 gray ones in [0, 1]", "lower", 4),
    Column("landmarks", "landmarks\n(dlib)", "of dlib's 49 landmarks in [0, 1], in the faces that it finds", "lower",
           4),
    Column("inception", "FID", "of the features of the user's Inception file; with fewer images than its 2,048 "
           "features only rows of this table can be compared", "lower", 2),
)  # fmt: skip


def inner_landmarks(dlib: DlibEvaluator, images: Images) -> Landmarks:
    """dlib's 49 inner landmarks; NaN where it finds no face."""
    return to_inner49(dlib.landmarks(images), IBUG68)


def table(kinds: Mapping[str, Images], test: Images, dlib: DlibEvaluator, inception: Features | None) -> Table:
    """The distances of each of `kinds`, of as many images as there are test ones; `GENERATED` is the model's."""
    landmarks = inner_landmarks(dlib, test)
    features = inception(test) if inception else None
    rows = {}
    for name, images in kinds.items():
        values = {
            "coarse": coarse_distance(images, test),
            "landmarks": landmark_distance(inner_landmarks(dlib, images), landmarks),
            "inception": frechet_distance(inception(images), features) if inception else np.nan,
        }
        rows[name] = {key: scalar(value) for key, value in values.items() if not np.isnan(value)}
    return Table(
        key="distances",
        title="Fréchet distances to the test split",
        about=f"{len(test)} faces of each kind. Training images are real: no generator can be expected to do better.",
        columns=_COLUMNS,
        rows=measured_rows(rows, _COLUMNS, references=set(kinds) - {GENERATED}),
    )


def warnings(landmarks: Landmarks, dlib: DlibEvaluator, inception: Features | None) -> list[str]:
    """What a reader must know before reading metrics of generated faces, in which dlib found `landmarks`."""
    lines = []
    if dlib.installed and (lost := int((~found_in(landmarks)).sum())):
        lines.append(f"dlib finds no face in {lost} of {len(landmarks)} generated images; its metrics leave these out.")
    return lines if inception else [*lines, NO_FID]


def distance_where_found(ones: Float[np.ndarray, "n D"], others: Float[np.ndarray, "m D"]) -> float:
    """The Fréchet distance of the rows that are known; NaN of fewer than two."""
    rows = [each[np.isfinite(each).all(1)] for each in (ones, others)]
    return frechet_distance(*rows) if min(map(len, rows)) > 1 else np.nan


def coarse_distance(ones: Images, others: UInt8[np.ndarray, "m H W 3"]) -> float:
    """The Fréchet distance of the images as 8×8 gray ones in [0, 1]."""
    return frechet_distance(*map(_coarse, (ones, others)))


def landmark_distance(ones: Landmarks, others: Float[np.ndarray, "m N 2"]) -> float:
    """The Fréchet distance of landmark vectors, of the faces that have some; NaN of fewer than two."""
    return distance_where_found(*(each.reshape(len(each), -1).astype(np.float64) for each in (ones, others)))


def _coarse(images: Images) -> Float[np.ndarray, "n D"]:
    gray = [cv2.resize(cv2.cvtColor(each, cv2.COLOR_RGB2GRAY), (_COARSE, _COARSE), interpolation=cv2.INTER_AREA)
            for each in images]  # fmt: skip
    return np.stack(gray).reshape(len(gray), -1) / 255.0
