"""Finds pairs of images of a person with different expressions.

Training on pairs (`methods.dftnet.pairs`) needs two images that differ only in expression. Ways to find them:

- "pose": in a recording, light and background hardly change and poses recur. Of the frames whose nose and eye corners
  coincide, those with the most different action units are paired.
- "expression": images with different expression labels, as a neutral and a smiling photo.
- "action_units": images with the most different action units, in any pose and light.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from lgan_jax.landmarks import Scheme, inter_ocular, to_ibug68
from lgan_jax.ops.frontal import RIGID

Way = Literal["pose", "expression", "action_units"]

_NEAR = 0.03  # largest mean distance of the rigid points, in inter-ocular distances
_NEIGHBOURS = 128  # nearest frames in pose that are searched for partners
_PARTNERS = 4  # of a frame, at most
_DIFFERENT = 0.15  # an action unit of a partner must differ by this much
_NONE = np.zeros((0, 2), int)


def in_turns(split: Any) -> Int[np.ndarray, "pairs 2"]:
    """Pairs of a `Split` in which each identity's records are stored as consecutive pairs."""
    return np.concatenate([members.reshape(-1, 2) for members in _people(split.identity)])


def found(split: Any, scheme: Scheme, ways: Sequence[Way] = ("pose",)) -> Int[np.ndarray, "pairs 2"]:
    """Pairs in a `Split`, identity by identity, found in any of the ways whose arrays the split has.

    Each image is paired with at most four others in each way; a pair appears once.
    """
    if not len(split):
        return _NONE
    there = {"expression"} if split.expression is not None else set()
    there |= {"landmarks", "action_units"} & split.without_image(0).keys()
    pairs = []
    for members in _people(split.identity):
        records = [split.without_image(int(place)) for place in members]
        arrays = {key: np.stack([record[key] for record in records]) for key in there}
        each = [_NONE]
        if "pose" in ways and {"landmarks", "action_units"} <= there:
            each.append(alike(arrays["landmarks"], arrays["action_units"], scheme))
        if "expression" in ways and "expression" in there:
            each.append(labelled(arrays["expression"]))
        if "action_units" in ways and "action_units" in there:
            each.append(unlike(arrays["action_units"]))
        pairs.append(members[np.unique(np.concatenate(each), axis=0)])
    return np.concatenate(pairs)


def labelled(expression: Int[np.ndarray, " n"]) -> Int[np.ndarray, "pairs 2"]:
    """Pairs among one person's n images with different expressions; those below 0 are unknown and in no pair."""
    partners = []
    for label in expression:
        others = np.flatnonzero((expression != label) & (expression >= 0) & (label >= 0))
        count = min(_PARTNERS, len(others))
        partners.append(others[(2 * np.arange(count) + 1) * len(others) // (2 * max(count, 1))])
    return _each_once(np.repeat(np.arange(len(partners)), list(map(len, partners))), np.concatenate(partners))


def unlike(units: Float[np.ndarray, "n 17"]) -> Int[np.ndarray, "pairs 2"]:
    """Pairs among one person's n images with different action units in [0, 1], whatever their pose."""
    pairs = []
    for first, own in enumerate(units):
        change = np.abs(units - own)
        worth = np.where(change.max(-1) >= _DIFFERENT, change.sum(-1), 0.0)
        best = np.argsort(-worth, kind="stable")[:_PARTNERS]
        best = best[worth[best] > 0]
        pairs.append(_each_once(np.full(len(best), first), best))
    return np.unique(np.concatenate(pairs), axis=0)


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
        return _NONE
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
    return _each_once(first[kept], np.take_along_axis(place, best, 1).ravel()[kept])


def _each_once(first: Int[np.ndarray, " n"], second: Int[np.ndarray, " n"]) -> Int[np.ndarray, "pairs 2"]:
    return np.unique(np.sort(np.stack([first, second], 1).astype(int), axis=1), axis=0)


def _people(identity: Int[np.ndarray, " n"]) -> list[np.ndarray]:
    return [np.flatnonzero(identity == number) for number in np.unique(identity)]
