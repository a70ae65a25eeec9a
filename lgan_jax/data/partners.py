"""Finds pairs of frames in a person's recording with the same pose and different expressions.

Training on pairs (`methods.dftnet.pairs`) needs two images that differ only in expression. In a recording, light and
background hardly change and poses recur. Of the frames whose nose and eye corners coincide, those with the most
different action units are paired.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from lgan_jax.landmarks import Scheme, inter_ocular, to_ibug68
from lgan_jax.ops.frontal import RIGID

_NEAR = 0.03  # largest mean distance of the rigid points, in inter-ocular distances
_NEIGHBOURS = 128  # nearest frames in pose that are searched for partners
_PARTNERS = 4  # of a frame, at most
_DIFFERENT = 0.15  # an action unit of a partner must differ by this much


def in_turns(split: Any) -> Int[np.ndarray, "pairs 2"]:
    """Pairs of a `Split` in which each identity's records are stored as consecutive pairs."""
    return np.concatenate([members.reshape(-1, 2) for members in _people(split.identity)])


def found(split: Any, scheme: Scheme) -> Int[np.ndarray, "pairs 2"]:
    """Pairs in a `Split` of recordings, identity by identity; none without landmarks and action units."""
    first = split.without_image(0)
    if not {"landmarks", "action_units"} <= first.keys():
        return np.zeros((0, 2), int)
    pairs = []
    for members in _people(split.identity):
        records = [split.without_image(int(place)) for place in members]
        landmarks, units = (np.stack([record[key] for record in records]) for key in ("landmarks", "action_units"))
        pairs.append(members[alike(landmarks, units, scheme)])
    return np.concatenate(pairs)


def alike(
    landmarks: Float[np.ndarray, "n N 2"], units: Float[np.ndarray, "n 17"], scheme: Scheme
) -> Int[np.ndarray, "pairs 2"]:
    """Pairs among one person's n frames; none if no pose recurs.

    Each frame is paired with at most four others; a pair appears once.

    Args:
      landmarks: in any coordinate frame that all share.
      units: action units in [0, 1].
      scheme: of the landmarks; it must contain iBUG's 68 points.
    """
    if len(landmarks) < 2:
        return np.zeros((0, 2), int)
    points = to_ibug68(landmarks, scheme)
    rigid = points[:, RIGID].reshape(len(points), -1) / np.median(inter_ocular(landmarks, scheme))
    # in this norm `limit` is the mean distance where all points are off alike, and more where they are not
    limit = _NEAR * np.sqrt(len(RIGID))
    near = min(_NEIGHBOURS, len(rigid))
    distance, place = cKDTree(rigid).query(rigid, near, distance_upper_bound=limit)
    there = np.isfinite(distance)
    place = np.where(there, place, 0)
    change = np.abs(units[place] - units[:, None])
    worth = np.where(there & (change.max(-1) >= _DIFFERENT), change.sum(-1), -1.0)
    best = np.argsort(-worth, axis=1, kind="stable")[:, :_PARTNERS]
    first = np.repeat(np.arange(len(rigid)), best.shape[1])
    kept = np.take_along_axis(worth, best, 1).ravel() > 0
    pairs = np.stack([first, np.take_along_axis(place, best, 1).ravel()], 1)[kept]
    return np.unique(np.sort(pairs, axis=1), axis=0)


def _people(identity: Int[np.ndarray, " n"]) -> list[np.ndarray]:
    return [np.flatnonzero(identity == number) for number in np.unique(identity)]
