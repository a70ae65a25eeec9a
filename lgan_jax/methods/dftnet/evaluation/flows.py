"""Drawing flow fields: as colours on the usual wheel, and as a grid that they bend.

A flow is float `(H, W, 2)`, (x, y) in picture widths and heights: at each pixel, from how far away its colour is taken.
The wheel is that of Baker et al., "A Database and Evaluation Methodology for Optical Flow", IJCV 2011.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from lgan_jax.media.images import resized

Flow = Float[np.ndarray, "H W 2"]
Picture = UInt8[np.ndarray, "_ _ 3"]

_STEPS = (15, 6, 4, 11, 13, 6)  # of the wheel, from red to yellow, green, cyan, blue, magenta and back
_CORNERS = np.array([(1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (1, 0, 1)], float)
_BEYOND = 0.75  # brightness of what is longer than the scale
_CELLS = 16  # of the grid along each side
_LINE = (240, 214, 120)


def coloured(flow: Flow, scale: float) -> UInt8[np.ndarray, "H W 3"]:
    """Direction as hue and length as saturation: white does not move, full colour is `scale` picture widths.

    What is longer is darker. To the right is red, down yellow to green, to the left cyan, up violet.
    Raises `ValueError` for a scale that is not positive.
    """
    if not scale > 0:
        raise ValueError(f"the scale of a flow's colours must be above 0, not {scale}")
    length = np.linalg.norm(flow, axis=-1)[..., None] / scale
    turn = np.arctan2(flow[..., 1], flow[..., 0]) / (2 * np.pi) % 1
    wheel = _wheel()
    place = turn * len(wheel)
    low = np.floor(place).astype(int)
    share = (place - low)[..., None]
    hue = (1 - share) * wheel[low % len(wheel)] + share * wheel[(low + 1) % len(wheel)]
    colour = np.where(length <= 1, 1 - length * (1 - hue), _BEYOND * hue)
    return np.rint(255 * colour).astype(np.uint8)


def legend(side: int) -> UInt8[np.ndarray, "side side 3"]:
    """The wheel itself: a disc whose edge is the scale."""
    line = (np.arange(side) + 0.5) / side * 2 - 1
    flow = np.stack(np.meshgrid(line, line), -1) * 1.04
    picture = coloured(flow, 1.0)
    picture[np.linalg.norm(flow, axis=-1) > 1] = 28
    return picture


def bent(picture: Picture, flow: Flow, side: int) -> UInt8[np.ndarray, "side side 3"]:
    """The picture with a regular grid on it, warped as the flow says, at `side` pixels."""
    ruled = np.ascontiguousarray(resized(picture, side))
    for i in range(1, _CELLS):
        at = round(i * side / _CELLS)
        cv2.line(ruled, (at, 0), (at, side), _LINE, 1)
        cv2.line(ruled, (0, at), (side, at), _LINE, 1)
    return warped(ruled, flow)


def warped(picture: UInt8[np.ndarray, "side side 3"], flow: Flow) -> UInt8[np.ndarray, "side side 3"]:
    """A picture of any size warped by a flow: bilinear sampling at the identity grid plus the flow, clamped."""
    side = picture.shape[1]
    fine = cv2.resize(flow.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR) * side
    x, y = np.meshgrid(np.arange(side, dtype=np.float32), np.arange(side, dtype=np.float32))
    return cv2.remap(picture, x + fine[..., 0], y + fine[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _wheel() -> np.ndarray:
    """`(55, 3)` colours in [0, 1]; the first is red."""
    parts = []
    for start, end, count in zip(_CORNERS, np.roll(_CORNERS, -1, 0), _STEPS):
        parts.append(start + (end - start) * (np.arange(count) / count)[:, None])
    return np.concatenate(parts)
