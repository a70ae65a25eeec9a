"""Whether two images show one person: the distance of dlib's face descriptors.

A descriptor is `(..., 128)`, of about unit length; dlib calls two faces one person below a distance of 0.6.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

SAME_PERSON = 0.6


def identity_distance(
    one: Float[np.ndarray, "*batch D"], other: Float[np.ndarray, "*batch D"]
) -> Float[np.ndarray, "*batch"]:
    """ID of Sun et al., section 3.3: Euclidean distance of two descriptors; 0 is the same image.

    Raises `ValueError` for descriptors that are not finite (a face that was not found) or all zero.
    """
    for descriptors in (one, other):
        if not np.isfinite(descriptors).all():
            raise ValueError("a face descriptor is not finite; leave out faces that were not found")
        if (np.abs(descriptors).max(-1, initial=0.0) == 0).any():
            raise ValueError("a face descriptor is all zero; it was never computed")
    return np.asarray(np.sqrt(((one - other) ** 2).sum(-1)))


def distance_where_known(one: Float[np.ndarray, "n D"], other: Float[np.ndarray, "n D"]) -> Float[np.ndarray, " n"]:
    """`identity_distance`; NaN where a descriptor of either is."""
    there = ~(np.isnan(one) | np.isnan(other)).any(-1)
    distances = np.full(len(one), np.nan)
    distances[there] = identity_distance(one[there], other[there])
    return distances
