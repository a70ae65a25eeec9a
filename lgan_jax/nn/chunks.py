"""Batched inference over any number of inputs with few compiled shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import ArrayLike, Float32

from lgan_jax import checks
from lgan_jax.core import FaceInfo
from lgan_jax.ops import backend


def in_chunks(apply: Callable, *inputs: np.ndarray) -> Any:
    """Applies `apply` to inputs `(count, ...)` in padded chunks of 1 or `backend.Forms.chunk`.

    Returns a tree of float32 outputs, each `(count, ...)`.
    """
    count = len(inputs[0])
    size = 1 if count <= 1 else backend.forms().chunk

    def chunk(start: int) -> Any:
        parts = [x[start : start + size] for x in inputs]
        padded = [np.pad(part, [(0, size - len(part))] + [(0, 0)] * (part.ndim - 1)) for part in parts]
        return jax.tree.map(lambda outputs: np.asarray(outputs, np.float32)[: len(parts[0])], apply(*padded))

    return jax.tree.map(lambda *outputs: np.concatenate(outputs), *map(chunk, range(0, max(count, 1), size)))


def detect_in_chunks(detect: Callable, images: ArrayLike, info: FaceInfo) -> Float32[np.ndarray, "*batch n 2"]:
    """Applies `detect` to faces `(..., size, size, 3)` in [-1, 1]; returns landmarks in [0, 1].

    Raises `ValueError` for images of another size than `info.size` or outside [-1, 1], and for landmarks that are not
    finite: a run imported from published weights without a detector has NaN weights.
    """
    images = checks.images(images, info.size, info.size, 3, leading=True)
    found = in_chunks(detect, images.reshape(-1, *images.shape[-3:]))
    if not np.isfinite(found).all():
        raise ValueError("this run has no landmark detector; import it again with one (--detector RUN), or train one")
    return found.reshape(*images.shape[:-3], *found.shape[1:])
