"""Selects the frames that are fit for training: drops unreadable, faceless, blurred and jumping frames."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from lgan_jax.data.prepare.tracking import Observation
from lgan_jax.landmarks import IBUG68

KEPT, UNREADABLE, NO_FACE, SMALL, BLURRED, JUMP = "kept", "unreadable", "no face", "small", "blurred", "jump"
DROPPED = (
    UNREADABLE,
    NO_FACE,
    SMALL,
    BLURRED,
    JUMP,
)  # in the order in which they are tested: each frame has one reason

_STILL = 0.002  # of the face's size: the least median motion, so that a still face can blink
_REVERTS = 0.5  # the frames around a jump differ by less than this share of the jump
_AGREES = 0.4  # least overlap of the detector's box with that of the landmarks


def verdicts(
    frames: Observation,
    moving: Bool[np.ndarray, " n"],
    blur: float,
    jump: float,
    smallest: Float[np.ndarray, " n"] | float = 0.0,
) -> np.ndarray:
    """The verdict on each of a person's n frames: `KEPT`, or the reason to drop it.

    `moving[i]` is True if frame i follows frame i - 1 in time; `blur` and `jump` are fields of `Options`; `smallest` is
    the smallest extent of a face in pixels.
    """
    result = np.full(len(frames.found), KEPT, dtype=object)
    result[jumps(frames, moving, jump)] = JUMP
    result[frames.found & (frames.agreement < _AGREES)] = JUMP
    if frames.found.any():
        result[frames.found & (frames.sharpness < blur * np.median(frames.sharpness[frames.found]))] = BLURRED
    extent = np.ptp(frames.landmarks * frames.size[:, None], axis=1).max(-1)
    result[frames.found & (extent < smallest)] = SMALL
    result[~frames.found] = NO_FACE
    result[~frames.readable] = UNREADABLE
    return result


def jumps(frames: Observation, moving: Bool[np.ndarray, " n"], factor: float) -> Bool[np.ndarray, " n"]:
    """Frames whose inner landmarks jump away and return in the next frame, as no head moves.

    From the frame before and to the frame after, the motion is more than `factor` times its median over the person's
    video, while these two frames differ by less than half of it.
    """
    result = np.zeros(len(frames.found), bool)
    follows = moving[1:] & frames.found[1:] & frames.found[:-1]
    if factor == 0 or not follows.any():
        return result
    points = _in_face_sizes(frames)
    step = _distance(points[1:], points[:-1])
    limit = factor * max(float(np.median(step[follows])), _STILL)
    over = _distance(points[2:], points[:-2])
    smaller = np.minimum(step[1:], step[:-1])
    result[1:-1] = follows[1:] & follows[:-1] & (smaller > limit) & (over < _REVERTS * smaller)
    return result


def _in_face_sizes(frames: Observation) -> Float[np.ndarray, "n 51 2"]:
    """Inner landmarks in units of the person's median face, whose size is the larger side of the box around it."""
    points = frames.landmarks[:, IBUG68.inner].astype(np.float64) * frames.size[:, None]
    return points / np.median(np.ptp(points[frames.found], axis=1).max(-1))


def _distance(a: np.ndarray, b: np.ndarray) -> Float[np.ndarray, " n"]:
    return np.linalg.norm(a - b, axis=-1).mean(-1)
