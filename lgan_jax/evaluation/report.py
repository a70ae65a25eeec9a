"""The report of an evaluation: `index.html` with its images, `metrics.json`, and the same on a terminal."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jinja2
import rich.console
import rich.text
from jaxtyping import UInt8
from numpy import ndarray

from lgan_jax import files
from lgan_jax.core import FaceInfo
from lgan_jax.data import FaceData
from lgan_jax.evaluation.tables import Table, show
from lgan_jax.media.image_grid import GridRow, image_grid
from lgan_jax.media.images import encode_png

PAGE, METRICS = "index.html", "metrics.json"
_PLAIN_WIDTH = 80


@dataclasses.dataclass(frozen=True)
class ReportImage:
    """An image grid or a plot of the report.

    Attributes:
      name: its file is `<name>.png`.
      title: its heading.
      caption: what it shows, and what to look for.
      image: uint8 RGB.
    """

    name: str
    title: str
    caption: str
    image: UInt8[ndarray, "H W 3"]


@dataclasses.dataclass(frozen=True)
class Report:
    """All results of an evaluation.

    Attributes:
      title: the method and what was evaluated.
      verdict: one sentence that the metrics decide.
      good: whether the verdict is a good one; None where there was nothing to compare with.
      warnings: what a reader must know before reading a metric.
      facts: data, weights, device and the like, in the order they are shown.
      tables: the metrics.
      images: image grids and plots.
      details: more for `metrics.json` alone (settings, metrics by pair …); must be JSON.
    """

    title: str
    verdict: str
    good: bool | None
    warnings: Sequence[str]
    facts: Mapping[str, str]
    tables: Sequence[Table]
    images: Sequence[ReportImage]
    details: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The content of `metrics.json`."""
        return {
            "title": self.title,
            "verdict": self.verdict,
            "good": self.good,
            "warnings": list(self.warnings),
            "facts": dict(self.facts),
            "tables": {table.key: table.as_json() for table in self.tables},
            "images": [f"{each.name}.png" for each in self.images],
            **self.details,
        }


def grid(
    name: str, title: str, caption: str, rows: Sequence[GridRow], columns: Sequence[str], size: int
) -> ReportImage:
    """An image grid with its caption; see `media.image_grid.image_grid`."""
    return ReportImage(name, title, caption, image_grid(rows, columns, size))


def write(report: Report, out: Path) -> Path:
    """Writes the images, `metrics.json` and last `index.html` into `out` (created if missing); returns the page's path.

    A file is replaced at once, so that an interrupted report leaves no half-written file behind.
    Raises `OSError` where the disk refuses.
    """
    files.make_folder(out)
    for each in report.images:
        files.write_bytes(out / f"{each.name}.png", encode_png(each.image))
    text = json.dumps(report.as_json(), indent=2, ensure_ascii=False, allow_nan=False)
    files.write_bytes(out / METRICS, text.encode() + b"\n")
    files.write_bytes(out / PAGE, page(report).encode())
    return out / PAGE


def page(report: Report) -> str:
    """The report as HTML: one file, which loads nothing but the images beside it."""
    loader = jinja2.PackageLoader("lgan_jax", "evaluation")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html").render(report=report)


def show_report(report: Report, console: rich.console.Console | None = None) -> None:
    """Prints verdict, warnings and tables. Plain text of at most 80 columns where the output is not a terminal."""
    if console is None:
        console = rich.console.Console(highlight=False)
    if not console.is_terminal:
        console = rich.console.Console(file=console.file, width=_PLAIN_WIDTH, highlight=False, no_color=True)
    console.print(rich.text.Text(report.title, "bold"))
    for name, value in report.facts.items():
        console.print(rich.text.Text(f"{name}: {value}"))
    for warning in report.warnings:
        console.print(rich.text.Text(f"Note: {warning}", "yellow"))
    console.print()
    for table in report.tables:
        show(table, console)
    style = {True: "bold green", False: "bold yellow", None: "bold"}[report.good]
    console.print(rich.text.Text(report.verdict, style))


def check(info: FaceInfo, data: FaceData, *, least: int = 1, identities: bool = False) -> None:
    """Raises `ValueError` where a model's data differ in scheme, size (or `identities`), or have few test images."""
    for what, ours, theirs in (
        ("landmark scheme", info.scheme.name, data.info.scheme.name),
        ("image size", info.size, data.info.size),
        ("identities", info.identities, data.info.identities if identities else info.identities),
    ):
        if ours != theirs:
            raise ValueError(f"the model's {what} ({ours}) is not the data's ({theirs}); give the data of its run")
    if len(data.test) < least:
        raise ValueError(f"{data.name}: the test split has {len(data.test)} images; it needs at least {least}")


def surroundings() -> dict[str, str]:
    """Where and when the metrics were measured: device, library, date."""
    device = jax.devices()[0]
    cores = f", {os.cpu_count()} cores" if device.platform == "cpu" else ""
    return {
        "Device": f"{len(jax.local_devices())} × {device.device_kind} ({device.platform}{cores})",
        "Library": f"lgan_jax {importlib.metadata.version('lgan_jax')}, JAX {jax.__version__}",
        "Date": datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
    }
