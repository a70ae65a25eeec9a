"""Differences between two sets of landmarks.

Landmarks are `(..., N, 2)`, (x, y), fractions of the image in [0, 1]. A little outside is allowed (a chin below the
crop), pixels are not: see `checks.landmarks`.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Array, Float

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


def nme(
    found: Float[Array | np.ndarray, "*batch N 2"], true: Float[Array | np.ndarray, "*batch N 2"], scheme: Scheme
) -> Float[Array | np.ndarray, "*batch"]:
    """Normalised mean error: mean distance of a landmark from the true one, over the inter-ocular distance of `true`.

    The unit is the distance between the outer eye corners, so the figure can be compared across sizes, crops and data.
    For arrays of NumPy or JAX, of which nothing is checked; see `checked_nme`.
    """
    distance = found.__array_namespace__().sqrt(((found - true) ** 2).sum(-1))
    return distance.mean(-1) / inter_ocular(true, scheme)


def checked_nme(
    found: Float[np.ndarray, "*batch N 2"], true: Float[np.ndarray, "*batch N 2"], scheme: Scheme
) -> Float[np.ndarray, "*batch"]:
    """`nme`; raises `ValueError` for landmarks without one.

    They are not finite, not fractions of the image, of another count than the scheme's, or with both eye corners of
    `true` in one place.
    """
    check_landmarks(found, scheme)
    check_landmarks(true, scheme)
    if np.any(inter_ocular(true, scheme) <= 0):
        raise ValueError("the outer eye corners of a face lie in one place; its error has no unit")
    return np.asarray(nme(found, true, scheme))


def nme_where_known(
    found: Float[np.ndarray, "n N 2"], true: Float[np.ndarray, "n N 2"], scheme: Scheme
) -> Float[np.ndarray, " n"]:
    """`checked_nme`; NaN where landmarks of either are not finite."""
    there = np.isfinite(found).all((1, 2)) & np.isfinite(true).all((1, 2))
    errors = np.full(len(found), np.nan)
    if there.any():
        errors[there] = checked_nme(np.asarray(found[there], np.float64), np.float64(true[there]), scheme)
    return errors


def check_landmarks(landmarks: np.ndarray, scheme: Scheme | None = None) -> None:
    """Raises `ValueError` unless landmarks are finite fractions of the image, and as many as `scheme` has."""
    if scheme is not None and landmarks.shape[-2] != scheme.count:
        raise ValueError(f"{scheme.name} has {scheme.count} landmarks, these are {landmarks.shape[-2]}")
    if not np.isfinite(landmarks).all():
        raise ValueError("landmarks hold values that are not finite; leave those faces out before measuring")
    checks.landmarks(landmarks, *landmarks.shape[-2:], leading=True)
