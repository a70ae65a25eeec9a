"""Fréchet distances of made faces to test ones: of coarse pictures, dlib's landmarks, Inception's features.

Pictures are uint8 RGB.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from lgan_jax.evaluation.judge import Judge
from lgan_jax.evaluation.tables import Column, Row, Table
from lgan_jax.landmarks import IBUG68, to_inner49
from lgan_jax.metrics.frechet import frechet_distance
from lgan_jax.metrics.summary import Figure

MADE, NEAR, TRAINED = "made faces", "made near training ones", "training pictures"
NO_FID = "FID was not measured: --inception names pytorch-fid's file of Inception weights for it."
_COARSE = 8  # pixels a side of the grey pictures

Pictures = UInt8[np.ndarray, "n H W 3"]
Landmarks = Float[np.ndarray, "n N 2"]
Features = Callable[[Pictures], Float32[np.ndarray, "n D"]]  # of uint8 pictures, such as Inception's


def seen(judge: Judge | None, pictures: Pictures) -> Landmarks | None:
    """dlib's 49 landmarks; None without dlib."""
    return None if judge is None else to_inner49(judge.landmarks(pictures), IBUG68)


def table(kinds: Mapping[str, Pictures], held_out: Pictures, judge: Judge | None, inception: Features | None) -> Table:
    """The distances of each of `kinds`, of as many pictures as there are test ones; `MADE` is what is judged."""
    landmarks = seen(judge, held_out)
    features = inception(held_out) if inception else None
    rows = []
    for name, pictures in kinds.items():
        values: dict[str, float | None] = {"coarse": coarse_distance(pictures, held_out)}
        if landmarks is not None:
            values["landmarks"] = landmark_distance(seen(judge, pictures), landmarks)
        if inception is not None and features is not None:
            values["inception"] = frechet_distance(inception(pictures), features)
        figures = {key: Figure(value, None, 1, 1) for key, value in values.items() if value is not None}
        rows.append(Row(name, figures, compared=name == MADE))
    return Table(
        key="distances",
        title="Fréchet distances to test pictures",
        about=f"{len(held_out)} faces of each kind. Training pictures are real: what is left to gain ends there.",
        columns=[
            Column("coarse", "coarse\npictures", "of the pictures as 8×8 grey ones in [0, 1]", "lower", 4),
            Column("landmarks", "landmarks\n(dlib)", "of dlib's 49 landmarks in [0, 1], in the faces that it finds",
                   "lower", 4),
            Column("inception", "FID", "of the features of the user's Inception file; with fewer pictures than its "
                   "2,048 features only rows of this table can be compared", "lower", 2),
        ],
        rows=rows,
    )  # fmt: skip


def doubts(seen: Landmarks | None, inception: Features | None) -> list[str]:
    """What a reader must know before reading the figures of made faces, in which dlib has `seen` landmarks."""
    lines = []
    if seen is not None and (lost := int(np.isnan(seen).any((1, 2)).sum())):
        lines.append(f"dlib finds no face in {lost} of {len(seen)} made faces; they are not among its figures.")
    return lines if inception else [*lines, NO_FID]


def coarse_distance(ones: Pictures, others: UInt8[np.ndarray, "m H W 3"]) -> float:
    """The Fréchet distance of the pictures as 8×8 grey ones in [0, 1]."""
    return frechet_distance(*map(_coarse, (ones, others)))


def landmark_distance(ones: Landmarks, others: Float[np.ndarray, "m N 2"]) -> float | None:
    """The Fréchet distance of landmark vectors, of the faces in which there are some; None of fewer than two."""
    rows = [each[np.isfinite(each).all((1, 2))].reshape(-1, each.shape[1] * 2) for each in (ones, others)]
    return frechet_distance(*(each.astype(np.float64) for each in rows)) if min(map(len, rows)) > 1 else None


def _coarse(pictures: Pictures) -> Float[np.ndarray, "n D"]:
    grey = [cv2.resize(cv2.cvtColor(each, cv2.COLOR_RGB2GRAY), (_COARSE, _COARSE), interpolation=cv2.INTER_AREA)
            for each in pictures]  # fmt: skip
    return np.stack(grey).reshape(len(grey), -1) / 255.0
