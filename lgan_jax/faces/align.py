"""Aligned crops: a similarity brings the inner points of a face onto a mean face, in size, place and roll.

Coordinates are pixels from edge to edge: the first pixel's center is 0.5. Transforms are `(2, 3)`, as in
`ops.procrustes`.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from lgan_jax.landmarks import IBUG68
from lgan_jax.ops import procrustes

_FACE, _CROP = 220, 256  # the mean face spans so many pixels of a crop of so many
_MOUTH_CORNERS = (48, 54)
_WAVER = 0.015  # of the face's size; landmarks of a resting head differ by about so much

# iBUG's 68 points of a mean face seen from the front: the Procrustes mean of dlib's landmarks over recordings of
# talking people, mirrored to be symmetric, scaled so that the longer side of the box around them is 1.
# fmt: off
MEAN_FACE = np.array(
    [
        # outline
        (0.007, 0.209), (0.013, 0.342), (0.034, 0.472), (0.063, 0.599), (0.108, 0.718), (0.178, 0.825),
        (0.269, 0.914), (0.377, 0.980), (0.500, 1.000), (0.623, 0.980), (0.731, 0.914), (0.822, 0.825),
        (0.892, 0.718), (0.937, 0.599), (0.966, 0.472), (0.987, 0.342), (0.993, 0.209),
        # brows
        (0.079, 0.082), (0.140, 0.021), (0.230, 0.000), (0.323, 0.012), (0.411, 0.049), (0.589, 0.049),
        (0.677, 0.012), (0.770, 0.000), (0.860, 0.021), (0.921, 0.082),
        # nose
        (0.500, 0.172), (0.500, 0.261), (0.500, 0.348), (0.500, 0.438), (0.404, 0.512), (0.451, 0.528),
        (0.500, 0.541), (0.549, 0.528), (0.596, 0.512),
        # eyes
        (0.176, 0.199), (0.233, 0.167), (0.302, 0.168), (0.364, 0.210), (0.299, 0.225), (0.229, 0.225),
        (0.636, 0.210), (0.698, 0.168), (0.767, 0.167), (0.824, 0.199), (0.771, 0.225), (0.701, 0.225),
        # lips
        (0.318, 0.697), (0.384, 0.652), (0.451, 0.628), (0.500, 0.642), (0.549, 0.628), (0.616, 0.652),
        (0.682, 0.697), (0.619, 0.766), (0.554, 0.795), (0.500, 0.800), (0.446, 0.795), (0.381, 0.766),
        (0.349, 0.698), (0.450, 0.682), (0.500, 0.686), (0.550, 0.682), (0.651, 0.698), (0.551, 0.718),
        (0.500, 0.724), (0.449, 0.718),
    ]
)
# fmt: on


# Where they belong in a crop, in [0, 1] of it.
TEMPLATE = 0.5 + (MEAN_FACE - 0.5) * (_FACE / _CROP)


def alignment(landmarks: Float[np.ndarray, "*batch 68 2"], size: int) -> Float[np.ndarray, "*batch 2 3"]:
    """The similarity (Umeyama) from an image's pixels to those of its crop, by the 51 points inside the outline.

    It removes the roll of the head: in the crop the face is upright, whatever the camera saw.
    """
    inner = landmarks[..., IBUG68.inner, :].astype(np.float64)
    template = size * TEMPLATE[IBUG68.inner]
    return procrustes.similarity(inner, np.broadcast_to(template, inner.shape))


def ffhq_alignment(landmarks: Float[np.ndarray, "68 2"], size: int) -> Float[np.ndarray, "2 3"]:
    """As `alignment`, but as FFHQ's photos were aligned, by eyes and mouth (Karras et al. 2019).

    The crop's middle lies a tenth of the way from the eyes to the mouth; half its side is the greater of 2 times the
    distance between the eyes and 1.8 times that from eyes to mouth; it is turned by the mean of what both say.
    """
    points = landmarks.astype(np.float64)
    right, left = (points[list(IBUG68.groups[name])].mean(0) for name in ("right_eye", "left_eye"))
    eyes, mouth = (right + left) / 2, points[list(_MOUTH_CORNERS)].mean(0)
    across, down = left - right, mouth - eyes
    direction = across + (down[1], -down[0])
    half = max(2 * np.hypot(*across), 1.8 * np.hypot(*down))
    return square(eyes + 0.1 * down, direction, 2 * half, size)


def square(
    center: Float[np.ndarray, " 2"], direction: Float[np.ndarray, " 2"], side: float, size: int
) -> Float[np.ndarray, "2 3"]:
    """The similarity from an image's pixels to a crop: a square around `center` whose rows run along `direction`."""
    x, y = direction / np.hypot(*direction) * (size / side)
    turn = np.array([[x, y], [-y, x]])
    return np.column_stack([turn, size / 2 - turn @ center])


def crop(
    image: UInt8[np.ndarray, "H W 3"], transform: Float[np.ndarray, "2 3"], size: int
) -> UInt8[np.ndarray, "size size 3"]:
    """The aligned crop. What lies outside the image repeats its border; a much larger image is averaged first."""
    scale = float(np.hypot(transform[0, 0], transform[1, 0]))
    height, width = image.shape[:2]
    matrix = transform.copy()
    if scale < 0.5:
        image = cv2.resize(image, None, fx=2 * scale, fy=2 * scale, interpolation=cv2.INTER_AREA)
        matrix[:, 0] *= width / image.shape[1]
        matrix[:, 1] *= height / image.shape[0]
    matrix[:, 2] += matrix[:, :2].sum(1) * 0.5 - 0.5  # OpenCV's pixels have their centers at whole numbers
    interpolation = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_LINEAR
    return cv2.warpAffine(image, matrix, (size, size), flags=interpolation, borderMode=cv2.BORDER_REPLICATE)


def smoothed(
    landmarks: Float[np.ndarray, "T 68 2"], use: Bool[np.ndarray, " T"], sigma: float
) -> Float[np.ndarray, "T 68 2"]:
    """Landmarks of consecutive frames, averaged over time where the head rests; NaN where `use` is False.

    A bilateral filter: the weight of another frame is a Gaussian of its distance in time (`sigma` frames) times one of
    the distance that the inner points lie apart (1.5 % of the face's size, about what the landmark model wavers by).
    So a resting head is steadied, a moving one is followed without delay, and nothing reaches across a cut.
    """
    if sigma == 0 or not use.any():
        return np.where(use[:, None, None], landmarks, np.nan)
    known = np.where(use[:, None, None], landmarks, 0.0)
    size = np.median(np.ptp(landmarks[use], axis=1).max(-1))
    total, weights = known.copy(), np.ones(len(use))
    for later in range(1, min(math.ceil(3 * sigma), len(use) - 1) + 1):
        one, other = slice(0, -later), slice(later, None)
        apart = np.linalg.norm(known[one, IBUG68.inner] - known[other, IBUG68.inner], axis=-1).mean(-1) / size
        weight = np.exp(-0.5 * (later / sigma) ** 2 - 0.5 * (apart / _WAVER) ** 2) * (use[one] & use[other])
        for here, there in ((one, other), (other, one)):
            total[here] += weight[:, None, None] * known[there]
            weights[here] += weight
    return np.where(use[:, None, None], total / weights[:, None, None], np.nan)
