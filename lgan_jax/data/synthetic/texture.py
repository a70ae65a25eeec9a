"""What is painted on the front of the head: skin, freckles, nostrils, mouth, eyes and brows.

The front of the chart (see `head`), `u` and `v` within `canvas.FRONT`, is painted at a resolution that follows the
image's. All is placed by frontal positions (see `features`), so paint, shape and landmarks are one thing.
"""

from __future__ import annotations

import cv2
import numpy as np

from lgan_jax.data.synthetic import skin
from lgan_jax.data.synthetic.canvas import FaceCanvas, Place, oval
from lgan_jax.data.synthetic.features import JAW_DROP, MOUTH, smooth
from lgan_jax.data.synthetic.parameters import Sample
from lgan_jax.data.synthetic.people import Person

_IRIS = 0.064  # radius
_RIGHT_EYE, _LEFT_EYE = list(range(60, 68)), [72, 71, 70, 69, 68, 75, 74, 73]  # from the outer corner over the top
_RIGHT_BROW, _LEFT_BROW = list(range(33, 42)), [46, 45, 44, 43, 42, 50, 49, 48, 47]


def paint(sample: Sample, points: np.ndarray, place: Place, side: int) -> np.ndarray:
    """Reflectance `(side, side, 3)` of the face, in [0, 1] but for glints; `points` as in `features.points`."""
    below = skin.paint(sample, points, place)
    canvas = FaceCanvas(place, cv2.resize(below, (side, side), interpolation=cv2.INTER_LINEAR))
    _freckles(canvas, sample.person)
    _nostrils(canvas, sample.person, points)
    _mouth(canvas, sample, points)
    for eye, pupil, brow in ((_RIGHT_EYE, 96, _RIGHT_BROW), (_LEFT_EYE, 97, _LEFT_BROW)):
        _eye(canvas, sample, points[eye], points[pupil])
        _brow(canvas, sample.person, points[brow])
    return canvas.image


def _freckles(canvas: FaceCanvas, who: Person) -> None:
    if who.freckles <= 0:
        return
    rng = np.random.default_rng(who.pattern)
    places = rng.normal(0, 1, (26, 2)) * (0.17, 0.09) + (0.3, -0.28)
    sizes = rng.uniform(0.006, 0.012, len(places))
    spots = np.stack([oval(at, (size, size), 8) for at, size in zip(places, sizes, strict=True)])
    for sign in (-1, 1):
        canvas.fill(spots * (sign, 1), np.asarray(who.skin) * (0.78, 0.62, 0.5), 0.55 * who.freckles, 0.004)


def _nostrils(canvas: FaceCanvas, who: Person, points: np.ndarray) -> None:
    dark = np.asarray(who.skin) * (0.28, 0.18, 0.17)
    (x, y), (hole, base) = points[55] * (-1, 1), points[56] * (-1, 1)
    for sign in (-1, 1):
        canvas.fill(oval((sign * 0.98 * hole, base + 0.008), (0.042 * who.nose_width, 0.017)), dark, 0.75, 0.008)
        groove = smooth(np.array([(x - 0.02, y - 0.035), (x + 0.012, y), (x, y + 0.06)])) * (sign, 1)
        canvas.fill(groove, dark, 0.28, 0.01, 0.016)


def _mouth(canvas: FaceCanvas, sample: Sample, points: np.ndarray) -> None:
    lips = np.asarray(sample.person.lips)
    outer, inner = points[76:88], points[88:96]
    canvas.fill(smooth(outer, closed=True), lips, 0.9, 0.006)
    canvas.fill(np.concatenate([smooth(outer[:7]), smooth(inner[:5])[::-1]]), lips * 0.78, 0.6, 0.008)
    shine = 0.5 * (points[[84, 85, 86]] + points[94]) + [(0.07, 0.004), (0, 0), (-0.07, 0.004)]
    canvas.fill(smooth(shine), np.minimum(lips * 1.25 + 0.08, 1), 0.45, 0.012, 0.022)
    _inside(canvas, sample, inner)
    seam = np.concatenate([outer[:1], smooth(inner[:5]), outer[6:7]])
    canvas.fill(seam, lips * (0.25, 0.17, 0.17), 0.85, 0.005, 0.014)


