"""The tables of the evaluation, and the sentence that the figures decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lgan_jax.evaluation import verdicts
from lgan_jax.evaluation.tables import Column, Row, Table
from lgan_jax.evaluation.verdicts import Compared, compared
from lgan_jax.metrics.summary import Figure, summarize

OURS, MEAN, LINEAR = "landmark generator", "mean shape", "linear map of z"
INVERTED, NEAREST, AVERAGE = "made of its z", "nearest training picture", "mean training picture"

Values = np.ndarray  # one for each picture, NaN where not measured


def convergence(history: Sequence[tuple[int, float]]) -> Table:
    """Berthelot et al.'s measure at some steps of the training."""
    values = np.array([value for _, value in history])
    lowest = int(values.argmin())
    chosen = {"first": 0, "lowest": lowest, "last": len(history) - 1}
    rows = [Row(f"{name}, step {history[i][0]:,}", {"measure": _one(float(values[i]))}) for name, i in chosen.items()]
    return Table(
        key="convergence",
        title="Convergence measure",
        about=f"M = L(x) + |γ·L(x) − L(G(z))| on validation faces, at {len(history)} evaluations while BEGAN trained.",
        columns=[Column("measure", "M", "Berthelot et al.'s global measure of convergence", "lower", 4)],
        rows=rows,
        compare=False,
    )


def inversion(rows: Mapping[str, Values], training_error: float) -> Table:
    """How near the generator comes to faces that it has not seen."""
    count = len(next(iter(rows.values())))
    return Table(
        key="inversion",
        title="Inverse of the generator (Eq. 3)",
        about=f"{count} test pictures. Of all training pictures the mean error is {training_error:.2%}.",
        columns=[Column("error", "error", "mean absolute difference from the picture, as a share of the range from "
                        "black to white", "lower", 2, True)],
        rows=[Row(name, {"error": summarize(values)}) for name, values in rows.items()],
    )  # fmt: skip


def landmarks(rows: Mapping[str, Mapping[str, Values]], count: int) -> Table:
    """The landmarks beside the baselines, and dlib's own error, which is no competitor."""
    return Table(
        key="landmarks",
        title="Landmarks",
        about=f"{count} test pictures, whose z the inverse finds and whose landmarks are known, and as many made "
        "faces, on which dlib's are taken for the truth. Of the 49 inner points, in units of the distance between the "
        "outer eye corners.",
        columns=[
            Column("held_out", "test\npictures", "mean distance from the true landmarks", "lower", 2, True),
            Column("made", "made faces\n(dlib)", "mean distance from dlib's landmarks, in the faces that it finds",
                   "lower", 2, True),
            Column("near", "made near\ntraining ones", "the same of faces whose z lie near those of training pictures",
                   "lower", 2, True),
        ],
        rows=[
            Row(name, {key: summarize(values) for key, values in each.items()}, compared=name in (OURS, MEAN, LINEAR))
            for name, each in rows.items()
        ],
    )  # fmt: skip


def smoothness(rows: Mapping[str, Mapping[str, Values]], steps: int) -> Table:
    """The largest step of ways through z over the mean step."""
    count = len(next(iter(next(iter(rows.values())).values())))
    return Table(
        key="smoothness",
        title="Ways through Z (Fig. 9)",
        about=f"{count} ways of each kind, {steps} points each: the largest step over the mean one, 1 where all are "
        "alike.",
        columns=[
            Column("pictures", "pictures", "of the mean absolute difference of neighbouring pictures", "lower", 2),
            Column("landmarks", "landmarks", "of the mean distance of neighbouring landmarks", "lower", 2),
        ],
        rows=[Row(name, {key: summarize(values) for key, values in each.items()}) for name, each in rows.items()],
        compare=False,
    )


def verdict(rows: Mapping[str, Mapping[str, Values]]) -> tuple[str, bool | None]:
    """Whether the landmark generator beats both baselines: of each measure the better one is its rival."""
    measures = [
        _against(rows, "held_out", "landmark error on test pictures"),
        _against(rows, "made", "landmark error on made faces by dlib"),
    ]
    there = [each for each in measures if each is not None]
    return verdicts.verdict("The landmark generator", "better of mean shape and linear map", there)


def _against(rows: Mapping[str, Mapping[str, Values]], key: str, name: str) -> Compared | None:
    if key not in rows[OURS]:
        return None
    return max(
        (compared(name, rows[OURS][key], rows[rival][key], "lower") for rival in (MEAN, LINEAR)),
        key=lambda each: -each.theirs,
    )


def _one(value: float) -> Figure:
    return Figure(value, None, 1, 1)
