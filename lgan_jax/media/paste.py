"""Pastes a generated face into the source or driving image."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from lgan_jax.landmarks import Scheme
from lgan_jax.ops import procrustes

_FEATHER = 0.07  # of the crop's side, over which the edge fades
_FOREHEAD = 0.16  # of the face's height, above the brows: the edge fades within it, so no brow shows through
_GAIN = 2.5  # the most that a color is multiplied or divided by
_AROUND = 0.15  # of the face's size, around it, where a scheme has no outline


def edge(faces: Sequence[Float[np.ndarray, "N 2"]], scheme: Scheme, size: int) -> Float32[np.ndarray, "size size"]:
    """How much of a generated image shows, in [0, 1]: all of it within the outline around `faces`, nothing outside.

    `faces` are the landmarks in the crop of the generated face and of the face that it covers. The outline runs along
    the jaw and a little above the brows. The fading lies within it, and towards the border of the crop.
    """
    around = np.concatenate([_around(points * size, scheme) for points in faces])
    mask = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(around - 0.5).astype(np.int32)), 255)
    mask[[0, -1]] = mask[:, [0, -1]] = 0
    inside = cv2.distanceTransform(mask, cv2.DIST_L2, 5) / (_FEATHER * size)
    ramp = np.clip(inside, 0, 1)
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)


def _around(points: np.ndarray, scheme: Scheme) -> np.ndarray:
    """Points whose hull is the face."""
    if not len(scheme.outline):
        return points.mean(0) + (1 + 2 * _AROUND) * (points - points.mean(0))
    brows = points[[*scheme.groups["right_brow"], *scheme.groups["left_brow"]]]
    return np.concatenate([points[scheme.outline], brows - [0, _FOREHEAD * np.ptp(points[:, 1])]])


def matched(
    face: UInt8[np.ndarray, "size size 3"],
    crop: UInt8[np.ndarray, "size size 3"],
    shown: Float32[np.ndarray, "size size"],
) -> UInt8[np.ndarray, "size size 3"]:
    """The face with each color multiplied so that its mean along the fading edge is that of the driving crop."""
    fading = shown * (1 - shown)
    if not fading.any():  # a face outside the crop has no edge
        return face
    here, there = (np.tensordot(fading, image.astype(np.float32), 2) for image in (face, crop))
    gain = np.clip(there / np.maximum(here, 1e-6), 1 / _GAIN, _GAIN)
    levels = np.arange(256)[:, None] * gain + 0.5
    return cv2.LUT(face, np.clip(levels, 0, 255).astype(np.uint8).reshape(256, 1, 3))


def covered(
    image: UInt8[np.ndarray, "H W 3"], size: int, transform: Float[np.ndarray, "2 3"]
) -> tuple[int, int, int, int]:
    """The part of an image, (left, top, right, bottom) in pixels, that `paste` may change; arguments as there."""
    corners = np.array([[0.0, 0.0], [size, 0], [0, size], [size, size]])
    corners = procrustes.apply(procrustes.inverse(transform), corners)
    low, high = (np.clip(each, 0, image.shape[1::-1]) for each in (np.floor(corners.min(0)), np.ceil(corners.max(0))))
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def paste(
    image: UInt8[np.ndarray, "H W 3"],
    face: UInt8[np.ndarray, "size size 3"],
    shown: Float32[np.ndarray, "size size"],
    transform: Float[np.ndarray, "2 3"],
) -> UInt8[np.ndarray, "H W 3"]:
    """The image with a face in it, as much of it as `shown`; `transform` is from its pixels to the face's."""
    size = face.shape[0]
    back = procrustes.inverse(transform)
    scale = float(np.hypot(back[0, 0], back[1, 0]))
    left, top, right, bottom = covered(image, size, transform)
    result = image.copy()
    if right <= left or bottom <= top:
        return result
    if scale < 0.5:
        smaller = max(round(2 * scale * size), 1)
        face, shown = (cv2.resize(each, (smaller, smaller), interpolation=cv2.INTER_AREA) for each in (face, shown))
        back = back.copy()
        back[:, :2] *= size / smaller
    matrix = back.copy()
    matrix[:, 2] += (
        matrix[:, :2].sum(1) * 0.5 - 0.5 - (left, top)
    )  # OpenCV's pixels have their centers at whole numbers
    place = (right - left, bottom - top)
    warped = cv2.warpAffine(face, matrix, place, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    share = cv2.warpAffine(shown, matrix, place, flags=cv2.INTER_LINEAR)[..., None]
    behind = result[top:bottom, left:right]
    behind[...] = (behind + share * (warped.astype(np.float32) - behind) + 0.5).astype(np.uint8)
    return result
