"""Boxes of faces in uint8 RGB images `(H, W, 3)`; pixels from edge to edge, so the whole image is (0, 0, W, H)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Box(NamedTuple):
    """A face's box in pixels, edge to edge, and the detector's score (0 is its usual threshold)."""

    left: float
    top: float
    right: float
    bottom: float
    score: float = 0.0

    @property
    def area(self) -> float:
        """Square pixels; 0 where the box is empty."""
        return float(max(self.right - self.left, 0) * max(self.bottom - self.top, 0))

    def overlap(self, other: Box) -> float:
        """Intersection over union with another box, in [0, 1]."""
        common = Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        ).area
        union = self.area + other.area - common
        return common / union if union > 0 else 0.0


def check_image(image: np.ndarray) -> None:
    """Raises `ValueError` unless an image is a uint8 array `(H, W, 3)` with pixels."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise ValueError(f"an image must be a uint8 array, not {getattr(image, 'dtype', type(image).__name__)}")
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"an image must have the shape (H, W, 3), RGB, not {image.shape}")
