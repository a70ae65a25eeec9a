"""The pictures of the evaluation: made faces, projections at each weight, and the curves over it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lgan_jax.data.kept import evenly
from lgan_jax.evaluation import plots
from lgan_jax.evaluation.report import Sheet
from lgan_jax.landmarks import Scheme
from lgan_jax.media.image_grid import Row, draw_landmarks, sheet
from lgan_jax.methods.projection.evaluation.measures import (
    DETECTOR,
    DLIB,
    FEATURES,
    IDENTITY,
    LANDMARKS,
    LOOK,
    MOUTH,
    WANTED,
    Pairs,
    Pictures,
    Values,
)

_ROWS, _COLUMNS = 3, 8  # of the made faces
_PAIRS = 6  # of the projections
_CURVES = {  # what is measured → from what, what to look for, the lines
    "landmarks": ("those of the photo with the landmarks", "It should fall with the weight of the landmarks.",
                  {DETECTOR: "detector", DLIB: "dlib"}),
    "look": ("that of the photo with the look", "It rises with the weight of the landmarks; it should stay low for "
             "long.", {FEATURES: "features", IDENTITY: "identity (dlib)"}),
    "expression": ("what should come out", "It should fall with the weight of the landmarks, until the look is lost.",
                   {WANTED: "landmarks (dlib)", MOUTH: "mouth (difference)"}),
}  # fmt: skip


def made(pictures: Pictures) -> Sheet:
    """Made faces."""
    places = evenly(np.arange(len(pictures)), _ROWS * _COLUMNS)
    columns = min(_COLUMNS, len(places))
    rows = [Row("", [pictures[i] for i in places[start : start + columns]]) for start in range(0, len(places), columns)]
    rows = [row for row in rows if len(row.cells) == columns]
    return Sheet(
        name="made",
        title="Made faces",
        caption="Faces of random z, without truncation.",
        image=sheet(rows, [""] * columns, pictures.shape[1]),
    )


def projections(pairs: Pairs, results: Mapping[str, Pictures], scheme: Scheme) -> Sheet:
    """Look, landmarks, and what was made at each weight, a pair in each row."""
    size = pairs.looks.shape[1]
    made, caption = dict(results), ""
    if pairs.drawn is not None:
        made["drawn"] = pairs.drawn
        caption = " Last, what should come out: the look's face, drawn with the expression and pose of the other."
    rows = []
    for i in evenly(np.arange(len(pairs.looks)), _PAIRS):
        drawn = draw_landmarks(pairs.landmarks[i], scheme, size, on=pairs.others[i])
        rows.append(Row("", [pairs.looks[i], drawn, *(pictures[i] for pictures in made.values())]))
    return Sheet(
        name="projections",
        title="Projections of test pairs",
        caption="The photo with the look, the one with the landmarks, and what is made of both at each weight of the "
        f"landmarks.{caption}",
        image=sheet(rows, ["look", "landmarks", *made], size),
    )


def curves(rows: Mapping[str, Values]) -> list[Sheet]:
    """How far landmarks and looks are from what was asked for, over the weight, from one end to the other.

    And the expression from what should come out, where that is known.
    """
    places = [LOOK, *(name for name in rows if name not in (LOOK, LANDMARKS)), LANDMARKS]
    sheets = []
    for what, (origin, course, lines) in _CURVES.items():
        series = [
            plots.Series(line, [_mean(rows[place][key]) for place in places])
            for key, line in lines.items()
            if key in rows[LOOK]
        ]
        if not series:
            continue
        sheets.append(
            Sheet(
                name=f"curve-{what}",
                title=f"Distance of the {what} over the weight of the landmarks",
                caption=f"From {origin}, as in the table. {course}",
                image=plots.plot(places, series, "weight of the landmarks", f"distance of the {what}"),
            )
        )
    return sheets


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan
