"""Evaluation of a landmark detector: NME, failure rate and AUC at 0.10, for all pictures and by attribute."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from lgan_jax.action_units import EXPRESSIONS
from lgan_jax.core import FaceInfo
from lgan_jax.data import FaceData
from lgan_jax.data.builders.wflw import ATTRIBUTES
from lgan_jax.data.kept import evenly
from lgan_jax.evaluation import report
from lgan_jax.evaluation.tables import Column, Table
from lgan_jax.evaluation.tables import Row as Line
from lgan_jax.media.image_grid import LINE, POINT, TRUE, Row, cell_side, sheet, trace
from lgan_jax.media.images import resized, to_floats
from lgan_jax.metrics.alignment import THRESHOLD, Alignment, by_attribute, nme
from lgan_jax.metrics.summary import Figure

_CHUNK = 32
_CASES = 6  # best and worst pictures shown of each
_LARGE_YAW, _LARGE_PITCH = 20.0, 12.0  # degrees: where a built-in face counts as "large pose"

_COLUMNS = (
    Column("nme", "NME", "mean distance of a landmark from its place over the distance between the outer eye corners; "
           "mean over pictures", "lower", 2, True),
    Column("failure_rate", "failures", f"share of pictures whose error is above {THRESHOLD:.0%}", "lower", 2, True),
    Column("auc", "AUC", f"area under the curve of cumulative errors up to {THRESHOLD:.0%}; 1 is best", "higher", 4),
    Column("count", "pictures", "how many pictures have the attribute", "neither", 0),
)  # fmt: skip


@runtime_checkable
class Model(Protocol):
    """What an evaluation needs of a trained detector."""

    @property
    def info(self) -> FaceInfo:
        """Scheme, size and identities of its data."""

    def detect(self, images: Any) -> Any:
        """Landmarks `(n, N, 2)` in [0, 1] of pictures `(n, H, W, 3)` in [-1, 1]."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much is looked at.

    Attributes:
      frames: test pictures that are measured at most, evenly spaced (WFLW's test split has 2,500).
    """

    frames: int = 2500

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"frames must be at least 1, not {self.frames}")


def evaluate(
    model: Model, data: FaceData, settings: Settings, out: Path, about: Mapping[str, str] | None = None
) -> report.Report:
    """Measures the detector on test pictures and writes the report into the folder `out`.

    Args:
      model: finds landmarks.
      data: its test split is measured.
      settings: how much is looked at.
      out: the report's folder, made if missing.
      about: more facts to show with the figures, such as which weights these are.

    Raises:
      ValueError: the model and the data differ in scheme or size, or there is no test picture.
      OSError: the report cannot be written.
    """
    evaluation = report.Evaluation(data, settings, out, about or {})
    report.check(model.info, data)
    places = evenly(np.arange(len(data.test)), settings.frames)
    errors, flags = _measure(model, data, places)
    groups = by_attribute(errors, flags)
    size = f"{len(places)} test pictures of {data.info.size}×{data.info.size} pixels"
    return evaluation.finish(
        title="Landmark detector",
        verdict=f"Mean error {groups['all'].nme:.2%} of the distance between the eyes, over {size}.",
        good=None,
        measured=f"{size}, {data.info.scheme.count} landmarks ({data.info.scheme.name})",
        tables=[
            Table(
                key="alignment",
                title="Alignment",
                about=f"{size}.",
                columns=_COLUMNS,
                rows=[Line(name, _figures(group)) for name, group in groups.items()],
                compare=False,
            )
        ],
        sheets=[_cases(model, data, places, errors)],
    )


def _measure(model: Model, data: FaceData, places: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """NME `(n,)` of each picture, and which attributes it has."""
    errors, flags = [], []
    for start in range(0, len(places), _CHUNK):
        records = [data.test[int(place)] for place in places[start : start + _CHUNK]]
        true = np.stack([record["landmarks"] for record in records])
        found = np.asarray(model.detect(to_floats(np.stack([record["image"] for record in records]))), np.float32)
        errors.append(nme(found, true, data.info.scheme))
        flags += [dict(_attributes(record)) for record in records]
    return np.concatenate(errors), {name: np.array([flag[name] for flag in flags]) for name in flags[0]}


def _attributes(record: Mapping[str, np.ndarray]) -> Iterator[tuple[str, bool]]:
    """WFLW's six, or what the built-in faces record; nothing for other data."""
    if "attributes" in record:
        yield from zip(ATTRIBUTES, record["attributes"].tolist(), strict=True)
    elif "pose" in record:
        yaw, pitch, _ = np.abs(record["pose"])
        yield "large pose", bool(yaw > _LARGE_YAW or pitch > _LARGE_PITCH)
        yield "expression", int(record["expression"]) != EXPRESSIONS.index("neutral")


def _figures(group: Alignment) -> dict[str, Figure]:
    """The figures of a group, with its number of pictures."""
    values = dataclasses.asdict(group)
    return {
        key: Figure(float(value), None, group.count, group.count) for key, value in values.items() if value is not None
    }


def _cases(model: Model, data: FaceData, places: np.ndarray, errors: np.ndarray) -> report.Sheet:
    order = np.argsort(errors, kind="stable")
    count = min(_CASES, len(order))
    side = cell_side(data.info.size)
    rows = []
    for heading, chosen in (("best", order[:count]), ("worst", order[::-1][:count])):
        records = [data.test[int(place)] for place in places[chosen]]
        found = np.asarray(model.detect(to_floats(np.stack([record["image"] for record in records]))))
        cells = []
        for record, points in zip(records, found):
            picture = trace(resized(record["image"], side), record["landmarks"], data.info.scheme, TRUE, TRUE)
            cells.append(trace(picture, points, data.info.scheme, LINE, POINT))
        rows.append(Row(heading, cells, [f"NME {errors[i]:.1%}" for i in chosen]))
    return report.Sheet(
        name="cases",
        title="Best and worst",
        caption="Amber: where the landmarks are. Teal: where the detector finds them.",
        image=sheet(rows, [""] * count, data.info.size),
    )
