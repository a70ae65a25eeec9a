"""Images that are face crops already."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from lgan_jax.data.builders import base

_SMALLEST = 16  # pixels
_SQUARE = 0.02  # largest difference of width and height, as a share


def read(path: Path) -> tuple[bytes, UInt8[np.ndarray, "H W 3"]]:
    """Reads a face crop: file and image. Raises `base.Unusable` for a small or oblong one, and as `base.read_bytes`."""
    data = base.read_bytes(path)
    image = base.decoded(data)
    height, width = image.shape[:2]
    if min(height, width) < _SMALLEST:
        raise base.Unusable(f"smaller than {_SMALLEST} pixels")
    if abs(height - width) > _SQUARE * max(height, width):
        raise base.Unusable("not square, so no face crop")
    return data, image
