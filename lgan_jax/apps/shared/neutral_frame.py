"""Chooses the neutral face of a person: seen from the front, at rest, with the mouth closed."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from lgan_jax.apps.shared import sampled_frames
from lgan_jax.apps.shared.face_reader import Reader
from lgan_jax.landmarks import Scheme, inter_ocular, mirrored
from lgan_jax.media.source import Source

_LOOKED_AT = 64  # frames of a video, evenly spaced, among which the neutral one is chosen


def most_neutral(landmarks: Float[np.ndarray, "k N 2"], scheme: Scheme) -> int:
    """The index of the most neutral of one person's landmarks in a run's frame.

    It is the one with the least sum, in inter-ocular distances, of the mean distance of its points from their medians
    over all k (an unusual pose or expression), the mean distance from its own mirror image (a turned head, a crooked
    mouth) and the opening of the lips.
    """
    unit = inter_ocular(landmarks, scheme)
    unusual = np.linalg.norm(landmarks - np.median(landmarks, axis=0)[None], axis=-1).mean(-1)
    uneven = np.linalg.norm(landmarks - mirrored(landmarks, scheme), axis=-1).mean(-1)
    opening = np.ptp(landmarks[:, scheme.groups["inner_lip"], 1], axis=1)
    return int(((unusual + uneven + opening) / unit).argmin())


def neutral_frame(
    source: Source, reader: Reader, scheme: Scheme, index: int | None
) -> tuple[int, Float[np.ndarray, "N 2"]]:
    """The neutral driving frame, and its landmarks: the one at `index`, or the most neutral of 64.

    Raises `ValueError` where there is no such frame, or no face in it.
    """
    wanted = sampled_frames.evenly(source, _LOOKED_AT) if index is None else range(index, index + 1)
    located = [(number, face) for number, face in sampled_frames.faces(source, reader, wanted) if face is not None]
    found = [(number, reader.points([face])[0]) for number, face in located]
    if not found:
        where = f"frame {index}" if index is not None else "any frame"
        raise ValueError(f"--relative: there is no face in {where} of {source.path}")
    return found[most_neutral(np.stack([points for _, points in found]), scheme)]
