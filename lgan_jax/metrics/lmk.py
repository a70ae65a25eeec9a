"""Differences between two sets of landmarks.

Landmarks are `(..., N, 2)`, (x, y), fractions of the image in [0, 1]. A little outside is allowed (a chin below the
crop), pixels are not: see `checks.landmarks`.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from lgan_jax import checks
from lgan_jax.landmarks import Scheme, inter_ocular


def lmk(one: Float[np.ndarray, "*batch N 2"], other: Float[np.ndarray, "*batch N 2"]) -> Float[np.ndarray, "*batch"]:
    """LMK = ‖L − L'‖₂ of whole landmark vectors: one square root over all 2N numbers (Sun et al., section 3.3).

    It grows with √N and with the share of the image that the face fills, so compare it within one data set only.
    Raises `ValueError` for landmarks that are not finite or not fractions of the image.
    """
    check_landmarks(one)
    check_landmarks(other)
    return np.asarray(np.sqrt(((one - other) ** 2).sum((-2, -1))))


def error_per_landmark(
    found: Float[np.ndarray, "*batch N 2"], true: Float[np.ndarray, "*batch N 2"], scheme: Scheme
) -> Float[np.ndarray, "*batch"]:
    """Mean distance of a landmark from where it should be, divided by the inter-ocular distance of `true`.

    The unit is the distance between the outer eye corners, so the figure can be compared across sizes, crops and data.
    Raises `ValueError` for landmarks that are not finite, not fractions of the image, of another count than the
    scheme's, or with both eye corners of `true` in one place.
    """
    check_landmarks(found, scheme)
    check_landmarks(true, scheme)
    unit = inter_ocular(true, scheme)
    if np.any(unit <= 0):
        raise ValueError("the outer eye corners of a face lie in one place; its error has no unit")
    distance = np.sqrt(((found - true) ** 2).sum(-1))
    return np.asarray(distance.mean(-1) / unit)


def error_where_known(
    found: Float[np.ndarray, "n N 2"], true: Float[np.ndarray, "n N 2"], scheme: Scheme
) -> Float[np.ndarray, " n"]:
    """`error_per_landmark`; NaN where landmarks of either are not finite."""
    there = np.isfinite(found).all((1, 2)) & np.isfinite(true).all((1, 2))
    errors = np.full(len(found), np.nan)
    if there.any():
        errors[there] = error_per_landmark(np.asarray(found[there], np.float64), np.float64(true[there]), scheme)
    return errors


def check_landmarks(landmarks: np.ndarray, scheme: Scheme | None = None) -> None:
    """Raises `ValueError` unless landmarks are finite fractions of the image, and as many as `scheme` has."""
    if scheme is not None and landmarks.shape[-2] != scheme.count:
        raise ValueError(f"{scheme.name} has {scheme.count} landmarks, these are {landmarks.shape[-2]}")
    if not np.isfinite(landmarks).all():
        raise ValueError("landmarks hold values that are not finite; leave those faces out before measuring")
    checks.landmarks(landmarks, *landmarks.shape[-2:], leading=True)
