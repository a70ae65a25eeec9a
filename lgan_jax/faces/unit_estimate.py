"""An estimate of action units from landmarks, relative to the person's own face at rest.

Twelve of the 17 units move landmarks: brows (1, 2, 4), lids (5, 45), mouth and chin (12, 15, 17, 20, 23, 25, 26). The
others (6, 7, 9, 10, 14) show in the skin or hardly move a point, and are not estimated. It is an estimate, calibrated
on the built-in faces: wrinkles are not seen, strong units come out too weak, and 5 and 17, which move little by
themselves, are mostly read off what comes with them. Both sides of the face are averaged, so a one-sided smile counts
half. docs/data.md has the agreement with the ground truth of built-in faces.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from lgan_jax.landmarks import Scheme, to_ibug68
from lgan_jax.ops.frontal import MEAN_HEAD, frontal

ESTIMATED = (1, 2, 4, 5, 12, 15, 17, 20, 23, 25, 26, 45)

_CLOSED, _OPEN = 0.25, 0.6  # share of frames with the mouth most closed; of these, with the eyes most open

# What is measured on a frontal face: heights (upwards) of groups of iBUG's points, and widths between two groups.
_HEIGHTS = {
    "inner brow": (20, 21, 22, 23),
    "middle of the brow": (19, 24),
    "outer brow": (17, 18, 25, 26),
    "upper lid": (37, 38, 43, 44),
    "lower lid": (40, 41, 46, 47),
    "mouth corners": (48, 54),
    "upper lip, inside": (61, 62, 63),
    "lower lip, inside": (65, 66, 67),
    "upper lip, outside": (50, 51, 52),
    "lower lip, outside": (56, 57, 58),
    "sides of the upper lip": (49, 53),
    "sides of the lower lip": (55, 59),
    "chin": (7, 8, 9),
}
_WIDTHS = {"between the brows": ((21,), (22,)), "mouth": ((48,), (54,)), "lips": ((49, 59), (53, 55))}

# A unit's intensity is a weighted sum of the measures' differences from the person at rest. The weights are a ridge
# regression on built-in faces of 36 people in all poses (half with the built-in expressions, half with units drawn
# independently; landmarks off by 1.2 % of the inter-ocular distance), where upper units see the upper measures only and
# lower units the lower ones. Some of what real faces do besides was added to its examples: smiles lift the whole mouth,
# chins waver, and a landmark model sees the brows of shut eyes higher. A regression from noisy points shrinks what it
# finds; each unit's weights were stretched by the square root of what would give it the truth's spread.
_UPPER = ("inner brow", "middle of the brow", "outer brow", "between the brows", "upper lid", "lower lid")
_LOWER = ("mouth", "lips", "mouth corners", "upper lip, inside", "lower lip, inside", "upper lip, outside")
_LOWER += ("lower lip, outside", "sides of the upper lip", "sides of the lower lip", "chin")
_WEIGHTS = {
    1: (11.24, -0.69, -1.32, -5.66, 0.91, 0.03),
    2: (-1.99, 8.16, 2.38, -3.41, 2.16, -1.93),
    4: (-0.10, -0.28, -0.50, -10.99, -0.36, 3.68),
    5: (3.02, 2.10, 2.33, -6.84, 4.68, 2.96),
    12: (1.28, 0.80, 4.47, 4.14, -4.13, -2.48, 2.98, -0.89, 0.63, -1.39),
    15: (0.97, 0.37, -8.21, 4.96, -2.32, 0.97, 2.57, 0.87, 2.71, -0.10),
    17: (0.29, -0.31, -4.99, 6.35, -0.54, -0.13, 1.94, -0.34, 2.35, -1.71),
    20: (1.65, 2.06, -2.61, 5.77, -8.14, -4.95, 6.08, -0.93, 1.66, 0.17),
    23: (-0.98, -1.53, -0.32, 6.24, -6.72, -4.30, 6.32, -1.59, 1.44, -0.59),
    25: (0.30, 0.20, -0.09, 8.69, -5.64, -1.84, 1.62, -0.88, -1.28, 2.33),
    26: (-0.25, -0.32, 0.42, 0.30, -3.12, -0.50, -1.24, 1.61, 0.66, -0.53),
    45: (0.0, 0.0, 0.0, 0.0, -12.15, 4.79),
}


def _measures() -> tuple[tuple[str, ...], np.ndarray]:
    """Names, and the matrix `(measures, 68 · 2)` that takes a frontal face to them."""
    rows = {}
    for name, points in _HEIGHTS.items():
        rows[name] = np.zeros((68, 2), np.float32)
        rows[name][list(points), 1] = -1 / len(points)
    for name, (right, left) in _WIDTHS.items():
        rows[name] = np.zeros((68, 2), np.float32)
        rows[name][list(right), 0] = -1 / len(right)
        rows[name][list(left), 0] = 1 / len(left)
    return tuple(rows), np.stack([row.ravel() for row in rows.values()])


def _linear() -> np.ndarray:
    """The matrix `(12, 68 · 2)` from a frontal face's difference from rest to the intensities."""
    names, matrix = _measures()
    weights = np.zeros((len(ESTIMATED), len(names)), np.float32)
    for row, number in enumerate(ESTIMATED):
        used = _UPPER if len(_WEIGHTS[number]) == len(_UPPER) else _LOWER
        weights[row, [names.index(name) for name in used]] = _WEIGHTS[number]
    return weights @ matrix


