"""Sample images and curves of a run: one PNG a step, and `preview.html`, a static page that shows them.

An image is `images/<phase>/<name>/<step>.png` in the run's folder.
"""

from __future__ import annotations

import functools
import importlib.resources
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np

from lgan_jax import files

_GUTTER = 2  # pixels between the cells of an image grid
_PAPER = 250  # gray level of the gutters
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
        grids = image_history(self._workdir)
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
        files.write_text(self._workdir / "preview.html", page)
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


def image_grid(images: np.ndarray) -> np.ndarray:
    """Tiles `(rows, columns, H, W, 3)` in [-1, 1] into one uint8 RGB image grid with thin gutters.

    Raises `ValueError` for other shapes.
    """
    if images.ndim != 5 or images.shape[-1] != 3:
        raise ValueError(f"images must be (rows, columns, H, W, 3), not {images.shape}")
    rows, columns, height, width, _ = images.shape
    cells = np.round((np.clip(images.astype(np.float32), -1, 1) + 1) * 127.5).astype(np.uint8)
    padded = np.full((rows, columns, height + _GUTTER, width + _GUTTER, 3), _PAPER, np.uint8)
    padded[:, :, :height, :width] = cells
    tiled = padded.swapaxes(1, 2).reshape(rows * (height + _GUTTER), columns * (width + _GUTTER), 3)
    return tiled[:-_GUTTER, :-_GUTTER]


def save_image(folder: Path, step: int, image: np.ndarray) -> None:
    """Writes a uint8 RGB image of step `step` into `folder`. Raises `OSError` if it cannot be written."""
    files.make_folder(folder)
    _, png = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    files.write_bytes(folder / f"{step:08d}.png", png.tobytes())


def rewind_images(folder: Path, step: int) -> None:
    """Removes the images of a phase (all names) after `step`."""
    for path in folder.glob("*/*.png"):
        if int(path.stem) > step:
            path.unlink()


def image_history(workdir: Path) -> dict[str, dict[str, list[Path]]]:
    """Phase → name → paths relative to the run's folder, oldest step first."""
    found: dict[str, dict[str, list[Path]]] = {}
    for path in sorted((workdir / "images").glob("*/*/*.png")):
        names = found.setdefault(path.parts[-3], {})
        names.setdefault(path.parts[-2], []).append(path.relative_to(workdir))
    return found


@functools.cache
def _template() -> jinja2.Template:
    text = importlib.resources.files(__package__).joinpath("preview.html").read_text("utf-8")
    return jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(text)
