"""What is around the head: light, background, long hair, neck and clothes behind it; glasses in front of it."""

from __future__ import annotations

import functools
from collections.abc import Callable

import cv2
import numpy as np

from lgan_jax.data.synthetic.canvas import Canvas, oval
from lgan_jax.data.synthetic.features import smooth
from lgan_jax.data.synthetic.hair import grow
from lgan_jax.data.synthetic.parameters import Background, Light, Sample
from lgan_jax.data.synthetic.people import Person

Project = Callable[[np.ndarray], np.ndarray]  # points of the head (n, 3) to positions in the image, in [0, 1]

# In units of the head from the middle of the neck's base, y down; right half, from the neck outwards.
_SHOULDER = [(0.48, -0.1), (0.62, 0.06), (1.05, 0.22), (1.6, 0.42), (1.85, 0.9), (1.9, 1.6)]
_THROAT = [(0.44, -0.1), (0.60, 0.12), (0.2, 0.55)]
_FLAP = [(0.56, -0.14), (0.03, 0.46), (0.2, 0.72), (0.66, 0.12)]
_NECKLINES = {
    "round": smooth(np.array([(-0.6, 0.05), (-0.42, 0.22), (0, 0.33), (0.42, 0.22), (0.6, 0.05)])),
    "v": np.array([(-0.6, 0.05), (-0.42, 0.22), (0, 0.62), (0.42, 0.22), (0.6, 0.05)]),
    "shirt": np.array([(-0.56, -0.12), (0, 0.5), (0.56, -0.12)]),
}
_FRAME = (0.10, 0.09, 0.09)  # glasses


def lamp(light: Light) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(direction to the light, its color, the color of ambient light), each `(3,)` float32."""
    azimuth, elevation = np.deg2rad([light.azimuth, light.elevation])
    direction = [np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)]
    key = light.key * (1 + 0.08 * light.warmth * np.array([1, 0.1, -1.2]))
    ambient = light.ambient * (1 - 0.04 * light.warmth * np.array([1, 0, -1.2]))
    return np.array(direction, np.float32), key.astype(np.float32), ambient.astype(np.float32)


def behind(sample: Sample, project: Project, coverage: np.ndarray) -> np.ndarray:
    """Everything behind the head, `(side, side, 3)`; `coverage` `(side, side)` is the head's, which shades the neck."""
    who, side = sample.person, len(coverage)
    canvas = Canvas(cv2.resize(_wall(sample.background), (side, side), interpolation=cv2.INTER_LINEAR))
    _, key, ambient = lamp(sample.light)
    hair = np.asarray(who.hair) * (0.55 * key + ambient)
    unit = sample.scale * side

    def at(points) -> np.ndarray:
        return project(np.asarray(points, float)) * side - 0.5

    hanging = grow(who).hanging
    if hanging:
        canvas.fill(at(_curtain(hanging)), hair * 0.55, 1.0, 0.01 * unit)
    if who.hair_style == "bun":
        canvas.fill(at([(0, 1.12, -0.5)]) + oval((0, 0), (0.33 * unit, 0.33 * unit)), hair * 0.8)
    joint = at([(0, -0.75, -0.2)])[0]
    base = np.array([0.6 * joint[0] + 0.2 * side, joint[1] + 0.78 * unit])  # the shoulders follow the head in part
    neck = np.concatenate([[joint + (0.47 * unit, 0)], base + unit * np.array(_THROAT)])
    neck = np.concatenate([neck, ((2 * base - neck) * (1, 0) + neck * (0, 1))[::-1]])
    neck[-1, 0] = joint[0] - 0.47 * unit
    _body(canvas, sample, neck, base, unit)
    _shade_neck(canvas, neck, base, unit, coverage)
    if hanging > 1.5:
        _locks(canvas, hair, at, unit)
    return canvas.image


def in_front(sample: Sample, project: Project, image: np.ndarray) -> np.ndarray:
    """Adds what is in front of the head, glasses, to the image `(side, side, 3)`, which it changes."""
    if not sample.person.glasses:
        return image
    canvas, side = Canvas(image), len(image)
    unit = sample.scale * side

    def wire(x, y, z) -> np.ndarray:
        return project(np.stack([x, y, z], -1)) * side - 0.5

    def draw(points) -> None:
        canvas.fill(points, _FRAME, 1.0, 0.003 * unit, 0.022 * unit)

    across, up = np.moveaxis(oval((0, 0), (1, 1), 28), -1, 0)
    across, up = np.sign(across) * np.abs(across) ** 0.7, np.sign(up) * np.abs(up) ** 0.7  # rounded squares
    for sign in (-1, 1):
        x = sign * (0.355 + 0.225 * across)
        rim = wire(x, 0.17 * up - 0.03, 1.02 - 0.42 * x**2)
        canvas.fill(rim, (0.9, 0.95, 1.0), 0.06)
        draw(np.concatenate([rim, rim[:1]]))
        if sign * sample.yaw < 12:  # beyond that, the arm is behind the temple
            draw(wire(sign * np.array([0.58, 0.80]), np.array([0.02, 0.03]), np.array([0.88, 0.45])))
    draw(wire(np.array([-0.13, 0, 0.13]), np.array([0.03, 0.06, 0.03]), np.array([1.03, 1.05, 1.03])))
    return image


