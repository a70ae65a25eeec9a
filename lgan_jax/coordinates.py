"""Coordinate frames of landmarks, and how to convert between them: NumPy or JAX arrays `(..., 2)`, (x, y).

| frame | the image's left edge, its right edge | who uses it |
| --- | --- | --- |
| the library's | 0, 1 | everything here |
| pixels | −0.5, width − 0.5: column i has its center at i | OpenCV, dlib, WFLW, CelebV, `.pts` files |
| DSNT's | −1, 1 | dsntnn, `ops.dsnt` |
| LandmarkGAN's release | −0.5/63, 1 + 0.5/63: 0 and 1 are the centers of columns 1 and 64 of 64 | its weights |

Every conversion is affine on each axis and takes any number of leading axes. Arrays keep their type.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

Points = TypeVar("Points")  # NumPy or JAX array `(..., 2)`

RELEASED_SIDE = 64  # pixels a side of the heatmaps that define the frame of LandmarkGAN's release


def to_pixels(landmarks: Points, width: int, height: int) -> Points:
    """From the library's frame to pixels, whole numbers at pixel centers: u·size − 0.5."""
    return landmarks * _sizes(landmarks, width, height) - np.float32(0.5)


def from_pixels(points: Points, width: int, height: int) -> Points:
    """From pixels, whole numbers at pixel centers, to the library's frame: (p + 0.5) / size."""
    return (points + np.float32(0.5)) / _sizes(points, width, height)


def to_dsnt(landmarks: Points) -> Points:
    """From the library's frame to DSNT's: 2u − 1."""
    return 2 * landmarks - 1


def from_dsnt(coordinates: Points) -> Points:
    """From DSNT's frame to the library's: (c + 1) / 2."""
    return (coordinates + 1) / 2


def to_released(landmarks: Points) -> Points:
    """From the library's frame to that of LandmarkGAN's release: (64u − 0.5) / 63. The order of points stays."""
    return (landmarks * RELEASED_SIDE - 0.5) / (RELEASED_SIDE - 1)


def from_released(points: Points) -> Points:
    """From the frame of LandmarkGAN's release to the library's: (63p + 0.5) / 64. The order of points stays."""
    return (points * (RELEASED_SIDE - 1) + 0.5) / RELEASED_SIDE


def _sizes(points: Points, width: int, height: int) -> np.ndarray:
    """Width and height along the last of the axes of `points`."""
    return np.array([width, height], np.float32).reshape((1,) * (points.ndim - 1) + (2,))
