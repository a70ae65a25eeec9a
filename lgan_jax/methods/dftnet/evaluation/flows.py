"""Visualization of flow fields: by the color wheel of optical flow, and by a warped grid.

A flow is float `(H, W, 2)`, (x, y) in image widths and heights: the offset of each pixel's sampling point.
The wheel is that of Baker et al., "A Database and Evaluation Methodology for Optical Flow", IJCV 2011.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from lgan_jax.media.images import resized

Flow = Float[np.ndarray, "H W 2"]
Image = UInt8[np.ndarray, "_ _ 3"]

_STEPS = (15, 6, 4, 11, 13, 6)  # steps of the wheel, from red to yellow, green, cyan, blue, magenta and back
_CORNERS = np.array([(1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (1, 0, 1)], float)
_BEYOND = 0.75  # brightness of flow longer than the scale
_CELLS = 16  # grid cells along each side
_LINE = (240, 214, 120)


def colored(flow: Flow, scale: float) -> UInt8[np.ndarray, "H W 3"]:
    """Colors of a flow: direction as hue, length as saturation; white is zero, full color is `scale` image widths.

    Longer flow is darker. Right is red, down is yellow to green, left is cyan, up is violet.
    Raises `ValueError` for a scale that is not positive.
    """
    if not scale > 0:
        raise ValueError(f"the scale of a flow's colors must be above 0, not {scale}")
    length = np.linalg.norm(flow, axis=-1)[..., None] / scale
    angle = np.arctan2(flow[..., 1], flow[..., 0]) / (2 * np.pi) % 1
    wheel = _wheel()
    position = angle * len(wheel)
    low = np.floor(position).astype(int)
    share = (position - low)[..., None]
    hue = (1 - share) * wheel[low % len(wheel)] + share * wheel[(low + 1) % len(wheel)]
    color = np.where(length <= 1, 1 - length * (1 - hue), _BEYOND * hue)
    return np.rint(255 * color).astype(np.uint8)


def legend(side: int) -> UInt8[np.ndarray, "side side 3"]:
    """The color wheel as a legend: a disc with the scale at its edge."""
    line = (np.arange(side) + 0.5) / side * 2 - 1
    flow = np.stack(np.meshgrid(line, line), -1) * 1.04
    image = colored(flow, 1.0)
    image[np.linalg.norm(flow, axis=-1) > 1] = 28
    return image


def warped_grid(image: Image, flow: Flow, side: int) -> UInt8[np.ndarray, "side side 3"]:
    """An image with a regular grid, warped by the flow, at `side` pixels."""
    ruled = np.ascontiguousarray(resized(image, side))
    for i in range(1, _CELLS):
        at = round(i * side / _CELLS)
        cv2.line(ruled, (at, 0), (at, side), _LINE, 1)
        cv2.line(ruled, (0, at), (side, at), _LINE, 1)
    return warped(ruled, flow)


def warped(
    image: UInt8[np.ndarray, "side side 3"], flow: Flow, interpolation: int = cv2.INTER_LINEAR
) -> UInt8[np.ndarray, "side side 3"]:
    """Warps an image of any size by a flow: sampling at the identity grid plus the flow, clamped."""
    side = image.shape[1]
    fine = cv2.resize(flow.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR) * side
    x, y = np.meshgrid(np.arange(side, dtype=np.float32), np.arange(side, dtype=np.float32))
    return cv2.remap(image, x + fine[..., 0], y + fine[..., 1], interpolation, borderMode=cv2.BORDER_REPLICATE)


def _wheel() -> np.ndarray:
    """`(55, 3)` colors in [0, 1]; the first is red."""
    parts = []
    for start, end, count in zip(_CORNERS, np.roll(_CORNERS, -1, 0), _STEPS):
        parts.append(start + (end - start) * (np.arange(count) / count)[:, None])
    return np.concatenate(parts)
