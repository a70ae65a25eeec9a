"""The curves of a face seen from the front: brows, eyes, nose and mouth of a person with some action units.

Coordinates are those of the head: x to the image's right, y up, the origin between the eyes, unit the distance
between the outer eye corners of the mean face. Points are WFLW's 98 without the outline, which depends on the view
(`head.outline`); the same points are the landmarks and what is painted, joined by smooth curves.
"""

from __future__ import annotations

import numpy as np

from lgan_jax.data.synthetic.parameters import Sample
from lgan_jax.data.synthetic.people import Person
from lgan_jax.landmarks import WFLW98

MOUTH = -0.775  # y of the mean mouth's corners
JAW_DROP = 0.2  # how far AU26 lowers the chin
_STEPS = 6  # points of a curve for each piece

_MIRROR = np.array(WFLW98.mirror)
_LEFT = np.r_[42:51, 57, 58:60, 68:76, 97]  # points of the subject's left side, mirrored from the right


def smooth(points: np.ndarray, closed: bool = False) -> np.ndarray:
    """A Catmull-Rom curve through `points` `(n, 2)`: six points for each piece between two of them."""
    ends = (points[-1:], points[:2]) if closed else (2 * points[:1] - points[1:2], 2 * points[-1:] - points[-2:-1])
    padded = np.concatenate([ends[0], points, ends[1]])
    t = (np.arange(_STEPS) / _STEPS)[:, None, None]
    before, here, after, beyond = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    curve = (
        here
        + 0.5 * t * (after - before)
        + t**2 * (before - 2.5 * here + 2 * after - 0.5 * beyond)
        + t**3 * (1.5 * (here - after) + 0.5 * (beyond - before))
    )
    curve = curve.transpose(1, 0, 2).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, points[-1:]])


def points(sample: Sample) -> np.ndarray:
    """`(98, 2)` frontal positions of WFLW's points; those of the outline are zero."""
    who, unit = sample.person, sample.unit
    found = np.zeros((98, 2))
    found[33:42] = _brow(who, unit)
    found[60:68], found[96] = _eye(who, unit)
    found[51:58] = _nose(who, unit)
    found[_LEFT] = found[_MIRROR[_LEFT]] * (-1, 1)
    found[76:96] = _mouth(who, unit, sample.lopsided)
    found[96:] += np.array([0.0035, 0.0025]) * sample.gaze * (1, 1)
    return found


def _brow(who: Person, unit) -> np.ndarray:
    """Points 33 to 41: the upper edge from the temple inwards, the lower edge back."""
    x = np.array([-0.665, -0.565, -0.42, -0.27, -0.135])
    y = np.array([0.135, 0.225, 0.255, 0.24, 0.19])
    y = y + 0.03 * (who.brow_arch - 1) * np.array([-0.5, 0.6, 1.0, 0.3, -0.4]) + who.brow_height
    inner, outer = np.array([0, 0, 0.25, 0.7, 1.0]), np.array([0.75, 1.0, 0.85, 0.3, 0])
    y = y + 0.10 * unit(1) * inner + 0.10 * unit(2) * outer
    y = y - unit(4) * (0.055 * inner + 0.035 * outer) - 0.03 * unit(9) * inner - 0.012 * unit(6) * outer
    x = x + unit(4) * np.array([0, 0.005, 0.012, 0.025, 0.035])
    upper = np.stack([x * who.eye_spacing, y], -1)
    thickness = 0.06 * who.brow_thickness * np.array([0, 0.55, 0.8, 1.0, 1.05])
    lower = upper - np.stack([0 * x, thickness], -1)
    return np.concatenate([upper, lower[:0:-1]])


def _eye(who: Person, unit) -> tuple[np.ndarray, np.ndarray]:
    """Points 60 to 67 (outer corner, upper lid, inner corner, lower lid) and the pupil, 96."""
    half = 0.145 * who.eye_size
    middle = 0.355 * who.eye_spacing
    outer, inner = (-middle - half, 0.012 + who.eye_tilt), (-middle + half, -0.006)
    along = np.array([0.24, 0.5, 0.76])[:, None]
    line = (1 - along) * outer + along * inner
    rise, fall = 0.064 * who.eye_height * who.eye_size, 0.044 * who.eye_height * who.eye_size
    upper = rise * np.array([0.83, 1.05, 0.85])
    lower = -fall * np.array([0.86, 1.0, 0.74])
    upper = upper * (1 + 0.5 * unit(5) - 0.3 * unit(7) - 0.12 * unit(6) - 0.25 * unit(9)) - 0.004 * unit(4)
    lower = lower * (1 + 0.12 * unit(5) - 0.45 * unit(7) - 0.45 * unit(6) - 0.3 * unit(9))
    shut = 0.8 * lower + 0.2 * upper
    upper, lower = (edge + unit(45) * (shut - edge) for edge in (upper, lower))
    upper, lower = line + np.stack([0 * upper, upper], -1), line + np.stack([0 * lower, lower], -1)
    pupil = 0.5 * (np.array(outer) + inner) + (0, 0.008)
    return np.concatenate([[outer], upper, [inner], lower[::-1]]), pupil


