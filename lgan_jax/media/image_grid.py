"""Image grids with headings, and landmarks drawn on images. All uint8 RGB, drawn with OpenCV, on a dark ground."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from lgan_jax.landmarks import Scheme
from lgan_jax.media.images import resized

Image = UInt8[np.ndarray, "_ _ 3"]  # of any size, RGB

GROUND = (17, 18, 21)
CELL = (28, 30, 35)
INK = (226, 228, 232)
FAINT = (146, 150, 158)
LINE = (94, 176, 184)
POINT = (196, 240, 236)
TARGET = (255, 190, 92)  # the second color, for ground-truth landmarks beside others

_SIDE = 192  # pixels that a cell's side is near to
_GAP = 8
_SMOOTH = 4  # drawn at this many times the size, then averaged down
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_LETTER = 13  # height of capitals in pixels
_LINE_HEIGHT = 22


@dataclasses.dataclass(frozen=True)
class GridRow:
    """One row of an image grid.

    Attributes:
      heading: what the row shows; words are broken into lines beside the row.
      cells: square images of any size, or None for an empty cell.
      captions: a few words under each cell; none at all where empty.
    """

    heading: str
    cells: Sequence[Image | None]
    captions: Sequence[str] = ()


def image_grid(rows: Sequence[GridRow], columns: Sequence[str], size: int) -> Image:
    """Rows of images with headings above the columns and beside the rows.

    Args:
      rows: at least one, each with a cell for every column.
      columns: headings; an empty one leaves its space free.
      size: side of the images in pixels; it decides how much they are enlarged.

    Raises:
      ValueError: there is no row, or one has not as many cells as there are columns.
    """
    if not rows or any(len(row.cells) != len(columns) for row in rows):
        raise ValueError(f"an image grid needs rows of {len(columns)} cells, not {[len(row.cells) for row in rows]}")
    side = cell_side(size)
    margin = 112 if any(row.heading for row in rows) else 0
    top = _LINE_HEIGHT + 2 * _GAP
    heights = [side + _GAP + (_LINE_HEIGHT if any(row.captions) else 0) for row in rows]
    canvas = np.empty((top + sum(heights) + _GAP, margin + _GAP + len(columns) * (side + _GAP), 3), np.uint8)
    canvas[:] = GROUND
    for i, heading in enumerate(columns):
        _write(canvas, heading, margin + _GAP + i * (side + _GAP), top - _GAP - 4, side, INK)
    y = top
    for row, height in zip(rows, heights):
        _lines(canvas, row.heading, _GAP + 4, y + side // 2, margin - _GAP)
        for i, cell in enumerate(row.cells):
            x = margin + _GAP + i * (side + _GAP)
            canvas[y : y + side, x : x + side] = CELL if cell is None else resized(cell, side)
            if row.captions:
                _write(canvas, row.captions[i], x, y + side + _LETTER + 4, side, FAINT)
        y += height
    return canvas


def cell_side(size: int) -> int:
    """The side of a cell for images of `size` pixels: a whole multiple of it near 192, or 256 for large ones."""
    return 256 if size > 256 else size * max(1, round(_SIDE / size))


def draw_landmarks(landmarks: Float[np.ndarray, "N 2"], scheme: Scheme, size: int, on: Image | None = None) -> Image:
    """Landmarks as lines and points, at a cell's side, on a dark ground or on an image."""
    side = cell_side(size)
    canvas = np.empty((side, side, 3), np.uint8)
    canvas[:] = CELL if on is None else resized(on, side)
    return trace(canvas, landmarks, scheme, LINE, POINT)


def trace(
    image: Image,
    landmarks: Float[np.ndarray, "N 2"],
    scheme: Scheme,
    line: tuple[int, int, int],
    point: tuple[int, int, int],
) -> Image:
    """An image with landmarks in [0, 1] drawn over it: the scheme's edges as lines, every point as a dot."""
    side = image.shape[1]
    canvas = cv2.resize(image, None, fx=_SMOOTH, fy=_SMOOTH, interpolation=cv2.INTER_NEAREST)
    # A fraction u lies at pixel u·side − 0.5 with the first pixel's center at 0; clipped to the canvas's neighborhood.
    points = np.rint(np.clip(landmarks, -1, 2) * side * _SMOOTH - 0.5).astype(int)
    for first, second in scheme.edges:
        cv2.line(canvas, points[first].tolist(), points[second].tolist(), line, _SMOOTH + 1, cv2.LINE_AA)
    for each in points:
        cv2.circle(canvas, each.tolist(), round(1.4 * _SMOOTH), point, -1, cv2.LINE_AA)
    return cv2.resize(canvas, (side, image.shape[0]), interpolation=cv2.INTER_AREA)


def _write(canvas: np.ndarray, text: str, x: int, baseline: int, width: int, color: tuple[int, int, int]) -> None:
    """Writes one line into `canvas`, narrowed, then cut, where it is longer than `width` pixels."""
    text = plain(text)
    if not text:
        return
    height, tall = _LETTER, _LETTER + 10
    while _width(text, height) > width and height > 9:
        height -= 1
    while _width(text, height) > width and len(text) > 4:
        text = text[:-4].rstrip() + "..."
    strip = np.ascontiguousarray(canvas[baseline - tall + 6 : baseline + 6, x : x + width])
    large = cv2.resize(strip, None, fx=_SMOOTH, fy=_SMOOTH, interpolation=cv2.INTER_NEAREST)
    scale = cv2.getFontScaleFromHeight(_FONT, height * _SMOOTH, _SMOOTH + 1)
    cv2.putText(large, text, (0, (tall - 6) * _SMOOTH), _FONT, scale, color, _SMOOTH + 1, cv2.LINE_AA)
    canvas[baseline - tall + 6 : baseline + 6, x : x + width] = cv2.resize(
        large, strip.shape[1::-1], interpolation=cv2.INTER_AREA
    )


def plain(text: str) -> str:
    """Text in the letters that OpenCV can draw: accents are removed, other characters become '?', '_' a space."""
    text = unicodedata.normalize("NFKD", text.replace("_", " ").replace("→", ">"))
    return "".join(c if " " <= c <= "~" else "?" for c in text if not unicodedata.combining(c))


def _lines(canvas: np.ndarray, text: str, x: int, middle: int, width: int) -> None:
    """Writes words under each other, their block centered at `middle`."""
    lines: list[str] = []
    for word in plain(text).split():
        if lines and _width(f"{lines[-1]} {word}", _LETTER) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    start = middle - (len(lines) - 1) * _LINE_HEIGHT // 2 + _LETTER // 2
    for i, line in enumerate(lines):
        _write(canvas, line, x, start + i * _LINE_HEIGHT, width, INK)


def _width(text: str, height: int) -> int:
    scale = cv2.getFontScaleFromHeight(_FONT, height * _SMOOTH, _SMOOTH + 1)
    return cv2.getTextSize(text, _FONT, scale, _SMOOTH + 1)[0][0] // _SMOOTH
