"""A finished evaluation: `index.html` with its pictures beside it, `metrics.json`, and the same on a terminal."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import json
import os
import time
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
from lgan_jax.data import FaceData, kept
from lgan_jax.evaluation.tables import Table, show
from lgan_jax.media.images import encode_png

PAGE, FIGURES = "index.html", "metrics.json"
BUILT_IN = "Measured on the built-in faces, which the library draws: no figure here is one of real faces."
_PLAIN_WIDTH = 80


@dataclasses.dataclass(frozen=True)
class Sheet:
    """A picture of the report.

    Attributes:
      name: its file is `<name>.png`.
      title: its heading.
      caption: what one sees, and what to look for.
      image: uint8 RGB.
    """

    name: str
    title: str
    caption: str
    image: UInt8[ndarray, "H W 3"]


@dataclasses.dataclass(frozen=True)
class Report:
    """Everything that an evaluation found.

    Attributes:
      title: the method and what was evaluated.
      verdict: one sentence that the figures decide.
      good: whether the verdict is a good one; None where there was nothing to compare with.
      warnings: what a reader must know before reading a figure.
      facts: data, weights, device and the like, in the order they are shown.
      tables: the figures.
      sheets: the pictures.
      details: more for `metrics.json` alone (settings, figures by pair …); must be JSON.
    """

    title: str
    verdict: str
    good: bool | None
    warnings: Sequence[str]
    facts: Mapping[str, str]
    tables: Sequence[Table]
    sheets: Sequence[Sheet]
    details: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """What `metrics.json` holds."""
        return {
            "title": self.title,
            "verdict": self.verdict,
            "good": self.good,
            "warnings": list(self.warnings),
            "facts": dict(self.facts),
            "tables": {table.key: table.as_json() for table in self.tables},
            "pictures": [f"{sheet.name}.png" for sheet in self.sheets],
            **self.details,
        }


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """An evaluation on its way to its report.

    Attributes:
      data: whose test split is measured.
      settings: of the evaluation.
      out: the report's folder, made if missing.
      about: more facts to show with the figures, such as which weights these are.
      start: when it began, by `time.monotonic`.
    """

    data: FaceData
    settings: Any
    out: Path
    about: Mapping[str, str] = dataclasses.field(default_factory=dict)
    start: float = dataclasses.field(default_factory=time.monotonic)

    def finish(
        self,
        *,
        measured: str,
        warnings: Sequence[str] = (),
        facts: Mapping[str, str] | None = None,
        called: str = "pictures",
        details: Mapping[str, Any] | None = None,
        **parts: Any,
    ) -> Report:
        """Writes the report, and returns it.

        Args:
          measured: what of the data was measured.
          warnings: what a reader must know, beside that faces are built-in ones.
          facts: more of the data.
          called: what the data's pictures are called.
          details: more for `metrics.json` alone.
          parts: the report's `title`, `verdict`, `good`, `tables` and `sheets`.
        """
        data, seconds = self.data, time.monotonic() - self.start
        made = Report(
            warnings=[*([BUILT_IN] if data.built_in else []), *warnings],
            facts={
                "Data": f"{data.name}; {data.counted(called)}",
                **(facts or {}),
                "Measured on": measured,
                **({"Notes": "; ".join(data.notes)} if data.notes else {}),
                **self.about,
                **surroundings(),
                "Time": f"{seconds:.0f} s",
            },
            details={
                "settings": dataclasses.asdict(self.settings),
                "data": kept.described(data, data.info) | {"notes": list(data.notes), **data.counts},
                "seconds": round(seconds, 1),
                **(details or {}),
            },
            **parts,
        )
        write(made, self.out)
        return made


def write(report: Report, out: Path) -> Path:
    """Writes the pictures, `metrics.json` and last `index.html` into `out` (made if missing); returns the page's path.

    A file is replaced at once, so that a report that cannot be finished leaves no half-written file behind.
    Raises `OSError` where the disk refuses.
    """
    files.make_folder(out)
    for sheet in report.sheets:
        files.write_bytes(out / f"{sheet.name}.png", encode_png(sheet.image))
    text = json.dumps(report.as_json(), indent=2, ensure_ascii=False, allow_nan=False)
    files.write_bytes(out / FIGURES, text.encode() + b"\n")
    files.write_bytes(out / PAGE, page(report).encode())
    return out / PAGE


def page(report: Report) -> str:
    """The report as HTML: one file, nothing loaded from elsewhere but the pictures beside it."""
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
    """Raises `ValueError` where a model's data differs in scheme, size (or `identities`), or has few test pictures."""
    for what, ours, theirs in (
        ("landmark scheme", info.scheme.name, data.info.scheme.name),
        ("picture size", info.size, data.info.size),
        ("identities", info.identities, data.info.identities if identities else info.identities),
    ):
        if ours != theirs:
            raise ValueError(f"the model's {what} ({ours}) is not the data's ({theirs}); give the data of its run")
    if len(data.test) < least:
        raise ValueError(f"{data.name}: the test split has {len(data.test)} pictures; it needs at least {least}")


def surroundings() -> dict[str, str]:
    """Where and when figures were made: device, library, date."""
    device = jax.devices()[0]
    cores = f", {os.cpu_count()} cores" if device.platform == "cpu" else ""
    return {
        "Device": f"{len(jax.local_devices())} × {device.device_kind} ({device.platform}{cores})",
        "Library": f"lgan_jax {importlib.metadata.version('lgan_jax')}, JAX {jax.__version__}",
        "Date": datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
    }