def _nose(who: Person, unit) -> np.ndarray:
    """Points 51 to 57: down the bridge to the tip, then the right wing to the middle of the base."""
    long, wide = who.nose_length, who.nose_width
    lift = 0.035 * unit(9) + 0.015 * unit(10)
    bridge = [(0, 0.01), (0, -0.145 * long), (0, -0.295 * long), (0, -0.455 * long + 0.3 * lift)]
    wing = (-0.162 * wide - 0.012 * (unit(9) + unit(12)), -0.535 * long + lift)
    side = (-0.085 * wide, -0.57 * long + 0.5 * lift)
    return np.array([*bridge, wing, side, (0, -0.595 * long + 0.2 * lift)])


def _mouth(who: Person, unit, lopsided: float) -> np.ndarray:
    """Points 76 to 95: the outer lip from the right corner over the top and back below, then the inner lip."""
    jaw = JAW_DROP * unit(26)
    y = MOUTH + who.mouth_height
    sides = (1 - max(0.0, lopsided), 1 - max(0.0, -lopsided))  # right corner (image's left), left corner
    corners = np.array([_corner(who, unit, share) for share in sides]) * [(-1, 1), (1, 1)] + (0, y)
    rounded = 1 - 0.25 * unit(23)
    tight = (1 - 0.5 * unit(23)) * (1 - 0.18 * unit(12)) * (1 - 0.2 * unit(20)) * who.lip_thickness
    # Six inner stations of a lip between the corners, as (share of the way from the middle, height), right to left.
    up = (
        0.055 * unit(10)
        + 0.03 * unit(9)
        + 0.018 * unit(25)
        + 0.012 * unit(26)
        + 0.03 * unit(12) * unit(25)
        + 0.008 * unit(17)
    )
    gap = 0.045 * unit(25) + 0.04 * unit(25) * unit(12) + 0.02 * unit(20) * unit(25)
    down = gap + 0.92 * jaw - 0.03 * unit(17)
    along = np.array([-0.6, -0.26, 0.0, 0.26, 0.6])
    sag = 0.3 * (corners[:, 1] - y)
    base = y + np.interp(along, [-1, 0, 1], [sag[0], 0.2 * sag.mean(), sag[1]])
    x = np.interp(along, [-1, 0, 1], [corners[0, 0], corners.mean(0)[0] * 0.4, corners[1, 0]]) * rounded
    bow, bowl = np.array([0.58, 1.05, 0.9, 1.05, 0.58]), np.array([0.68, 1.0, 1.06, 1.0, 0.68])
    lift, drop = up * np.array([0.75, 1, 1, 1, 0.75]), down * np.array([0.8, 1, 1.03, 1, 0.8])
    seam = base - 0.012 * np.array([0.4, 0.8, 1, 0.8, 0.4])
    upper_in, lower_in = seam + lift, seam - drop
    upper_out, lower_out = upper_in + 0.068 * tight * bow, lower_in - 0.088 * tight * bowl
    ends = corners * [[rounded, 1]]
    inward = 0.88 * ends + 0.12 * np.array([x[2], (upper_in[2] + lower_in[2]) / 2])
    rows = [ends[:1], _row(x, upper_out), ends[1:], _row(x, lower_out)[::-1]]
    rows += [inward[:1], _row(x, upper_in)[1:4], inward[1:], _row(x, lower_in)[3:0:-1]]
    return np.concatenate(rows)


def _row(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.stack([x, y], -1)


def _corner(who: Person, unit, share: float) -> tuple[float, float]:
    """A mouth corner, as (distance from the middle, offset upwards); `share` of units 12 and 14 acts on it."""
    smile, dimple = share * unit(12), share * unit(14)
    wide = 0.30 * who.mouth_width + 0.065 * smile + 0.03 * dimple + 0.07 * unit(20) - 0.03 * unit(23)
    wide = wide + 0.012 * unit(15) - 0.035 * unit(26)
    high = 0.098 * smile + 0.012 * dimple - 0.075 * unit(15) - 0.02 * unit(20) - 0.28 * JAW_DROP * unit(26)
    return wide, high + 0.01 + 0.01 * unit(9) + 0.015 * unit(10) * (1 - unit(15))
