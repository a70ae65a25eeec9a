"""Running a compiled network over any number of inputs with few compiled shapes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import ArrayLike, Float32

from lgan_jax.core import FaceInfo

_SIZES = (1, 16)  # of the chunks that are compiled for: a single frame, and many


def in_chunks(apply: Callable, inputs: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`apply` to inputs `(count, ...)` in padded chunks of 1 or 16; float32 outputs are `(count, *shape)`."""
    outputs = np.empty((len(inputs), *shape), np.float32)
    size = next((s for s in _SIZES if len(inputs) <= s), _SIZES[-1])
    for start in range(0, len(inputs), size):
        chunk = inputs[start : start + size]
        padding = [(0, size - len(chunk))] + [(0, 0)] * (inputs.ndim - 1)
        outputs[start : start + size] = np.asarray(apply(np.pad(chunk, padding)))[: len(chunk)]
    return outputs


def detect_in_chunks(detect: Callable, images: ArrayLike, info: FaceInfo) -> Float32[np.ndarray, "*batch n 2"]:
    """`detect(pictures)` of faces `(..., size, size, 3)` in [-1, 1]: landmarks in [0, 1].

    Raises `ValueError` for pictures of another size than `info` says, and where what is found is not finite: a run made
    of published weights without a detector has NaN in its place.
    """
    images = np.asarray(images, np.float32)
    if images.shape[-3:] != (info.size, info.size, 3):
        raise ValueError(f"pictures have the shape {images.shape}; expected (..., {info.size}, {info.size}, 3)")
    found = in_chunks(detect, images.reshape(-1, *images.shape[-3:]), (info.scheme.count, 2))
    if not np.isfinite(found).all():
        raise ValueError("this run has no landmark detector; make it again with one (--detector RUN), or train one")
    return found.reshape(*images.shape[:-3], *found.shape[1:])