@functools.lru_cache(maxsize=32)
def _wall(background: Background) -> np.ndarray:
    """The wall behind a person, at a low resolution: it is out of focus."""
    rng = np.random.default_rng(background.pattern)
    low = 96
    x, y = np.meshgrid((np.arange(low) + 0.5) / low, (np.arange(low) + 0.5) / low)
    share = np.clip(rng.uniform(0.2, 0.8) * x + rng.uniform(0.3, 0.8) * y, 0, 1)[..., None]
    first, second = np.array(background.first), np.array(background.second)
    canvas = Canvas((first + share * (second - first)).astype(np.float32))
    for _ in range(int(rng.integers(2, 6))):
        centre, extent = rng.uniform(-0.1, 1.1, 2) * low, rng.uniform(0.08, 0.35, 2) * low
        colour = np.clip(first * rng.uniform(0.6, 1.4) + rng.uniform(-0.12, 0.12, 3), 0, 1)
        box = centre + extent * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
        disc = oval(centre, (extent.mean(), extent.mean()), 24)
        canvas.fill(box if rng.random() < 0.5 else disc, colour, rng.uniform(0.2, 0.55), rng.uniform(2, 6))
    return np.ascontiguousarray(canvas.image[:, ::-1] if background.mirrored else canvas.image)


def _curtain(hanging: float) -> np.ndarray:
    """Outline `(n, 3)` of long hair behind the head."""
    half = [(0.0, 1.25), (0.5, 1.1), (0.85, 0.7), (0.96, 0.2), (0.98, -0.4), (1.0, -0.7 * hanging), (0.86, -hanging)]
    half = [*half, (0.4, -hanging - 0.05)]
    points = smooth(np.array(half + [(-x, y) for x, y in half[:0:-1]]), closed=True)
    return np.concatenate([points, np.full((len(points), 1), -0.35)], -1)


def _locks(canvas: Canvas, hair: np.ndarray, at: Callable, unit: float) -> None:
    """Long hair that falls over the shoulders."""
    lock = np.array([(0.70, 0.1), (0.86, -0.3), (0.92, -1.0), (1.0, -2.2), (0.62, -2.2), (0.66, -1.2), (0.62, -0.7)])
    depth = np.where(lock[:, 1] > -1, 0, -0.05)[:, None]
    for sign in (-1, 1):
        canvas.fill(at(np.concatenate([lock * (sign, 1), depth], -1)), hair * 0.8, 1.0, 0.012 * unit)
        for x, tone in ((0.70, 1.05), (0.78, 0.6), (0.86, 1.05)):
            streak = [(sign * x, -0.3, 0), (sign * (x + 0.03), -1.2, 0), (sign * (x + 0.05), -2.2, -0.05)]
            canvas.fill(at(streak), hair * tone, 0.6, 0.012 * unit, 0.035 * unit)


def _body(canvas: Canvas, sample: Sample, neck: np.ndarray, base: np.ndarray, unit: float) -> None:
    """Neck, shoulders and clothes."""
    who: Person = sample.person
    direction, key, ambient = lamp(sample.light)
    skin, cloth = np.asarray(who.skin), np.asarray(who.clothes)

    def fill(points: np.ndarray, colour: np.ndarray, across: float) -> None:
        """Fills a shape, lit as if it were an upright cylinder of that radius around the neck."""
        where, share = canvas.mask(points)
        x = np.clip((np.arange(where[1].start, where[1].stop) - base[0]) / (across * unit), -1, 1)
        facing = np.clip((direction[0] * x + direction[2] * np.sqrt(1 - 0.8 * x**2) + 0.25) / 1.25, 0, 1)
        part = canvas.image[where]
        part += share[..., None] * (colour * (key * facing[:, None] + 0.72 * ambient) - part)

    shoulder = np.array(_SHOULDER)
    outline = np.concatenate([shoulder, shoulder[::-1] * (-1, 1)])
    fill(base + unit * outline, skin, 1.6)
    fill(neck, skin * 0.94, 0.62)
    neckline = _NECKLINES[who.collar]
    fill(base + unit * np.concatenate([neckline, outline[1:-1]]), cloth, 1.7)
    canvas.fill(base + unit * neckline, cloth * 1.1 * ambient, 0.5, 0.01 * unit, 0.05 * unit)
    if who.collar == "shirt":
        for sign in (-1, 1):
            fill(base + unit * np.array(_FLAP) * (sign, 1), np.minimum(cloth * 1.15, 1), 1.7)


def _shade_neck(canvas: Canvas, neck: np.ndarray, base: np.ndarray, unit: float, coverage: np.ndarray) -> None:
    """The shadow that the head throws on the neck: the head itself, lower and blurred."""
    side, lower = len(coverage), int(0.12 * unit)
    shadow = np.zeros_like(coverage)
    shadow[lower:] = coverage[: side - lower]
    shadow = cv2.resize(shadow, (side // 2, side // 2), interpolation=cv2.INTER_AREA)
    shadow = cv2.resize(cv2.GaussianBlur(shadow, (0, 0), 0.045 * unit), (side, side), interpolation=cv2.INTER_LINEAR)
    shadow *= np.clip(1 - (np.arange(side, dtype=np.float32) - base[1]) / (0.3 * unit), 0, 1)[:, None]
    where, share = canvas.mask(neck)
    canvas.image[where] *= (1 - 0.7 * shadow[where] * share)[..., None]
