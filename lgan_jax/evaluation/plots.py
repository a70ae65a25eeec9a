"""Plots for a report, drawn as the sheets are: uint8 RGB, with OpenCV, on a dark ground."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

from lgan_jax.media.image_grid import FAINT, GROUND, INK, LINE, POINT, TRUE, write

_WIDTH, _HEIGHT = 960, 480
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 40, 56, 64  # margins in pixels
_SMOOTH = 4  # drawn at this many times the size, then averaged down
_TICKS = 5
_STEPS = (1, 2, 2.5, 5, 10)  # round distances between ticks, times a power of ten
COLOURS = ((LINE, POINT), (TRUE, TRUE), ((190, 150, 240), (226, 206, 255)))  # of each line and its points
_LEGEND, _NAME = 330, 270  # where names begin at the earliest, and the most room that one has, in pixels


@dataclasses.dataclass(frozen=True)
class Series:
    """One line.

    Attributes:
      name: for the legend.
      values: one for each place; NaN leaves a gap.
      spread: half the length of the whisker at each; none at all where empty.
      points: single values at each place, such as one of each seed.
    """

    name: str
    values: Sequence[float]
    spread: Sequence[float] = ()
    points: Sequence[Sequence[float]] = ()


def plot(places: Sequence[str], series: Sequence[Series], across: str, up: str) -> UInt8[np.ndarray, "H W 3"]:
    """At most three lines over named places at equal distances.

    Args:
      places: their names.
      series: the first is ours.
      across: what the horizontal axis shows.
      up: what the vertical one shows.

    Raises:
      ValueError: there is no finite value, a series has not as many values as there are places, or there are too
        many series.
    """
    if len(series) > len(COLOURS):
        raise ValueError(f"a plot has room for {len(COLOURS)} lines, not {len(series)}")
    if any(len(each.values) != len(places) for each in series):
        raise ValueError(f"a plot over {len(places)} places needs as many values in each series")
    ticks = _ticks(series)
    canvas = np.full((_HEIGHT * _SMOOTH, _WIDTH * _SMOOTH, 3), GROUND, np.uint8)
    for tick in ticks:
        y = _up(tick, ticks)
        cv2.line(canvas, _at(_LEFT, y), _at(_WIDTH - _RIGHT, y), (44, 47, 54), 2)
    for each, (line, point) in zip(series, COLOURS):
        _draw(canvas, each, line, point, ticks)
    picture = cv2.resize(canvas, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
    for tick in ticks:
        write(picture, f"{tick:g}", 34, round(_up(tick, ticks)) + 6, _LEFT - 40, FAINT)
    for i, name in enumerate(places):
        write(picture, name, round(_across(i, len(places))) - 6 * len(name), _HEIGHT - 36, 120, FAINT)
    write(picture, across, _LEFT, _HEIGHT - 10, _WIDTH - _LEFT - _RIGHT, INK)
    write(picture, up, 12, 26, 300, INK)
    room = min(_NAME, (_WIDTH - _RIGHT - _LEGEND) // len(series))
    for i, (each, (line, _)) in enumerate(zip(series, COLOURS)):
        write(picture, each.name, _WIDTH - _RIGHT - room * (len(series) - i), 26, room - 20, line)
    return picture


def _draw(canvas: np.ndarray, series: Series, line: tuple, point: tuple, ticks: np.ndarray) -> None:
    count = len(series.values)
    shown = [(i, value) for i, value in enumerate(series.values) if np.isfinite(value)]
    places = [_at(_across(i, count), _up(value, ticks)) for i, value in shown]
    for first, second in itertools.pairwise(places):
        cv2.line(canvas, first, second, line, 2 * _SMOOTH, cv2.LINE_AA)
    for (i, value), place in zip(shown, places):
        x = _across(i, count)
        if series.spread:
            ends = [_at(x, _up(value + sign * series.spread[i], ticks)) for sign in (-1, 1)]
            cv2.line(canvas, *ends, line, _SMOOTH, cv2.LINE_AA)
        for each in series.points[i] if series.points else ():
            cv2.circle(canvas, _at(x, _up(each, ticks)), 2 * _SMOOTH, line, -1, cv2.LINE_AA)
        cv2.circle(canvas, place, 4 * _SMOOTH, point, -1, cv2.LINE_AA)


def _ticks(series: Sequence[Series]) -> np.ndarray:
    """Round values below, between and above all that is drawn."""
    values = [np.asarray(each.values, float) for each in series]
    values += [np.asarray(each.values) + sign * np.asarray(each.spread) for each in series if each.spread
               for sign in (-1, 1)]  # fmt: skip
    values += [np.ravel(each.points) for each in series if each.points]
    finite = np.concatenate(values)
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        raise ValueError("there is nothing to plot")
    low, high = finite.min(), finite.max()
    wanted = max(high - low, 1e-9 + 0.01 * abs(high)) / (_TICKS - 1)
    power = 10.0 ** np.floor(np.log10(wanted))
    step = next(power * each for each in _STEPS if power * each >= wanted * (1 - 1e-9))
    return np.arange(np.floor(low / step), np.ceil(high / step) + 1) * step


def _across(i: int, count: int) -> float:
    return _LEFT + (i + 0.5) * (_WIDTH - _LEFT - _RIGHT) / count


def _up(value: float, ticks: np.ndarray) -> float:
    span = max(ticks[-1] - ticks[0], 1e-12)
    return _HEIGHT - _BOTTOM - (value - ticks[0]) / span * (_HEIGHT - _BOTTOM - _TOP)


def _at(x: float | int, y: float) -> tuple[int, int]:
    return round(x * _SMOOTH), round(float(y) * _SMOOTH)
