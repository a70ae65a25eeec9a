"""Image grids of the evaluation: generated faces, projections at each weight, and the curves over it."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np

from lgan_jax.evaluation import plots
from lgan_jax.evaluation.harness import Setup
from lgan_jax.evaluation.report import ReportImage, grid
from lgan_jax.media.image_grid import GridRow, draw_landmarks
from lgan_jax.methods.projection.evaluation.metrics import (
    APPEARANCE,
    DETECTOR,
    DLIB,
    FEATURES,
    GROUND_TRUTH,
    IDENTITY,
    LANDMARKS,
    TRUE_LANDMARKS,
    TRUE_MOUTH,
    Measured,
)
from lgan_jax.ops.spacing import evenly_spaced

_ROWS, _COLUMNS = 3, 8  # of the generated faces
_PAIRS = 6  # of the projections


def generated(setup: Setup, measured: Measured) -> ReportImage:
    """Generated faces."""
    images = measured.generated
    indices = evenly_spaced(np.arange(len(images)), _ROWS * _COLUMNS)
    columns = min(_COLUMNS, len(indices))
    starts = range(0, len(indices) - columns + 1, columns)
    rows = [GridRow("", [images[i] for i in indices[start : start + columns]]) for start in starts]
    caption = "Faces of random z, without truncation."
    return grid("generated", "Generated faces", caption, rows, [""] * columns, images.shape[1])


def projections(setup: Setup, measured: Measured) -> ReportImage:
    """Appearance, landmarks, and the projection at each weight, a pair in each row."""
    pairs, info, caption = measured.pairs, setup.data.info, ""
    columns = dict(measured.projected)
    if pairs.ground_truth is not None:
        columns[GROUND_TRUTH] = pairs.ground_truth
        caption = (
            " Last, the ground truth: the person of the first image, rendered with the other's expression and pose."
        )
    rows = []
    for i in evenly_spaced(np.arange(len(pairs.appearance)), _PAIRS):
        drawn = draw_landmarks(pairs.landmarks[i], info.scheme, info.size, on=pairs.others[i])
        rows.append(GridRow("", [pairs.appearance[i], drawn, *(images[i] for images in columns.values())]))
    return grid(
        "projections",
        "Projections of test pairs",
        "The image that gives the appearance, the one that gives the landmarks, and the projection of both at each "
        f"weight of the landmarks.{caption}",
        rows,
        ["appearance", "landmarks", *columns],
        info.size,
    )


def curve(
    setup: Setup, measured: Measured, *, what: str, origin: str, expected: str, lines: Mapping[str, str]
) -> ReportImage | None:
    """Metrics over the weight, from one end to the other; None where none of them was measured."""
    rows = {name: measured.rows[name] for name in measured.projected}
    ordered = [APPEARANCE, *(each for each in rows if each not in (APPEARANCE, LANDMARKS)), LANDMARKS]
    series = [
        plots.Series(label, [_mean(rows[each][key]) for each in ordered])
        for key, label in lines.items()
        if key in rows[APPEARANCE]
    ]
    if not series:
        return None
    return plots.plot(
        f"curve-{what}",
        f"Distance of the {what} over the weight of the landmarks",
        f"From {origin}, as in the table. {expected}",
        ordered,
        series,
        "weight of the landmarks",
        f"distance of the {what}",
    )


CURVES = tuple(
    functools.partial(curve, what=what, origin=origin, expected=expected, lines=lines)
    for what, origin, expected, lines in (
        ("landmarks", "those of the landmark image", "It should fall with the weight of the landmarks.",
         {DETECTOR: "detector", DLIB: "dlib"}),
        ("appearance", "that of the appearance image",
         "It rises with the weight of the landmarks; it should stay low for long.",
         {FEATURES: "features", IDENTITY: "identity (dlib)"}),
        ("expression", "the ground truth",
         "It should fall with the weight of the landmarks, until the appearance is lost.",
         {TRUE_LANDMARKS: "landmarks (dlib)", TRUE_MOUTH: "mouth (difference)"}),
    )
)  # fmt: skip


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan
