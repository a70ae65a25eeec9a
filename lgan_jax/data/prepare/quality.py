"""Which frames are fit to train on, and why the others are not."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from lgan_jax.data.prepare.tracking import Observation
from lgan_jax.landmarks import IBUG68

KEPT, UNREADABLE, NO_FACE, BLURRED, JUMP = "kept", "unreadable", "no face", "blurred", "jump"
DROPPED = (UNREADABLE, NO_FACE, BLURRED, JUMP)  # in the order in which they are tested: each frame has one reason

_STILL = 0.002  # of the face's size: the least median motion, so that a still face may blink
_REVERTS = 0.5  # the frames around a jump differ by less than this share of the jump
_AGREES = 0.4  # least overlap of the detector's box with the landmarks'


def verdicts(seen: Observation, moving: Bool[np.ndarray, " n"], blur: float, jump: float) -> np.ndarray:
    """For each of a person's n frames: `KEPT`, or the reason to drop it.

    `moving[i]` says that frame i follows frame i - 1 in time; `blur` and `jump` are those of `Options`.
    """
    result = np.full(len(seen.found), KEPT, dtype=object)
    result[jumps(seen, moving, jump)] = JUMP
    result[seen.found & (seen.agreement < _AGREES)] = JUMP
    if seen.found.any():
        result[seen.found & (seen.sharpness < blur * np.median(seen.sharpness[seen.found]))] = BLURRED
    result[~seen.found] = NO_FACE
    result[~seen.readable] = UNREADABLE
    return result


def jumps(seen: Observation, moving: Bool[np.ndarray, " n"], factor: float) -> Bool[np.ndarray, " n"]:
    """Frames whose inner landmarks leave their place and are back in the next frame, as no head moves.

    From the frame before and to the frame after, the motion is more than `factor` times its median over the person's
    video, while these two frames differ by less than half of it.
    """
    result = np.zeros(len(seen.found), bool)
    follows = moving[1:] & seen.found[1:] & seen.found[:-1]
    if factor == 0 or not follows.any():
        return result
    points = _in_face_sizes(seen)
    step = _distance(points[1:], points[:-1])
    limit = factor * max(float(np.median(step[follows])), _STILL)
    over = _distance(points[2:], points[:-2])
    smaller = np.minimum(step[1:], step[:-1])
    result[1:-1] = follows[1:] & follows[:-1] & (smaller > limit) & (over < _REVERTS * smaller)
    return result


def _in_face_sizes(seen: Observation) -> Float[np.ndarray, "n 51 2"]:
    """Inner landmarks in units of the person's median face, whose size is the larger side of the box around it."""
    points = seen.landmarks[:, IBUG68.inner].astype(np.float64) * seen.size[:, None]
    return points / np.median(np.ptp(points[seen.found], axis=1).max(-1))


def _distance(a: np.ndarray, b: np.ndarray) -> Float[np.ndarray, " n"]:
    return np.linalg.norm(a - b, axis=-1).mean(-1)
