"""Landmarks in iBUG's text format, `.pts`."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def text(points: Float[np.ndarray, "N 2"]) -> str:
    """The contents of a `.pts` file of landmarks in pixels, which count from 0 here and from 1 in the file."""
    lines = "\n".join(f"{x:.3f} {y:.3f}" for x, y in points + 1)
    return f"version: 1\nn_points: {len(points)}\n{{\n{lines}\n}}\n"
