"""Evaluation of a landmark detector: NME, failure rate and AUC at 0.10, for all images and by attribute."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from lgan_jax.action_units import EXPRESSIONS
from lgan_jax.config import within
from lgan_jax.data.builders.wflw import ATTRIBUTES
from lgan_jax.evaluation.harness import Evaluation, Setup
from lgan_jax.evaluation.report import ReportImage, grid
from lgan_jax.evaluation.tables import Column, Table, Values, measured_rows, scalar
from lgan_jax.media.image_grid import LINE, POINT, TARGET, GridRow, cell_side, trace
from lgan_jax.media.images import resized, to_floats
from lgan_jax.metrics.alignment import THRESHOLD, Alignment, by_attribute
from lgan_jax.metrics.lmk import checked_nme
from lgan_jax.ops.spacing import evenly_spaced

_CHUNK = 32
_SHOWN = 6  # number of best and of worst images in the grid
_LARGE_YAW, _LARGE_PITCH = 20.0, 12.0  # degrees: where a built-in face counts as "large pose"

_COLUMNS = (
    Column("nme", "NME", "mean distance of a landmark from the ground truth, divided by that of the outer eye "
           "corners; mean over images", "lower", 2, True),
    Column("failure_rate", "failures", f"share of images whose error is above {THRESHOLD:.0%}", "lower", 2, True),
    Column("auc", "AUC", f"area under the curve of cumulative errors up to {THRESHOLD:.0%}; 1 is best", "higher", 4),
    Column("count", "images", "number of images with the attribute", "neither", 0),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the evaluation.

    Attributes:
      frames: largest number of test images, evenly spaced (WFLW's test split has 2,500).
    """

    frames: int = 2500

    def __post_init__(self) -> None:
        within(self, 1, math.inf, "frames")


class Measured(NamedTuple):
    """Indices into the test split, the NME of each image, and NME, failure rate and AUC by attribute."""

    indices: np.ndarray
    errors: np.ndarray
    groups: Mapping[str, Alignment]


def measure(setup: Setup) -> Measured:
    """Measures the detector on the test split; there is no baseline."""
    data = setup.data
    indices = evenly_spaced(np.arange(len(data.test)), setup.settings.frames)
    errors, flags = [], []
    for start in range(0, len(indices), _CHUNK):
        records = [data.test[int(index)] for index in indices[start : start + _CHUNK]]
        errors.append(
            checked_nme(_detected(setup, records), np.stack([each["landmarks"] for each in records]), data.info.scheme)
        )
        flags += [dict(_attributes(record)) for record in records]
    found = np.concatenate(errors)
    groups = by_attribute(found, {name: np.array([flag[name] for flag in flags]) for name in flags[0]})
    return Measured(indices, found, groups)


def _detected(setup: Setup, records: list[Mapping[str, np.ndarray]]) -> np.ndarray:
    return np.asarray(setup.model.detect(to_floats(np.stack([record["image"] for record in records]))), np.float32)


def _attributes(record: Mapping[str, np.ndarray]) -> Iterator[tuple[str, bool]]:
    """WFLW's six attributes, or those of built-in faces; none for other data."""
    if "attributes" in record:
        yield from zip(ATTRIBUTES, record["attributes"].tolist(), strict=True)
    elif "pose" in record:
        yaw, pitch, _ = np.abs(record["pose"])
        yield "large pose", bool(yaw > _LARGE_YAW or pitch > _LARGE_PITCH)
        yield "expression", int(record["expression"]) != EXPRESSIONS.index("neutral")


def _measured_images(setup: Setup, measured: Measured) -> str:
    return f"{len(measured.indices)} test images of {setup.size}"


def alignment(setup: Setup, measured: Measured) -> Table:
    """Table of all images, and of the images with each attribute."""
    rows: dict[str, Values] = {}
    for name, group in measured.groups.items():
        values = dataclasses.asdict(group)
        rows[name] = {k: scalar(value, group.count, group.count) for k, value in values.items() if value is not None}
    return Table(
        key="alignment",
        title="Alignment",
        about=f"{_measured_images(setup, measured)}.",
        columns=_COLUMNS,
        rows=measured_rows(rows, _COLUMNS),
        compare=False,
    )


def best_and_worst(setup: Setup, measured: Measured) -> ReportImage:
    """The images with the smallest and the largest errors."""
    info, order = setup.data.info, np.argsort(measured.errors, kind="stable")
    count, side, rows = min(_SHOWN, len(order)), cell_side(info.size), []
    for heading, chosen in (("best", order[:count]), ("worst", order[::-1][:count])):
        records = [setup.data.test[int(index)] for index in measured.indices[chosen]]
        cells = []
        for record, points in zip(records, _detected(setup, records)):
            image = trace(resized(record["image"], side), record["landmarks"], info.scheme, TARGET, TARGET)
            cells.append(trace(image, points, info.scheme, LINE, POINT))
        rows.append(GridRow(heading, cells, [f"NME {measured.errors[i]:.1%}" for i in chosen]))
    caption = "Amber: the ground truth. Teal: the detected landmarks."
    return grid("best-and-worst", "Best and worst", caption, rows, [""] * count, info.size)


def _verdict(setup: Setup, measured: Measured) -> tuple[str, None]:
    error = measured.groups["all"].nme
    return f"Mean error {error:.2%} of the distance between the eyes, over {_measured_images(setup, measured)}.", None


def _measured_on(setup: Setup, measured: Measured) -> str:
    scheme = setup.data.info.scheme
    return f"{_measured_images(setup, measured)}, {scheme.count} landmarks ({scheme.name})"


EVALUATION = Evaluation(
    title="Landmark detector",
    measure=measure,
    measured_on=_measured_on,
    tables=(alignment,),
    images=(best_and_worst,),
    verdict=_verdict,
)
evaluate = EVALUATION.run