def _inside(canvas: FaceCanvas, sample: Sample, inner: np.ndarray) -> None:
    """Teeth that stay with the skull, teeth and tongue that go with the jaw, in the dark of the mouth."""
    dark = (0.14, 0.04, 0.04)
    y, drop = MOUTH + sample.person.mouth_height, JAW_DROP * sample.unit(26)
    wide = 0.29 * sample.person.mouth_width
    edge = smooth(inner, closed=True)
    inside = canvas.opening(edge)
    canvas.fill(edge, dark)
    canvas.fill(oval((0, y - 0.10 - 0.95 * drop), (0.17, 0.075)), (0.62, 0.26, 0.26), 0.85, 0.015, within=inside)

    lower = np.array([(-wide, -0.1), (-0.6 * wide, -0.062), (0, -0.055), (0.6 * wide, -0.062), (wide, -0.1)])
    lower = np.concatenate([smooth(lower) + (0, y - 0.93 * drop), [(wide, y - 0.14 - drop), (-wide, y - 0.14 - drop)]])
    canvas.fill(lower, (0.80, 0.77, 0.71), 0.9, 0.005, within=inside)

    half = [(-1.25 * wide, y + 0.02), (-0.8 * wide, y - 0.025), (-0.4 * wide, y - 0.048)]
    upper = smooth(np.array([*half, (0, y - 0.054), *[(-x, height) for x, height in half[::-1]]]))
    upper = np.concatenate([upper, [(wide, y + 0.15), (-wide, y + 0.15)]])
    canvas.fill(upper, (0.94, 0.92, 0.88), 1.0, 0.005, within=inside)
    gaps = [[(x * wide, y + 0.05), (x * wide, y - 0.045)] for x in (-0.74, -0.5, -0.24, 0.0, 0.24, 0.5, 0.74)]
    canvas.fill(np.array(gaps), (0.6, 0.52, 0.48), 0.3, 0.0, 0.006, within=inside)

    canvas.fill(smooth(inner[:5]), dark, 0.55, 0.014, 0.03, within=inside)
    for corner, inward in ((inner[0], 0.015), (inner[4], -0.015)):
        canvas.fill(oval(corner + (inward, 0), (0.05, 0.05)), dark, 0.6, 0.02, within=inside)


def _eye(canvas: FaceCanvas, sample: Sample, eye: np.ndarray, pupil: np.ndarray) -> None:
    """An eye, `eye` from its outer corner over the upper lid and back below."""
    who = sample.person
    shade, lash = np.asarray(who.skin) * (0.62, 0.5, 0.48), np.asarray(who.brow) * 0.45
    upper, lower = smooth(eye[:5]), smooth(np.concatenate([eye[4:], eye[:1]]))
    along = np.linspace(0, 1, len(upper))
    crease = (1 - 0.75 * sample.unit(45)) * 0.032 * np.sin(0.25 + 2.65 * along) + 0.012
    canvas.fill(upper + np.stack([0 * crease, crease], -1), shade, 0.55, 0.006, 0.014)
    _eyeball(canvas, sample, eye, pupil, upper, canvas.opening(np.concatenate([upper, lower[1:-1]])))
    thick = (0.016 + 0.016 * who.lashes) * (0.35 + 0.65 * np.sin(2.99 - 2.64 * along))
    lashes = np.concatenate([upper + np.stack([0 * thick, thick], -1), upper[::-1] - (0, 0.004)])
    canvas.fill(lashes, lash, 0.92, 0.003)
    out = np.sign(eye[0, 0]) * (0.02 + 0.02 * who.lashes)
    canvas.fill(eye[0] + [(0, 0.016), (out, 0.018), (0, -0.008)], lash, 0.8 * who.lashes, 0.003)
    canvas.fill(lower, shade * 0.7, 0.35 + 0.25 * who.lashes, 0.004, 0.010)


def _eyeball(canvas: FaceCanvas, sample: Sample, eye, pupil, upper, inside) -> None:
    """White, iris and pupil of an eye, and the upper lid's shadow on them, within its opening."""
    iris = np.asarray(sample.person.iris)
    canvas.fill(oval(0.5 * (eye[0] + eye[4]), (0.2, 0.13)), (0.93, 0.915, 0.90), within=inside)
    canvas.fill(oval(eye[4], (0.022, 0.016)), (0.80, 0.50, 0.47), 0.8, 0.006, within=inside)
    canvas.fill(oval(pupil, (_IRIS, _IRIS)), iris * 0.35, 1.0, 0.003, within=inside)
    canvas.fill(oval(pupil, (0.84 * _IRIS, 0.84 * _IRIS)), iris, 1.0, 0.006, within=inside)
    lit = np.minimum(iris * 1.5 + 0.06, 1)
    canvas.fill(oval(pupil - (0, 0.022), (0.036, 0.024)), lit, 0.7, 0.008, within=inside)
    canvas.fill(oval(pupil, (0.45 * _IRIS, 0.45 * _IRIS)), (0.02, 0.02, 0.02), 1.0, 0.003, within=inside)
    canvas.fill(upper - (0, 0.008), (0.22, 0.15, 0.14), 0.6, 0.014, 0.035, within=inside)
    side = 0.018 * np.clip(sample.light.azimuth / 5, -1, 1)
    canvas.fill(oval(pupil + (side, 0.022), (0.0145, 0.0145)), (1.5, 1.5, 1.5), 0.95, 0.002, within=inside)


def _brow(canvas: FaceCanvas, who: Person, brow: np.ndarray) -> None:
    """A brow, from the temple along its upper edge and back below."""
    canvas.fill(np.concatenate([smooth(brow[:5]), smooth(brow[5:])]), who.brow, 0.88, 0.010)
    middle = 0.5 * (smooth(brow[:5]) + smooth(np.concatenate([brow[:1], brow[5:][::-1]])))
    canvas.fill(middle, np.asarray(who.brow) * 0.8, 0.5, 0.008, 0.02)
