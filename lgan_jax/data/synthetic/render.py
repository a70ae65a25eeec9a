"""Draws an image of a `Sample`: rays to the head, light on it, and what is behind it."""

from __future__ import annotations

import cv2
import numpy as np

from lgan_jax.data.synthetic import features, hair, head, scene, texture
from lgan_jax.data.synthetic.canvas import FRONT, Canvas
from lgan_jax.data.synthetic.parameters import Sample

_MIDDLE = np.array([0.0, -0.17, 0.4])  # the point of the head that is put in the image's middle
_WRAP = (0.30, 0.20, 0.17)  # how far light reaches around skin, for red, green and blue
_PLACES = 80  # side of the table of frontal positions
_FROM_TO = (-0.95, 0.95, -1.75, 0.95)  # what it covers: x and y, from and to


def rotation(sample: Sample) -> np.ndarray:
    """`(3, 3)` float32 matrix that turns the head's coordinates to the camera's (x right, y up, z to the viewer)."""
    yaw, pitch, roll = np.deg2rad([sample.yaw, sample.pitch, sample.roll])
    (cy, cp, cr), (sy, sp, sr) = np.cos([yaw, pitch, roll]), np.sin([yaw, pitch, roll])
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    tilt = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
    return (tilt @ nod @ turn).astype(np.float32)


Box = tuple[slice, slice]


class _Model:
    """The head of one sample in its own coordinates: shape, feature points, and where they are in the image."""

    def __init__(self, sample: Sample):
        self.sample, self.who = sample, sample.person
        self.rotation = rotation(sample)
        self.offset = np.array([0.5 + sample.shift[0], 0.5 + sample.shift[1]])
        self.flat = features.points(sample)
        shut, dropped = head.skull(self.who)
        jaw = np.float32(sample.unit(26))
        self.skin = shut + jaw * (dropped - shut)
        self._table = self._places()
        self._raise_features()
        self.hair = hair.grow(self.who)
        self.radius = self.skin + self.hair.thickness

    def _places(self) -> np.ndarray:
        left, right, low, high = _FROM_TO
        x, y = np.meshgrid(np.linspace(left, right, _PLACES), np.linspace(low, high, _PLACES))
        origin = np.stack([x, y, 0 * x], -1).astype(np.float32) / head.AXES
        hits = head.hit(self.skin, origin, np.array([0, 0, -1], np.float32) / head.AXES, 12)
        return np.stack([hits.u, hits.v], -1)

    def place(self, flat: np.ndarray) -> np.ndarray:
        """Chart positions (u, v) `(n, 2)` of frontal positions `(n, 2)`."""
        left, right, low, high = _FROM_TO
        x = (flat[None, :, 0] - left) / (right - left) * (_PLACES - 1)
        y = (flat[None, :, 1] - low) / (high - low) * (_PLACES - 1)
        return cv2.remap(self._table, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)[0]

    def _raise_features(self) -> None:
        """Adds the shape of lips, lids and cheeks, which move, to the skin."""
        unit = self.sample.unit
        relief = Canvas(np.zeros((head.GRID, head.GRID, 1), np.float32))

        def add(flat, height, soft):
            relief_points = (self.place(flat) / head.REACH + 1) * head.GRID / 2 - 0.5
            where, share = relief.mask(relief_points, soft)
            relief.image[where] += height * share[..., None]

        outer, inner = self.flat[76:88], self.flat[88:96]
        add(features.smooth(outer, closed=True), 0.05, 1.6)
        add(features.smooth(inner, closed=True), -0.05, 1.2)
        add(np.array([(-0.14, -1.0), (0.14, -1.0), (0.1, -1.16), (-0.1, -1.16)]), 0.035 * unit(17), 3.0)
        for sign in (-1, 1):
            bulge = 0.05 * unit(12) + 0.035 * unit(6) + 0.02 * unit(9)
            cheek = np.array([(0.26, -0.32), (0.46, -0.2), (0.6, -0.32), (0.5, -0.48), (0.36, -0.5)])
            add(cheek * (sign, 1), bulge, 5.0)
        self.skin = self.skin + relief.image[..., 0]

    def project(self, points: np.ndarray) -> np.ndarray:
        """Image positions in [0, 1] `(..., 2)` of the head's points `(..., 3)`."""
        turned = (points - _MIDDLE) @ self.rotation.T[:, :2]
        return self.offset + self.sample.scale * turned * (1, -1)

    def landmarks(self) -> np.ndarray:
        """WFLW's 98 points `(98, 2)` in the image."""
        at = self.place(self.flat[33:]).astype(np.float64)
        inner = head.surface(self.skin, at[:, 0], at[:, 1])
        return self.project(np.concatenate([head.outline(self.skin, self.rotation), inner])).astype(np.float32)


