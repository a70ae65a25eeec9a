"""Reads OpenFace's CSV tables of action units.

FaceLandmarkImg writes a table for each image (`face, confidence, …`; a row is a face) and FeatureExtraction one for
each sequence (`frame, face_id, timestamp, confidence, success, …`; a row is a frame). Users of GANimation often have
one merged table of all images, with a column of image names. Required are `AU01_r` to `AU45_r`, intensities from 0 to
5; `confidence`, `success` and the landmarks `x_0` to `y_67` (pixels of OpenFace's input image) are used if
present, and other columns are ignored. Early versions put spaces after the commas.
Source: Baltrušaitis et al., "OpenFace 2.0: Facial Behavior Analysis Toolkit", FG 2018, and its documentation.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float

from lgan_jax import action_units
from lgan_jax.data.builders import base

HIGHEST = 5.0  # of OpenFace's intensities
IMAGE_COLUMNS = ("image", "image_name", "file", "file_name", "filename", "img", "name", "path")
_POINTS = 68
_NO_UNITS = np.zeros(len(action_units.NUMBERS), np.float32)
_NO_UNITS.setflags(write=False)

Kind = Literal["image", "sequence", "merged"]


def column(number: int) -> str:
    """OpenFace's name of an action unit's intensity."""
    return f"AU{number:02d}_r"


class NoUnits(ValueError):
    """Raised for a table without any column of action units."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One face in a table.

    Attributes:
      where: table and line, for messages.
      image: the image's name in a merged table.
      face, frame: numbers of the face in the image or sequence, and of the sequence's frame; 0 where there is none.
      units: float32 `(17,)` in [0, 1]; zeros for a row with a fault.
      landmarks: float32 `(68, 2)` in pixels with 0 at the center of the first one; None where the table has no
        landmarks.
      fault: why the row cannot be used; empty where it is usable.
    """

    where: str
    image: str
    face: int
    frame: int
    units: np.ndarray
    landmarks: np.ndarray | None
    fault: str


@dataclasses.dataclass(frozen=True)
class Table:
    """A table's kind and rows: "image" for FaceLandmarkImg's, "sequence" for FeatureExtraction's."""

    path: Path
    kind: Kind
    rows: Sequence[Row]


def read_table(path: Path, confidence: float = 0.0, required: Collection[int] = action_units.NUMBERS) -> Table:
    """Reads a table; lines that begin with # are comments.

    Args:
      path: of the CSV file.
      confidence: rows with a lower confidence get a fault.
      required: units whose columns are required; missing other columns are read as 0.

    Raises `ValueError`, one line, for a file that cannot be read or lacks a column, `NoUnits` where it has no action
    units.
    """
    lines = enumerate(base.read_lines(path), 1)
    lines = [(number, line) for number, line in lines if line.strip() and not line.startswith("#")]
    rows = csv.reader((line for _, line in lines), skipinitialspace=True)
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        missing = [column(number) for number in required if column(number).lower() not in header]
        if missing:
            kind = NoUnits if len(missing) == len(required) else ValueError
            raise kind(f"{path} is no whole table of OpenFace's action units: it has no {', '.join(missing)}")
        reader = _Reader(path.name, header, confidence)
        return Table(path, reader.kind, [reader.row(lines[rows.line_num - 1][0], fields) for fields in rows])
    except csv.Error as error:
        raise ValueError(f"{path} is no CSV table: {error}") from error


class _Reader:
    """Makes rows of one table."""

    def __init__(self, name: str, columns: Sequence[str], confidence: float):
        header = {column: place for place, column in enumerate(columns)}
        self._name, self._header, self._width, self._confidence = name, header, len(columns), confidence
        self._image = next((header[wanted] for wanted in IMAGE_COLUMNS if wanted in header), None)
        self._units = [header.get(column(number).lower()) for number in action_units.NUMBERS]
        points = [f"{axis}_{i}" for i in range(_POINTS) for axis in "xy"]
        self._points = [header[name] for name in points] if all(name in header for name in points) else None
        self.kind: Kind = "merged" if self._image is not None else "sequence" if "frame" in header else "image"

    def row(self, line: int, fields: Sequence[str]) -> Row:
        """The row of these fields, with a fault where it cannot be used."""
        units, landmarks, fault = _NO_UNITS, None, ""
        try:
            self._check(fields)
            units = self._intensities(fields)
            if self._points is not None:
                landmarks = np.array([_number(fields[i]) for i in self._points], np.float32).reshape(-1, 2)
        except base.Unusable as error:
            fault = str(error)
        name = fields[self._image].strip() if self._image is not None and self._image < len(fields) else ""
        face = self._count(fields, "face_id") if "face_id" in self._header else self._count(fields, "face")
        return Row(f"{self._name}:{line}", name, face, self._count(fields, "frame"), units, landmarks, fault)

    def _check(self, fields: Sequence[str]) -> None:
        if len(fields) != self._width:
            raise base.Unusable("row with a field missing or too many")
        if "success" in self._header and not _number(fields[self._header["success"]]):
            raise base.Unusable("OpenFace found no face (success 0)")
        if "confidence" in self._header and _number(fields[self._header["confidence"]]) < self._confidence:
            raise base.Unusable(f"OpenFace's confidence is below {self._confidence:g}")

    def _intensities(self, fields: Sequence[str]) -> np.ndarray:
        values = np.array([0.0 if place is None else _number(fields[place]) for place in self._units], np.float32)
        if values.min() < 0 or values.max() > HIGHEST:
            raise base.Unusable(f"action units are not between 0 and {HIGHEST:g}")
        return values / np.float32(HIGHEST)

    def _count(self, fields: Sequence[str], name: str) -> int:
        place = self._header.get(name)
        if place is None or place >= len(fields):
            return 0
        try:
            return int(float(fields[place]))
        except (ValueError, OverflowError):
            return 0


def _number(field: str) -> float:
    """A finite number. Raises `Unusable` for anything else."""
    try:
        value = float(field)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise base.Unusable("row with a field that is not a number")
    return value


def table_text(images: Sequence[str], units: Float[np.ndarray, "n k"], numbers: Sequence[int], note: str) -> str:
    """Formats a merged table for `read_table`: intensities in [0, 1] of units `numbers`, after a comment line."""
    lines = [f"# {note}", ",".join(["image", *map(column, numbers)])]
    for image, row in zip(images, units, strict=True):
        lines.append(",".join([image, *(f"{HIGHEST * value:.3f}" for value in row)]))
    return "".join(f"{line}\n" for line in lines)
