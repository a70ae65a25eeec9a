"""What is painted on the skin without sharp edges, at a low resolution: color, shade, folds, beard."""

from __future__ import annotations

import functools

import numpy as np

from lgan_jax.data.synthetic.canvas import FaceCanvas, Place, oval
from lgan_jax.data.synthetic.features import JAW_DROP, smooth
from lgan_jax.data.synthetic.parameters import Sample
from lgan_jax.data.synthetic.people import Person

_SIDE = 160


def paint(sample: Sample, points: np.ndarray, place: Place) -> np.ndarray:
    """Reflectance `(160, 160, 3)` of the skin on the front of the head's chart; `points` as in `features.points`."""
    skin = np.asarray(sample.person.skin, np.float32)
    canvas = FaceCanvas(place, np.broadcast_to(skin, (_SIDE, _SIDE, 3)).copy())
    _tint(canvas, sample)
    _beard(canvas, sample.person, points, JAW_DROP * sample.unit(26))
    folds = FaceCanvas(place, np.zeros((_SIDE, _SIDE, 1), np.float32))
    for right in (True, False):
        _fold_side(folds, sample, points, right)
    _fold_forehead_and_chin(folds, sample)
    painted = canvas.image * (1 - folds.image * np.float32([0.5, 0.58, 0.6]))
    return skin + _inner() * (painted - skin)


@functools.cache
def _inner() -> np.ndarray:
    """1 `(160, 160, 1)`, falling to 0 at the edge, beyond which skin goes on without paint."""
    line = np.abs(2 * (np.arange(_SIDE) + 0.5) / _SIDE - 1)
    return np.clip((0.96 - np.maximum(line, line[:, None])) / 0.08, 0, 1).astype(np.float32)[..., None]


def _tint(canvas: FaceCanvas, sample: Sample) -> None:
    """Redder cheeks and nose; shade around the eyes, under the nose and under the lip."""
    who = sample.person
    skin = np.asarray(who.skin)
    red, shade = skin * (1.0, 0.72, 0.70), skin * (0.66, 0.56, 0.55)
    for sign in (-1, 1):
        canvas.fill(oval((sign * 0.46, -0.36 + 0.03 * sample.unit(12)), (0.17, 0.13)), red, 0.32 * who.blush, 0.09)
        canvas.fill(oval((sign * 0.345, 0.03), (0.2, 0.10)), shade, 0.32 + 0.2 * who.lashes, 0.05)
        canvas.fill(oval((sign * 0.33, -0.085), (0.15, 0.03)), shade, 0.25 + 0.3 * who.age, 0.03)
    canvas.fill(oval((0, -0.44), (0.13, 0.09)), red, 0.22, 0.05)
    canvas.fill(oval((0, -0.625), (0.14, 0.02)), shade, 0.3, 0.03)
    canvas.fill(oval((0, -0.99 - JAW_DROP * sample.unit(26)), (0.15, 0.018)), shade, 0.4, 0.03)


def _beard(canvas: FaceCanvas, who: Person, points: np.ndarray, drop: float) -> None:
    colour = 0.5 * np.asarray(who.brow) + 0.35 * np.asarray(who.hair)
    x, y = np.abs(points[[76, 82], 0]).mean(), points[[76, 82], 1].mean()
    if who.beard > 0:
        half = [(0.80, 0.05), (0.70, -0.25), (0.60, -0.55), (x + 0.14, y + 0.10), (x + 0.02, y - 0.03)]
        half = np.array([*half, (0.22, -0.98 - drop), (0.1, -0.96 - drop), (0.0, -0.96 - drop)])
        low = np.array([(0.0, -1.5 - drop), (0.4, -1.4 - drop), (0.62, -1.0), (0.78, -0.6), (0.85, 0.0)])
        edge = np.concatenate([half, half[::-1] * (-1, 1), low[::-1] * (-1, 1), low])
        canvas.fill(edge, colour, 0.72 * min(1, who.beard), 0.025)
    if who.moustache > 0:
        top, bottom = points[[77, 79, 81]] + (0.0, 0.06), points[[82, 80, 79, 78, 76]]
        edge = [(-x - 0.04, y - 0.06), (-x - 0.01, y + 0.03), top[0], top[1] + (0, 0.015), top[2]]
        edge = [*edge, (x + 0.01, y + 0.03), (x + 0.04, y - 0.06), *bottom]
        canvas.fill(np.array(edge), colour, 0.7 * min(1, who.moustache), 0.018)