_LINEAR = _linear()


def neutral_head(landmarks: Float[np.ndarray, "n N 2"], scheme: Scheme) -> Float[np.ndarray, "68 3"]:
    """A person's head at rest, from landmarks of some or many of the person's frames, in any pose and size.

    Of the frames (their pose undone on the mean head), the quarter with the mouth most closed is taken, of these the
    three fifths with the eyes most open, and of these the median of every point; depths are the mean head's. So the
    person must be at rest now and then; of a single frame, that frame is the rest. Frames that are not finite are left
    aside.

    Raises `ValueError` where no frame is finite, or the scheme does not contain iBUG's 68 points.
    """
    points = np.asarray(to_ibug68(landmarks, scheme), np.float32)
    faces = frontal(points, MEAN_HEAD)
    faces = faces[np.isfinite(faces).all((1, 2))]
    if not len(faces):
        raise ValueError("there are no landmarks to find a person's neutral face in")
    names, matrix = _measures()
    height = dict(zip(names, matrix @ faces.reshape(len(faces), -1).T, strict=True))
    rest = _first(height["upper lip, inside"] - height["lower lip, inside"], _CLOSED)
    rest = rest[_first((height["lower lid"] - height["upper lid"])[rest], _OPEN)]
    return np.concatenate([np.median(faces[rest], axis=0), MEAN_HEAD[:, 2:]], -1).astype(np.float32)


def estimate(
    landmarks: Float[object, "*batch N 2"], neutral: Float[object, "*#batch 68 3"], scheme: Scheme
) -> Float[object, "*batch 12"]:
    """Intensities in [0, 1] of the units `ESTIMATED`, in that order, of landmarks in any frame, pose and size.

    `neutral` is the person's `neutral_head`. NumPy and JAX arrays alike; landmarks that are not finite give NaN.
    Raises `ValueError` where the scheme does not contain iBUG's 68 points.
    """
    neutral = neutral.reshape(*[1] * (landmarks.ndim - neutral.ndim), *neutral.shape)
    difference = frontal(to_ibug68(landmarks, scheme), neutral) - neutral[..., :2]
    flat = difference.reshape(*difference.shape[:-2], -1)
    return (flat @ _LINEAR.T).clip(0, 1)


def _first(values: np.ndarray, share: float) -> np.ndarray:
    """Indices of the smallest values, at least one."""
    return np.argsort(values, kind="stable")[: max(1, int(np.ceil(share * len(values))))]
