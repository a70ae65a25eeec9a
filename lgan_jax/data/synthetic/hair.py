"""Hair: where it grows on the head, how thick it is, and the long hair that hangs behind."""

from __future__ import annotations

import dataclasses
import functools

import cv2
import numpy as np

from lgan_jax.data.synthetic import head
from lgan_jax.data.synthetic.people import HairStyle, Person

# Height of the hair's edge by the angle around the head (degrees from the front), and thickness by the depth into it.
_ANGLES = (0, 18, 35, 50, 60, 70, 78, 88, 96, 110, 180)
_SHORT = (0.80, 0.80, 0.74, 0.62, 0.42, 0.12, -0.10, -0.16, 0.12, -0.5, -0.8)
_SIDES = (0.82, 0.80, 0.72, 0.52, 0.05, -1.7, -1.7, -1.7, -1.7, -1.7, -1.7)
_FRINGE = (0.36, 0.36, 0.35, 0.32, 0.12, -1.7, -1.7, -1.7, -1.7, -1.7, -1.7)
_TIED = (0.80, 0.79, 0.72, 0.58, 0.40, 0.20, 0.05, 0.08, 0.15, -0.3, -0.7)


@dataclasses.dataclass(frozen=True)
class _Cut:
    line: tuple[float, ...]
    thickness: float
    rise: float  # depth into the hair at which it is fully thick
    lumps: float = 0.0  # how uneven its surface is
    strands: float = 0.16  # how much strands differ in lightness
    length: float = 0.0  # how far below the eyes hair hangs behind the head; 0 for none


_CUTS: dict[HairStyle, _Cut] = {
    "bald": _Cut((9.0,) * 11, 0.0, 1.0),
    "buzz": _Cut(_SHORT, 0.02, 0.2, strands=0.05),
    "short": _Cut(_SHORT, 0.12, 0.3, lumps=0.03, strands=0.2),
    "parted": _Cut(_SHORT, 0.12, 0.3, lumps=0.015, strands=0.18),
    "curly": _Cut(_SIDES, 0.20, 0.35, lumps=0.09, strands=0.3, length=1.15),
    "bob": _Cut(_SIDES, 0.14, 0.3, lumps=0.01, length=1.05),
    "long": _Cut(_SIDES, 0.14, 0.3, lumps=0.015, length=2.2),
    "fringe": _Cut(_FRINGE, 0.14, 0.22, lumps=0.01, length=2.2),
    "bun": _Cut(_TIED, 0.06, 0.3, lumps=0.01),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Hair:
    """Charts of a person's hair.

    Attributes:
      depth: `(GRID, GRID)` distance from the hair's edge, positive inside, in units of the head.
      thickness: `(GRID, GRID)` what hair adds to the head's radius.
      strands: `(GRID, GRID)` factor of lightness from strand to strand, near 1.
      shadow: `(GRID, GRID)` how much the hair shades the skin along its edge, in [0, 1].
      chart: depth, strands and shadow, `(GRID, GRID, 3)`.
      hanging: how far below the eyes long hair hangs behind the head, 0 for none.
    """

    depth: np.ndarray
    thickness: np.ndarray
    strands: np.ndarray
    shadow: np.ndarray
    hanging: float

    @functools.cached_property
    def chart(self) -> np.ndarray:
        return cv2.merge([self.depth, self.strands, self.shadow])


@functools.lru_cache(maxsize=32)
def grow(who: Person) -> Hair:
    """The hair of a person."""
    cut = _CUTS[who.hair_style]
    at = head.directions() * head.AXES * head.skull(who)[0][..., None]
    x, y, z = at[..., 0], at[..., 1], at[..., 2]
    angle = np.rad2deg(np.arctan2(np.abs(x), z + 0.1))
    line = np.interp(angle, _ANGLES, cut.line)
    front = np.clip((80 - angle) / 40, 0, 1)
    line = line + who.hairline * front * (1.0 if cut.line is not _FRINGE else 0.3)
    slopes = np.abs(np.gradient(cut.line, _ANGLES)) / (0.8 * np.pi / 180)
    depth = (y - line) / np.sqrt(1 + np.interp(angle, _ANGLES, slopes) ** 2)
    if who.parting:
        away = np.abs(x - 0.22 * who.parting)
        depth = depth - 0.05 * front * np.exp(-((away / 0.08) ** 2)) * (cut.line is not _FRINGE)
    noise = _lumps(who.pattern)
    flow, ripple = _strands(x, y, z, who)
    depth = np.where(head.ears(at, who) > 0.005, -0.1, _above_the_jaw(depth, x, y, z))
    depth = cv2.GaussianBlur((depth + 0.014 * ripple * (cut.thickness > 0.03)).astype(np.float32), (0, 0), 0.7)
    full = np.clip(depth / cut.rise, 0, 1)
    full = full * (2 - full)
    thickness = cut.thickness * full + cut.lumps * noise * full
    if who.parting and cut.line is not _FRINGE:
        top = np.clip((y - 0.6) / 0.3, 0, 1)
        thickness = thickness - 0.35 * cut.thickness * np.exp(-(((x - 0.22 * who.parting) / 0.05) ** 2)) * top
    strands = 1 + cut.strands * flow + 0.5 * cut.lumps / 0.09 * 0.5 * noise
    thickness = cv2.GaussianBlur(thickness.astype(np.float32), (0, 0), 0.8)
    shadow = np.clip(1 + depth / 0.09, 0, 1) ** 2 * (cut.thickness > 0.03)
    return Hair(depth, thickness, strands.astype(np.float32), shadow.astype(np.float32), cut.length)


def _above_the_jaw(depth, x, y, z) -> np.ndarray:
    """Hair falls over the sides of the head, but does not grow on the jaw's underside."""
    beside = np.abs(x) - 0.50 + 0.5 * np.clip(-z - 0.2, 0, None)
    return np.where(y < -0.45, np.minimum(depth, beside), depth)


def _lumps(pattern: int) -> np.ndarray:
    """Blobs over the chart, in [-1, 1], the same left and right."""
    rng = np.random.default_rng(pattern)
    noise = rng.normal(0, 1, (24, 24))
    noise = cv2.resize(noise + noise[:, ::-1], (head.GRID, head.GRID), interpolation=cv2.INTER_CUBIC)
    return np.clip(0.5 * noise, -1, 1).astype(np.float32)


def _strands(x, y, z, who: Person) -> tuple[np.ndarray, np.ndarray]:
    """(fine, coarse) streaks in [-1, 1] that run down from the crown."""
    rng = np.random.default_rng(who.pattern + 1)
    around = np.arctan2(np.abs(x - 0.12 * who.parting), z + 0.35) + 0.12 * (y - 0.5)
    place = np.clip(around / np.pi, 0, 1)
    fine = np.interp(place, np.linspace(0, 1, 160), rng.uniform(-1, 1, 160))
    coarse = np.interp(place, np.linspace(0, 1, 44), rng.uniform(-1, 1, 44))
    return 0.6 * fine + 0.6 * coarse, coarse