def _fold_side(canvas: FaceCanvas, sample: Sample, points: np.ndarray, right: bool) -> None:
    """Folds of one side of the face: what age draws, and the action units."""
    unit, age = sample.unit, sample.person.age
    sign = -1 if right else 1
    x, y = points[76 if right else 82] * (sign, 1)

    def fold(line, depth, width=0.022):
        if depth > 0.02:
            canvas.fill(smooth(np.array(line)) * (sign, 1), (1.0,), min(depth, 1.0), 0.012, width)

    cheek = 0.12 + 0.45 * age + 0.75 * unit(12) + 0.7 * unit(9) + 0.6 * unit(10) + 0.25 * unit(20)
    fold([(0.19, -0.47), (0.13 + 0.5 * x, 0.5 * y - 0.19), (x + 0.07, y + 0.015)], 0.62 * cheek)
    fold([(x + 0.045, y + 0.04), (x + 0.06, y), (x + 0.045, y - 0.04)], 0.7 * unit(14), 0.03)
    fold([(x - 0.01, y - 0.02), (x + 0.03, y - 0.1), (x + 0.03, y - 0.19)], 0.5 * unit(15) + 0.3 * age)
    fold([(0.055, 0.10), (0.075, 0.17), (0.06, 0.26)], 0.85 * unit(4) + 0.2 * age)
    fold([(0.03, 0.06), (0.075, 0.03), (0.12, -0.01)], 0.7 * unit(9))
    fold([(0.05, -0.04), (0.09, -0.08), (0.13, -0.16)], 0.6 * unit(9))
    fold([(0.2, -0.12), (0.36, -0.15), (0.5, -0.11)], 0.28 * unit(6) + 0.2 * unit(7) + 0.35 * age)
    for turn in (-0.05, 0.0, 0.05):
        fold([(0.545, turn * 0.6), (0.60, turn * 1.1), (0.65, turn * 1.9)], 0.5 * unit(6) + 0.3 * age, 0.014)


def _fold_forehead_and_chin(canvas: FaceCanvas, sample: Sample) -> None:
    unit, age = sample.unit, sample.person.age
    depth = 0.55 * unit(1) * (1 - 0.3 * unit(4)) + 0.3 * unit(2) + 0.3 * age
    reach = 0.22 + 0.25 * unit(2) + 0.1 * age
    x = np.linspace(-reach, reach, 9)
    peak = 0.05 * unit(1) * (1 - unit(2)) * np.exp(-((x / 0.15) ** 2))
    arch = 0.05 * max(unit(1), unit(2)) + peak - 0.24 * x**2
    if depth > 0.04:
        lines = np.stack([np.stack([x, height + arch], -1) for height in (0.40, 0.50, 0.60)])
        canvas.fill(lines, (1.0,), min(0.6 * depth, 1), 0.012, 0.016)
    if unit(17) > 0.02:
        chin = -1.08 - JAW_DROP * unit(26)
        spots = ((-0.07, 0.0), (0.07, 0.0), (0.0, -0.05), (0.0, 0.05), (0.09, -0.06), (-0.09, -0.06))
        dimples = np.stack([oval((x, chin + y), (0.022, 0.018), 10) for x, y in spots])
        canvas.fill(dimples, (1.0,), 0.4 * unit(17), 0.012)
