"""Line plots for a report, by matplotlib, which is imported where a plot is drawn."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from lgan_jax.evaluation.report import ReportImage


@dataclasses.dataclass(frozen=True)
class Series:
    """One line.

    Attributes:
      name: for the legend.
      values: one for each label; the line passes over NaN.
      deviation: half the length of the error bar at each; empty for none.
      points: single values at each label, such as one of each seed.
    """

    name: str
    values: Sequence[float]
    deviation: Sequence[float] = ()
    points: Sequence[Sequence[float]] = ()


def plot(
    name: str, title: str, caption: str, labels: Sequence[str], series: Sequence[Series], x_label: str, y_label: str
) -> ReportImage:
    """Lines over labels at equal distances; the model's own comes first."""
    return ReportImage(name, title, caption, line_plot(labels, series, x_label, y_label))


def line_plot(
    labels: Sequence[str], series: Sequence[Series], x_label: str, y_label: str
) -> UInt8[np.ndarray, "480 960 3"]:
    """The image of such a plot. Uses no global state of matplotlib, so threads may draw at once."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 4.8), dpi=100, layout="constrained")
    canvas, axes = FigureCanvasAgg(figure), figure.add_subplot()
    for each in series:
        values = np.asarray(each.values, float)
        known = np.flatnonzero(np.isfinite(values))
        bars = np.asarray(each.deviation, float)[known] if len(each.deviation) else None
        line = axes.errorbar(known, values[known], bars, marker="o", capsize=4, label=each.name)
        for i, points in enumerate(each.points):
            axes.plot([i] * len(points), points, ".", color=line[0].get_color(), markersize=4)
    axes.set_xticks(range(len(labels)), labels)
    axes.set(xlabel=x_label, ylabel=y_label, xlim=(-0.5, len(labels) - 0.5))
    axes.grid(axis="y", alpha=0.3)
    axes.legend()
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
