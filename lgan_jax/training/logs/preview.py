"""`preview.html`: sample images and curves of a run on one static page."""

from __future__ import annotations

import functools
import importlib.resources
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from lgan_jax.files import write_text
from lgan_jax.training.logs import image_history

_WIDTH, _HEIGHT = 240.0, 72.0  # of a curve, in SVG units
_POINTS = 240  # largest number of points of a curve
_SECONDS = 10.0  # between two writes of the page


class Preview:
    """Collects the run's curves and writes the page."""

    def __init__(self, workdir: Path, lines: list[dict[str, Any]]):
        self._workdir = workdir
        self._curves: dict[str, dict[str, dict[str, list[tuple[int, float]]]]] = {}
        self._written = -math.inf
        for line in lines:
            self.add(line)

    def add(self, line: Mapping[str, Any]) -> None:
        """One line of `metrics.jsonl`."""
        for name, value in line["values"].items():
            if value is not None and math.isfinite(value):
                kinds = self._curves.setdefault(line["phase"], {}).setdefault(name, {})
                kinds.setdefault(line["kind"], []).append((line["step"], value))

    def write_if_due(self) -> None:
        """Writes the page if the last write is some seconds old."""
        if time.monotonic() - self._written > _SECONDS:
            self.write(running=True)

    def write(self, running: bool) -> None:
        """Writes the page, which reloads itself while the run is `running`."""
        grids = image_history.history(self._workdir)
        names = list(dict.fromkeys([*self._curves, *grids]))
        phases = [
            {
                "name": name,
                "images": [_image(title, paths) for title, paths in grids.get(name, {}).items()],
                "curves": [_curve(title, kinds) for title, kinds in sorted(self._curves.get(name, {}).items())],
            }
            for name in reversed(names)
        ]
        title = self._workdir.resolve().name
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        page = _template().render(title=title, phases=phases, running=running, written=now, now=int(time.time()))
        write_text(self._workdir / "preview.html", page)
        self._written = time.monotonic()


def _image(title: str, paths: list[Path]) -> dict[str, Any]:
    return {"name": title, "steps": [int(path.stem) for path in paths], "files": [p.as_posix() for p in paths]}


def _curve(title: str, kinds: Mapping[str, list[tuple[int, float]]]) -> dict[str, Any]:
    """One metric's curves in the SVG's units; the axis goes from the smallest to the largest value."""
    points = [point for kind in kinds.values() for point in kind]
    last = max(step for step, _ in points)
    low, high = min(value for _, value in points), max(value for _, value in points)

    def place(point: tuple[int, float]) -> str:
        x = _WIDTH * point[0] / max(last, 1)
        y = _HEIGHT * (1 - (point[1] - low) / (high - low)) if high > low else _HEIGHT / 2
        return f"{x:.1f},{y:.1f}"

    return {
        "name": title,
        "width": _WIDTH,
        "height": _HEIGHT,
        "drawn": {kind: " ".join(map(place, thinned(points))) for kind, points in kinds.items() if len(points) > 1},
        "newest": {kind: f"{points[-1][1]:.4g}" for kind, points in kinds.items()},
        "low": f"{low:.4g}",
        "high": f"{high:.4g}",
        "last": last,
    }


def thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most `_POINTS` points: means over stretches of equal length, and the newest point unchanged."""
    stretch = math.ceil(len(points) / _POINTS)
    if stretch == 1:
        return points
    stretches = [points[i : i + stretch] for i in range(0, len(points) - 1, stretch)]
    means = [(part[len(part) // 2][0], sum(value for _, value in part) / len(part)) for part in stretches]
    return [*means, points[-1]]


@functools.cache
def _template() -> jinja2.Template:
    text = importlib.resources.files(__package__).joinpath("preview.html").read_text("utf-8")
    return jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(text)
