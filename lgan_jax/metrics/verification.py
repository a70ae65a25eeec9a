"""Whether generated faces still pass for the person: identification at rank 1, and verification at a false accept rate.

Probes are looked up in a gallery by the Euclidean distance of their descriptors. A comparison is genuine where both are
of one person, an impostor's where they are not. Source: section IV.C.2 and Table 6 of Li et al., IEEE Access 2021.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

RATES = (0.01, 0.001)  # false accept rates of Table 6
_ROUNDING = 1e-9


class Verification(NamedTuple):
    """How well probes find their own people.

    Attributes:
      rank1: share of the probes whose nearest face of the gallery is of the same person; NaN without a probe.
      tar: false accept rate → share of genuine comparisons that are accepted at the distance at which no larger a share
        of the impostors' is; NaN where there are too few impostors' to tell (see `needed`), or no genuine one.
      probes: number of probes with both an image of the same person and one of another person in the gallery; no other
        is counted.
      genuine, impostor: how many comparisons of these probes there are of each kind.
    """

    rank1: float
    tar: Mapping[float, float]
    probes: int
    genuine: int
    impostor: int


def verify(
    distances: Float[np.ndarray, "probes gallery"],
    same: Bool[np.ndarray, "probes gallery"],
    compared: Bool[np.ndarray, "probes gallery"] | None = None,
    rates: Sequence[float] = RATES,
) -> Verification:
    """Rank-1 identification and true accept rates.

    At the rate f of N impostors' comparisons, ⌊f·N⌋ of them may be accepted: accepted is what is nearer than the one
    that comes after these. Equal distances are accepted or refused together.

    Args:
      distances: of each probe to each face of the gallery.
      same: whether both are of one person.
      compared: which comparisons count, such as all but those of a probe with its source image; all by
        default.
      rates: false accept rates, each in (0, 1).

    Raises:
      ValueError: a distance that counts is negative or not finite (a face that was not found), or a rate is outside
        (0, 1).
    """
    compared = np.ones_like(same) if compared is None else compared
    for rate in rates:
        if not 0 < rate < 1:
            raise ValueError(f"a false accept rate is between 0 and 1, not {rate}")
    if not (np.isfinite(distances[compared]).all() and (distances[compared] >= 0).all()):
        raise ValueError("a distance is negative or not finite; leave out faces that were not found")
    able = (same & compared).any(1) & (~same & compared).any(1)
    distances, same, compared = distances[able].astype(np.float64), same[able], compared[able]
    genuine, impostor = distances[same & compared], np.sort(distances[~same & compared])
    found = same[np.arange(len(distances)), np.where(compared, distances, np.inf).argmin(1)] if len(distances) else []
    return Verification(
        rank1=float(np.mean(found)) if len(distances) else math.nan,
        tar={rate: _accepted(genuine, impostor, rate) for rate in rates},
        probes=len(distances),
        genuine=len(genuine),
        impostor=len(impostor),
    )


def needed(rate: float) -> int:
    """The fewest impostors' comparisons with which a false accept rate can be distinguished from 0."""
    return math.ceil(1 / rate - _ROUNDING)


def pairwise(
    probes: Float[np.ndarray, "probes D"], gallery: Float[np.ndarray, "gallery D"]
) -> Float[np.ndarray, "probes gallery"]:
    """The Euclidean distance of every probe's descriptor to every one of the gallery."""
    rows = [np.linalg.norm(gallery - probe, axis=-1) for probe in probes]
    return np.stack(rows) if rows else np.zeros((0, len(gallery)), gallery.dtype)


def people(probes: Int[np.ndarray, " probes"], gallery: Int[np.ndarray, " gallery"]) -> Bool[np.ndarray, "_ _"]:
    """`(probes, gallery)`: whether both are of one person, by the people's numbers."""
    return probes[:, None] == gallery[None, :]


def _accepted(genuine: np.ndarray, impostor: np.ndarray, rate: float) -> float:
    """The true accept rate; NaN where it cannot be determined."""
    if not len(genuine) or len(impostor) < needed(rate):
        return math.nan
    allowed = math.floor(rate * len(impostor) + _ROUNDING)
    return float(np.mean(genuine < impostor[allowed]))
