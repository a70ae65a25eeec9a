"""The head as a surface in three dimensions: its shape, rays that hit it, its visible outline.

The head is a height over the sphere of directions from its center, which lies between the eyes, back at the ears:
`point = radius(direction) * direction * AXES`. Directions are laid out on a square chart, front in the middle,
`(u, v) = (x, -y) / (FOLD + z)`, that reaches a good way behind the ears. One chart of radii holds everything that has
a shape: skull, nose, lips, hair. Coordinates are those of `features`, z towards the viewer.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import cv2
import numpy as np

from lgan_jax.data.synthetic.features import JAW_DROP, MOUTH
from lgan_jax.data.synthetic.people import Person

AXES = np.array([0.80, 1.25, 0.95], np.float32)
GRID = 192  # side of the charts
REACH = 1.05  # u and v of a chart's edge
FOLD = np.float32(1.4)
_COARSE = 72  # side of the chart on which the skull is computed
_FACE = slice(GRID // 5, GRID - GRID // 5)  # rows and columns of a chart that the face's relief reaches
_TINY = np.float32(1e-9)
_FAR = 1.5  # a radius that contains every head

# The skull in slices from the crown to the chin's underside: half width, and how far it reaches to the front and to the
# back of the slice's own center.
_Y = np.array([1.22, 1.08, 0.80, 0.50, 0.20, 0.0, -0.30, -0.60, -0.79, -0.97, -1.09, -1.17, -1.22])
_WIDTH = np.array([0.0, 0.48, 0.675, 0.76, 0.785, 0.785, 0.77, 0.735, 0.665, 0.55, 0.42, 0.27, 0.0])
_MIDDLE = np.array([-0.1, -0.1, -0.1, -0.1, -0.1, -0.1, -0.08, 0.0, 0.10, 0.25, 0.38, 0.46, 0.50])
_FRONT = np.array([0.0, 0.60, 0.83, 0.955, 0.98, 0.95, 0.94, 0.90, 0.81, 0.66, 0.51, 0.36, 0.0])
_LOW, _HIGH, _SLICES = -1.65, 1.45, 249  # the heights that slices are tabulated at
_BACK = np.array([0.0, 0.63, 0.88, 1.0, 1.0, 0.98, 0.85, 0.65, 0.45, 0.28, 0.2, 0.12, 0.0])


@functools.cache
def directions() -> np.ndarray:
    """Unit vectors `(GRID, GRID, 3)` of the chart's cells, in space divided by `AXES`."""
    line = (2 * (np.arange(GRID) + 0.5) / GRID - 1) * REACH
    vectors = _uncharted(*np.meshgrid(line, line))
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def _charted(x, y, z, length) -> tuple[np.ndarray, np.ndarray]:
    """(u, v) of points at that distance from the center, in space divided by `AXES`."""
    scale = 1 / (FOLD * length + z)
    return x * scale, -y * scale


