"""Pictures as a screen shows them, uint8 RGB: all figures are measured on these bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

_CHUNK = 32  # pictures compared at once


def to_bytes(images: Any) -> UInt8[np.ndarray, "*batch H W 3"]:
    """Pictures in [-1, 1] as a screen shows them. Raises `ValueError` where a value is not finite."""
    images = np.asarray(images, np.float32)
    if not np.isfinite(images).all():
        raise ValueError("the model made a picture with values that are not finite; its weights are spoilt")
    return np.clip(np.rint((images + 1) * 127.5), 0, 255).astype(np.uint8)


def to_floats(pictures: UInt8[np.ndarray, "*batch H W 3"]) -> Float[np.ndarray, "*batch H W 3"]:
    """Bytes as float32 in [-1, 1]."""
    return pictures.astype(np.float32) / 127.5 - 1


def compare(measure, ones: UInt8[np.ndarray, "n H W 3"], others: UInt8[np.ndarray, "n H W 3"]) -> np.ndarray:
    """A measure of `metrics.image_quality` on bytes, `(n,)`, in chunks of one shape."""
    values = []
    for start in range(0, len(ones), _CHUNK):
        some = np.arange(start, start + _CHUNK).clip(max=len(ones) - 1)  # the last chunk repeats its last picture
        values.append(measure(to_floats(ones[some]), to_floats(others[some]))[: len(ones) - start])
    return np.concatenate(values)
