"""Evenly spaced items of a sequence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def evenly_spaced(items: Sequence[int] | np.ndarray, most: int) -> np.ndarray:
    """At most `most` of the items, evenly spaced, ends included; deterministic."""
    items = np.asarray(items)
    if len(items) <= most:
        return items
    if most == 1:
        return items[[len(items) // 2]]
    return items[np.rint(np.linspace(0, len(items) - 1, most)).astype(np.int64)]