def _uncharted(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Directions `(..., 3)` of chart positions; of length 1 where the chart shows the head."""
    square = u**2 + v**2
    z = (np.sqrt(np.maximum(1 - square * (FOLD**2 - 1), 0)) - FOLD * square) / (1 + square)
    return np.stack([u * (FOLD + z), -v * (FOLD + z), z], -1)


@functools.lru_cache(maxsize=32)
def skull(who: Person) -> np.ndarray:
    """Radii `(2, GRID, GRID)` of a person's head without hair, mouth shut and jaw dropped as far as it goes."""
    return np.stack([_carved(_slices(who, drop), who, drop) for drop in (0.0, JAW_DROP)])


def chin_drop(y: np.ndarray, drop: float) -> np.ndarray:
    """How far a jaw lowered by `drop` moves what lies at height `y`: nothing at the mouth, all of it at the chin."""
    return drop * np.clip((MOUTH + 0.1 - y) / 0.35, 0, 1)


def _slices(who: Person, drop: float) -> np.ndarray:
    """Table `(4, n)` over evenly spaced heights: squared half width, middle, squared front and back."""
    low = np.clip((-0.25 - _Y) / 1.0, 0, 1)
    jaw = np.exp(-(((_Y + 0.75) / 0.3) ** 2))
    chin = np.clip((-0.85 - _Y) / 0.3, 0, 1)
    y = np.where(_Y > 0, _Y * who.forehead, _Y * (1 + low * (who.chin_length - 1)))
    y = y - chin_drop(y, drop)
    width = _WIDTH * who.face_width * (1 + jaw * (who.jaw_width - 1)) * (1 + chin * 0.6 * (who.chin_width - 1))
    columns = [width**2, _MIDDLE, _FRONT**2, _BACK**2]
    heights = np.linspace(_LOW, _HIGH, _SLICES)
    kernel = np.exp(-0.5 * (np.arange(-8, 9) / 4.0) ** 2)
    kernel /= kernel.sum()
    smooth = [np.convolve(np.pad(np.interp(heights, y[::-1], c[::-1]), 8, "edge"), kernel, "valid") for c in columns]
    table = np.stack(smooth).astype(np.float32)
    table[[0, 2, 3]] -= 0.02  # below zero, where the smoothed skull ends
    return table


def _carved(table: np.ndarray, who: Person, drop: float) -> np.ndarray:
    """Radii where rays from the center leave the slices (by bisection), with the face's relief on top."""
    rays = _coarse_rays()
    inside, outside = np.full(rays.shape[:2], 0.45, np.float32), np.full(rays.shape[:2], 1.55, np.float32)
    for _ in range(12):
        middle = 0.5 * (inside + outside)
        within = _within(table, rays * middle[..., None])
        inside, outside = np.where(within, middle, inside), np.where(within, outside, middle)
    radius = cv2.GaussianBlur(_both_sides(0.5 * (inside + outside)), (0, 0), 1.0)
    radius = cv2.resize(radius, (GRID, GRID), interpolation=cv2.INTER_CUBIC)
    radius = cv2.GaussianBlur(radius, (0, 0), 2.5)
    points = (directions() * AXES * radius[..., None])[:, : GRID // 2]
    radius += _both_sides(ears(points, who))
    radius[_FACE, _FACE] += _both_sides(_relief(points[_FACE, _FACE.start :], who, drop))
    return radius


def _both_sides(half: np.ndarray) -> np.ndarray:
    """A symmetric chart from its left half."""
    return np.concatenate([half, half[:, ::-1]], 1)


@functools.cache
def _coarse_rays() -> np.ndarray:
    """Directions `(_COARSE, _COARSE / 2, 3)` of the left half of a coarse chart, times `AXES`."""
    coarse = cv2.resize(directions(), (_COARSE, _COARSE), interpolation=cv2.INTER_AREA)[:, : _COARSE // 2]
    return coarse / np.linalg.norm(coarse, axis=-1, keepdims=True) * AXES


def _within(table: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Whether points `(..., 3)` are inside the slices."""
    place = np.clip((at[..., 1] - _LOW) / (_HIGH - _LOW), 0, 0.9999) * (_SLICES - 1)
    below = place.astype(np.int32)
    share = place - below
    width, middle, front, back = table[:, below] * (1 - share) + table[:, below + 1] * share
    depth = at[..., 2] - middle
    square = np.where(depth > 0, front, back)
    width, square = np.maximum(width, 1e-5), np.maximum(square, 1e-5)
    return (at[..., 0] ** 2 / width) ** 1.12 + (depth**2 / square) ** 1.12 < 1


def _bump(x, y, at: tuple[float, float], size: tuple[float, float]) -> np.ndarray:
    return np.exp(-(((x - at[0]) / size[0]) ** 2) - ((y - at[1]) / size[1]) ** 2)


def _relief(at: np.ndarray, who: Person, drop: float) -> np.ndarray:
    """What the features add to the radius; `at` are the points of the skull's front."""
    x, y, z = np.abs(at[..., 0]), at[..., 1], at[..., 2]
    jaw = y + chin_drop(y, drop)
    front = np.clip((z - 0.17) / 0.25, 0, 1)
    eye = 0.355 * who.eye_spacing
    height = -0.075 * _bump(x, y, (eye - 0.03, 0.02), (0.17, 0.10)) - 0.05 * _bump(x, y, (0.17, 0.02), (0.08, 0.1))
    height += 0.05 * _bump(x, y, (eye, 0.0), (0.125, 0.085))
    height += 0.022 * _bump(x, y, (0.28, 0.21), (0.25, 0.07))
    height += (0.03 + 0.02 * who.cheeks) * _bump(x, y, (0.46, -0.3), (0.18, 0.15))
    height += 0.02 * who.cheeks * _bump(x, y, (0.42, -0.65), (0.2, 0.2))
    height -= 0.025 * _bump(x, y, (0.72, 0.32), (0.16, 0.18))
    height -= 0.03 * who.age * _bump(x, y, (0.5, -0.62), (0.12, 0.2))
    height += 0.045 * _bump(x, y, (0.0, -0.76), (0.32, 0.2))
    height -= 0.03 * _bump(x, jaw, (0.0, -0.97), (0.2, 0.05))
    height += 0.045 * _bump(x, jaw, (0.0, -1.08), (0.17 * who.chin_width, 0.1))
    return ((height + _nose(x, y, who)) * front).astype(np.float32)


def _nose(x: np.ndarray, y: np.ndarray, who: Person) -> np.ndarray:
    long, wide = who.nose_length, who.nose_width
    stations = np.array([-0.62, -0.56, -0.5, -0.43, -0.36, -0.2, -0.05, 0.08, 0.2]) * long
    ridge = np.interp(y, stations, [0.0, 0.04, 0.165, 0.235, 0.23, 0.155, 0.09, 0.045, 0.0]) * who.nose_height
    ridge = cv2.GaussianBlur(ridge.astype(np.float32), (0, 0), 1.5)
    breadth = np.interp(y, stations, [0.13, 0.13, 0.125, 0.115, 0.105, 0.085, 0.075, 0.08, 0.1]) * (0.4 + 0.6 * wide)
    height = ridge * np.exp(-((x / breadth) ** 2))
    return height + 0.075 * _bump(x, y, (0.115 * wide, -0.495 * long), (0.05, 0.06))


def ears(at: np.ndarray, who: Person) -> np.ndarray:
    """What the ears add to the radius: plates that leave the head at their front edge and rise towards the back."""
    x, y, z = np.abs(at[..., 0]), at[..., 1], at[..., 2]
    if who.ears_hidden:
        return np.zeros_like(x)
    along, across = (y + 0.13) / (0.27 * who.ears), (z + 0.02 + 0.15 * y) / 0.13
    plate = np.clip((1 - along**2 - across**2) * 2.2, 0, 1)
    height = np.where(x > 0.3, 0.15 * who.ears * plate * np.clip(0.5 - 0.5 * across, 0.1, 1), 0)
    return cv2.GaussianBlur(height.astype(np.float32), (0, 0), 0.8)


def look_up(charted: np.ndarray, u: np.ndarray, v: np.ndarray, reach: float = REACH) -> np.ndarray:
    """Values of a chart at (u, v), linear between its cells; a chart's edge is at plus and minus `reach`."""
    rows, columns = charted.shape[:2]
    to_column, to_row = np.float32(columns / (2 * reach)), np.float32(rows / (2 * reach))
    at = u * to_column + np.float32(columns / 2 - 0.5), v * to_row + np.float32(rows / 2 - 0.5)
    return cv2.remap(charted, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


class Hits(NamedTuple):
    """Where rays meet the head: the chart's (u, v), how far along the ray (`t`), and how close it came to the surface
    (`gap`, in radii): 0 or below at a hit, positive for a ray that passes by."""

    u: np.ndarray
    v: np.ndarray
    t: np.ndarray
    gap: np.ndarray


def hit(radius: np.ndarray, origin: np.ndarray, ray: np.ndarray, steps: int, t: np.ndarray | None = None) -> Hits:
    """Follows rays to the head.

    `origin` `(h, w, 3)` and the common direction `ray` `(3,)` are in space divided by `AXES`. Starts at `t` if that is
    known, or outside of everything. Steps forward by a share of the distance in radius, which does not jump over
    anything as steep as a nose, and further where that distance shrinks slowly: at the edge of the head.
    """
    square, along = float(ray @ ray), origin @ ray
    if t is None:
        room = along**2 - square * ((origin**2).sum(-1) - _FAR**2)
        t = (-along - np.sqrt(np.maximum(room, 0))) / square
    x, y, z = (np.ascontiguousarray(origin[..., i]) for i in range(3))
    a, b, c = (np.float32(r) for r in ray)

    def measure(t):
        px, py, pz = x + a * t, y + b * t, z + c * t
        length = np.sqrt(px * px + py * py + pz * pz)
        u, v = _charted(px, py, pz, length)
        return u, v, length - look_up(radius, u, v)

    pace = np.float32(0.72 / np.sqrt(square))
    nearest, step, before = t.copy(), None, None
    closest = np.full(t.shape, np.inf, np.float32)
    for _ in range(steps):
        gap = measure(t)[2]
        off = np.abs(gap)
        np.copyto(nearest, t, where=off < closest)
        np.minimum(closest, off, out=closest)
        slope = 1 if step is None else np.clip(pace * (before - gap) / (step + _TINY), 0.3, 1)
        step, before = pace * gap / slope, gap
        t = t + step
    u, v, gap = measure(nearest)
    return Hits(u, v, nearest, gap)


def surface(radius: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The points `(n, 3)` of the head at chart positions `(n,)`."""
    height = look_up(radius, u[None].astype(np.float32), v[None].astype(np.float32))[0]
    return _uncharted(u, v) * AXES * height[:, None]


def outline(radius: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """The 33 outline points `(33, 3)` from the right ear over the chin to the left ear, as they are seen.

    Each point slides on its own arc from behind the jaw towards the cheek to where it stands out most in the image:
    the far side of a turned head follows the visible contour, the near side stays at the jaw line.
    """
    angle = np.linspace(-1, 1, 33) * np.deg2rad(92)  # 0 is the chin
    angle = angle + 0.08 * np.sin(2 * angle)  # spaced as annotators and detectors place them
    start = np.stack([np.sin(angle), -np.cos(angle), 0.12 + 0.42 * np.maximum(np.cos(angle), 0) ** 1.2], -1)
    start /= np.linalg.norm(start, axis=-1, keepdims=True)
    arc = np.linspace(-0.02, 0.75, 60)[:, None, None]
    vectors = start + arc * (np.array([0, -0.25, 0.97]) - start)
    vectors = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)
    u, v = _charted(vectors[..., 0], vectors[..., 1], vectors[..., 2], np.float32(1))
    points = vectors * AXES * look_up(radius, u, v)[..., None]
    normal = np.stack([np.sin(angle), -np.cos(angle)], -1)
    outward = ((points @ rotation.T[:, :2]) * (normal @ rotation[:2, :2].T)).sum(-1)
    return points[outward.argmax(0), np.arange(33)]
