"""A small painter: anti-aliased shapes with transparency and soft edges on a float image."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

FRONT = 0.53  # u and v at the edge of the part of the head's chart that is painted
_UNIT = 0.52  # length in u of one unit of the head, at the front of the face
_SHIFT = 4  # bits of a pixel's fraction that OpenCV draws with

Place = Callable[[np.ndarray], np.ndarray]  # frontal positions (n, 2) to the chart's (u, v) (n, 2)


def fixed(points: np.ndarray) -> np.ndarray:
    """Pixel coordinates (0 is the first pixel's center) as OpenCV's drawing functions take them."""
    return np.round(points * (1 << _SHIFT)).astype(np.int32)


def oval(centre, radii, count: int = 20) -> np.ndarray:
    """`(count, 2)` points of an ellipse."""
    angle = np.arange(count) * (2 * np.pi / count)
    return np.stack([centre[0] + radii[0] * np.cos(angle), centre[1] + radii[1] * np.sin(angle)], -1)


class Canvas:
    """A float32 image `(h, w, channels)` to paint on; coordinates are pixels, 0 is the first pixel's center."""

    def __init__(self, image: np.ndarray):
        self.image = image

    def mask(self, points: np.ndarray, soft: float = 0.0, width: float | None = None) -> tuple[tuple, np.ndarray]:
        """(where, share in [0, 1]) of a polygon, or of a line of that `width`; `soft` is the blur of its edge.

        `points` are `(n, 2)`, or `(shapes, n, 2)` for several shapes at once.
        """
        margin = 3 * soft + (width or 0) + 2
        shapes = points.reshape(-1, *points.shape[-2:])
        low = np.maximum(np.floor(shapes.min((0, 1)) - margin), 0).astype(int)
        high = np.minimum(np.ceil(shapes.max((0, 1)) + margin) + 1, self.image.shape[1::-1]).astype(int)
        if (high <= low).any():
            return (slice(0, 0), slice(0, 0)), np.zeros((0, 0), np.float32)
        drawn = np.zeros((high - low)[::-1], np.uint8)
        lines = list(fixed(shapes - low))
        if width is None:
            cv2.fillPoly(drawn, lines, 255, cv2.LINE_AA, _SHIFT)
        else:  # OpenCV's thinnest line is one pixel: a thinner one is fainter
            cv2.polylines(drawn, lines, False, min(1.0, width) * 255, max(1, round(width)), cv2.LINE_AA, _SHIFT)
        share = drawn.astype(np.float32) / 255
        if soft > 0.3:
            share = cv2.GaussianBlur(share, (0, 0), soft)
        return (slice(low[1], high[1]), slice(low[0], high[0])), share

    def fill(self, points, colour, alpha: float = 1.0, soft: float = 0.0, width=None, within=None) -> None:
        """Paints a polygon (or line, see `mask`) with a color; `within` `(h, w)` limits where it shows."""
        where, share = self.mask(np.asarray(points, float), soft, width)
        if within is not None:
            share = share * within[where]
        part = self.image[where]
        part += (alpha * share)[..., None] * (np.asarray(colour, np.float32) - part)


class FaceCanvas(Canvas):
    """The front of the head's chart to paint on, in frontal positions (see `features`) and units of the head."""

    def __init__(self, place: Place, image: np.ndarray):
        super().__init__(image)
        self.place = place
        self.side = len(image)
        self.pixels = self.side * _UNIT / (2 * FRONT)  # of one unit

    def mask(self, points, soft: float = 0.0, width: float | None = None) -> tuple[tuple, np.ndarray]:
        """As `Canvas.mask`, in frontal positions and units."""
        at = (self.place(points.reshape(-1, 2)) / FRONT + 1) * self.side / 2 - 0.5
        width = None if width is None else width * self.pixels
        return super().mask(at.reshape(points.shape), soft * self.pixels, width)

    def opening(self, points) -> np.ndarray:
        """A polygon as a mask `(side, side)` to paint `within`."""
        whole = np.zeros((self.side, self.side), np.float32)
        where, share = self.mask(points)
        whole[where] = share
        return whole