def _normals(radius: np.ndarray) -> np.ndarray:
    """Unit normals `(GRID, GRID, 3)` of the head."""
    points = head.directions() * head.AXES * radius[..., None]
    right = cv2.Sobel(points, cv2.CV_32F, 1, 0, ksize=3)
    down = cv2.Sobel(points, cv2.CV_32F, 0, 1, ksize=3)
    a, b, c = (right[..., i] for i in range(3))
    d, e, f = (down[..., i] for i in range(3))
    normal = -np.stack([b * f - c * e, c * d - a * f, a * e - b * d], -1)
    return normal / (np.sqrt((normal**2).sum(-1, keepdims=True)) + 1e-9)


def _lit(model: _Model) -> np.ndarray:
    """`(GRID, GRID, 4)` chart of what light does to the head: RGB factor and highlight."""
    light = model.sample.light
    direction, key, ambient = scene.lamp(light)
    half = direction + np.float32([0, 0, 1])
    half = half / np.linalg.norm(half)
    seen = np.stack([[0, 1, 0], [0, 0, 1], direction, half]).astype(np.float32) @ model.rotation
    up, near, facing, shine = cv2.split(cv2.transform(_normals(model.radius), seen))
    half_size = cv2.resize(model.radius, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    around = cv2.GaussianBlur(half_size, (0, 0), 1.75) + 0.6 * cv2.GaussianBlur(half_size, (0, 0), 4.5)
    hollow = cv2.resize(around, (head.GRID, head.GRID)) - np.float32(1.6) * model.radius
    open_sky = np.clip(1 - 4.8 * np.maximum(hollow, 0), 0.5, 1)
    sky = (0.72 + 0.28 * up) * open_sky + 0.18 * (1 - np.clip(near, 0, 1)) ** 3
    direct = np.sqrt(open_sky)
    lit = [key[i] * direct * np.maximum((facing + wrap) / 1.25, 0) + ambient[i] * sky for i, wrap in enumerate(_WRAP)]
    shine = np.maximum(shine, 0) ** 4
    broad = (shine**2) ** 2
    gloss = 0.10 * broad + 0.12 * broad**2 * broad
    return cv2.merge([c.astype(np.float32) for c in (*lit, gloss)])


def _head_image(model: _Model, side: int, size: int) -> tuple[Box, np.ndarray, np.ndarray]:
    """The head without anything behind it: (part of the image, RGB there `(h, w, 3)`, coverage there `(h, w)`)."""
    sample, who = model.sample, model.who
    paint = texture.paint(sample, model.flat, model.place, int(np.clip(2 * size, 128, 1536)))
    box, (u, v, _, gap) = _rays(model, side)
    inside = np.clip(1 - 0.7 * gap * sample.scale * side, 0, 1)
    inside = cv2.morphologyEx(inside, cv2.MORPH_CLOSE, np.ones((2 * (side // 200) + 3,) * 2, np.uint8))
    light = head.look_up(_lit(model), u, v)
    light, gloss = light[..., :3], light[..., 3]
    depth, strands, shadow = cv2.split(head.look_up(model.hair.chart, u, v))
    skin = head.look_up(paint, u, v, FRONT)
    soft = 12.0 if who.hair_style == "buzz" else sample.scale * side
    covered = np.clip(depth * soft + 0.5, 0, 1)[..., None]
    skin *= 1 - shadow[..., None] * np.float32([0.30, 0.38, 0.38])
    colour = skin + covered * (np.asarray(who.hair, np.float32) * strands[..., None] - skin)
    gloss = gloss * (1 + 0.8 * covered[..., 0] * (strands - 0.6))
    return box, colour * light + gloss[..., None] * np.float32([1.0, 0.96, 0.9]), inside


def _rays(model: _Model, side: int) -> tuple[Box, head.Hits]:
    """The part of the image that the head is in, and where the rays of its pixels meet the head.

    Rays are followed first at a quarter of the resolution, then on from there.
    """
    sample = model.sample
    line = (np.arange(side, dtype=np.float32) + 0.5) / side
    x, y = (line - model.offset[0]) / sample.scale, (model.offset[1] - line) / sample.scale
    right, up, near = model.rotation / head.AXES
    row, column = y[:, None, None] * up + _MIDDLE / head.AXES, x[:, None] * right
    origin, toward = (row + column).astype(np.float32), -near
    small = cv2.resize(origin, (side // 4, side // 4), interpolation=cv2.INTER_AREA)
    first = head.hit(model.radius, small, toward, 18)
    start = cv2.resize(cv2.erode(first.t, np.ones((3, 3), np.uint8)), (side, side), interpolation=cv2.INTER_LINEAR)
    near = first.gap * sample.scale * side < 8
    box = tuple(_extent(near.any(axis), side) for axis in (1, 0))
    return box, head.hit(model.radius, origin[box], toward, 8, start[box] - 0.01)


def _extent(taken: np.ndarray, side: int) -> slice:
    """From the first to the last of coarse cells that are taken, with a cell's margin, in pixels."""
    cells, ratio = np.flatnonzero(taken), side / len(taken)
    return slice(max(0, int((cells[0] - 1) * ratio)), min(side, int((cells[-1] + 2) * ratio)))


def landmarks(params: Sample) -> np.ndarray:
    """WFLW's 98 points float32 `(98, 2)` in [0, 1], as `draw` gives them with an image, in a tenth of the time."""
    return _Model(params).landmarks()


def draw(params: Sample, size: int) -> dict:
    """Draws a sample as an image of `size` by `size` pixels.

    Returns a dict: `image` uint8 `(size, size, 3)` RGB; `landmarks` float32 `(98, 2)`, WFLW's points in [0, 1] with
    pixel centers at (i + 0.5) / size; `action_units` float32 `(17,)` in [0, 1]; `expression` and `identity` int32;
    `pose` float32 `(3,)`: yaw, pitch, roll in degrees; `gaze` float32 `(2,)` in degrees.
    Raises `ValueError` for a size below 16.
    """
    if size < 16:
        raise ValueError(f"images are at least 16 pixels wide, not {size}")
    model = _Model(params)
    side = size * (4 if size <= 32 else 3 if size <= 64 else 2)
    box, face, inside = _head_image(model, side, size)
    coverage = np.zeros((side, side), np.float32)
    coverage[box] = inside
    image = scene.behind(params, model.project, coverage)
    image[box] += inside[..., None] * (face - image[box])
    image = scene.in_front(params, model.project, image)
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    return {
        "image": np.round(np.clip(image, 0, 1) * 255).astype(np.uint8),
        "landmarks": model.landmarks(),
        "action_units": np.array(params.action_units, np.float32),
        "expression": np.int32(params.expression),
        "identity": np.int32(params.identity),
        "pose": np.array([params.yaw, params.pitch, params.roll], np.float32),
        "gaze": np.array(params.gaze, np.float32),
    }
