"""Measuring reenactment as Sun et al. do (section 3.3): there to the target, back to the source, and compare.

A driving frame of s has landmarks L_s. made = a face of t from L_s; back = a face of s from Ω(made), the landmarks
that the run's own detector finds on the made face. The same procedure for every maker (the model and the baselines).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Int, UInt8

from lgan_jax.data.kept import evenly
from lgan_jax.evaluation.judge import Judge, distinct
from lgan_jax.landmarks import IBUG68, Scheme
from lgan_jax.media.images import to_floats
from lgan_jax.methods.landmarkgan.evaluation.makers import Maker, Model
from lgan_jax.metrics.identity import identity_distance
from lgan_jax.metrics.image_quality import compare, l1, psnr, ssim
from lgan_jax.metrics.lmk import error_per_landmark, lmk

_BLOCK = 256  # pairs in memory at once


@dataclasses.dataclass(frozen=True)
class Frames:
    """Held-out frames of one identity.

    Attributes:
      identity: its index.
      pictures: uint8 `(F, H, W, 3)`.
      landmarks: float32 `(F, N, 2)`, the data set's.
      seen: float32 `(F, 68, 2)`, dlib's, NaN where it finds no face; None where dlib is not installed.
      reference: dlib's descriptor `(128,)` of the most frontal held-out frame; None where there is none.
    """

    identity: int
    pictures: UInt8[np.ndarray, "F H W 3"]
    landmarks: Float32[np.ndarray, "F N 2"]
    seen: Float32[np.ndarray, "F 68 2"] | None
    reference: Float32[np.ndarray, " 128"] | None


@dataclasses.dataclass
class Pairs:
    """One value for each (source frame, target), in the same order for every maker; NaN where not measured.

    Attributes:
      source, frame, target: which pair: identity, place among the source's held-out frames, identity.
      lmk: ‖dlib(original) − dlib(back)‖₂ over 68 points.
      error: the same difference as a mean distance in inter-ocular units.
      own_lmk: ‖L_s − Ω(back)‖₂ over the scheme's points.
      ssim: SSIM of the original and back.
      identity: dlib's distance of the made face and the target's reference, on some of the frames.
      asked: whether `identity` was to be measured on this pair.
      made_found, back_found: whether dlib finds a face.
    """

    source: np.ndarray
    frame: np.ndarray
    target: np.ndarray
    lmk: np.ndarray
    error: np.ndarray
    own_lmk: np.ndarray
    ssim: np.ndarray
    identity: np.ndarray
    asked: np.ndarray
    made_found: np.ndarray
    back_found: np.ndarray


def reenact(
    maker: Maker, model: Model, judge: Judge | None, people: Sequence[Frames], identity_frames: int, identities: int
) -> Pairs:
    """Every held-out frame to every other identity and back, and what is left of it.

    Args:
      maker: makes the faces.
      model: gives the detector Ω, nothing else.
      judge: dlib, or None where it is not installed: its figures are then all NaN.
      people: the sources.
      identity_frames: on how many frames of each source ID is measured (evenly spaced).
      identities: how many targets there are.
    """
    # Ordered by target, because a network takes the landmarks for one target together.
    todo = [
        (person, frame, target)
        for target in range(identities)
        for person in people
        for frame in range(len(person.pictures))
        if target != person.identity
    ]
    references = {person.identity: person.reference for person in people}
    parts = []
    for start in range(0, len(todo), _BLOCK):
        parts.append(_block(maker, model, judge, todo[start : start + _BLOCK], references, identity_frames))
    names = [field.name for field in dataclasses.fields(Pairs)]
    return Pairs(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _block(
    maker: Maker,
    model: Model,
    judge: Judge | None,
    todo: Sequence[tuple[Frames, int, int]],
    references: dict[int, np.ndarray | None],
    identity_frames: int,
) -> Pairs:
    """Some of the pairs: memory stays that of so many pictures."""
    originals = np.stack([person.pictures[frame] for person, frame, _ in todo])
    landmarks = np.stack([person.landmarks[frame] for person, frame, _ in todo])
    source = np.array([person.identity for person, _, _ in todo])
    target = np.array([target for _, _, target in todo])
    asked = np.array([frame in evenly(range(len(person.pictures)), identity_frames) for person, frame, _ in todo])
    made = maker(landmarks, target)
    back = maker(detect(model, made), source)
    unseen = np.full((len(todo), 68, 2), np.nan, np.float32)
    before, after, between = unseen, unseen, unseen
    if judge is not None:
        before = np.stack([person.seen[frame] for person, frame, _ in todo])
        between, after = judge.landmarks(made), judge.landmarks(back)
    whole, error = differences(before, after, IBUG68)
    return Pairs(
        source=source,
        frame=np.array([frame for _, frame, _ in todo]),
        target=target,
        lmk=whole,
        error=error,
        own_lmk=lmk(landmarks, detect(model, back)),
        ssim=compare(ssim, originals, back),
        identity=_identity(judge, made, target, asked, references),
        asked=asked,
        made_found=~np.isnan(between).any((1, 2)),
        back_found=~np.isnan(after).any((1, 2)),
    )


def _identity(
    judge: Judge | None,
    made: np.ndarray,
    target: np.ndarray,
    asked: np.ndarray,
    references: dict[int, np.ndarray | None],
) -> np.ndarray:
    distances = np.full(len(made), np.nan)
    possible = np.flatnonzero(asked & np.array([references.get(int(t)) is not None for t in target]))
    if judge is None or len(possible) == 0:
        return distances
    descriptors = judge.descriptors(made[possible])
    for place, descriptor in zip(possible, descriptors):
        if not np.isnan(descriptor).any():
            distances[place] = identity_distance(descriptor, references[int(target[place])])
    return distances


@dataclasses.dataclass
class Redrawn:
    """One value for each held-out frame, drawn again from its own landmarks; NaN where not measured.

    Attributes:
      ssim, psnr, l1: of the frame and its copy; dB, and the share of the range from black to white.
      own_error: Ω(copy) against the data set's landmarks, in inter-ocular units.
      error: dlib(copy) against dlib(frame), in inter-ocular units.
      found: whether dlib finds a face in the copy.
      identity: whose frame it is.
    """

    ssim: np.ndarray
    psnr: np.ndarray
    l1: np.ndarray
    own_error: np.ndarray
    error: np.ndarray
    found: np.ndarray
    identity: np.ndarray


def redraw(maker: Maker, model: Model, judge: Judge | None, people: Sequence[Frames], scheme: Scheme) -> Redrawn:
    """Every held-out frame drawn from its own landmarks by the same identity: no conversion, one way only."""
    parts = []
    for frames in people:
        copy = maker(frames.landmarks, np.full(len(frames.pictures), frames.identity))
        unseen = np.full((len(copy), 68, 2), np.nan, np.float32)
        seen = unseen if judge is None else judge.landmarks(copy)
        parts.append(
            Redrawn(
                ssim=compare(ssim, frames.pictures, copy),
                psnr=compare(psnr, frames.pictures, copy),
                l1=compare(l1, frames.pictures, copy),
                own_error=error_per_landmark(detect(model, copy), frames.landmarks, scheme),
                error=differences(unseen if frames.seen is None else frames.seen, seen, IBUG68)[1],
                found=~np.isnan(seen).any((1, 2)),
                identity=np.full(len(copy), frames.identity),
            )
        )
    names = [field.name for field in dataclasses.fields(Redrawn)]
    return Redrawn(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def detect(model: Model, pictures: UInt8[np.ndarray, "n H W 3"]) -> Float32[np.ndarray, "n N 2"]:
    """Ω(pictures): the run's own detector, asked once for each different picture."""
    first, inverse = distinct(pictures)
    return np.asarray(model.detect(to_floats(pictures[first])), np.float32)[inverse]


def differences(
    before: Float32[np.ndarray, "n N 2"], after: Float32[np.ndarray, "n N 2"], scheme: Scheme
) -> tuple[np.ndarray, np.ndarray]:
    """LMK and the error per landmark of each pair, NaN where either face was not found."""
    both = ~(np.isnan(before).any((1, 2)) | np.isnan(after).any((1, 2)))
    whole, error = np.full(len(before), np.nan), np.full(len(before), np.nan)
    whole[both] = lmk(before[both], after[both])
    error[both] = error_per_landmark(after[both], before[both], scheme)
    return whole, error


def asymmetry(landmarks: Float32[np.ndarray, "*batch N 2"], scheme: Scheme) -> np.ndarray:
    """How far a face is from being its own mirror image, in [0, 1]: 0 is a frontal view (`*batch`).

    The landmarks z are centred and mirrored (x to −x, left and right exchanged) to w, and w is moved, rotated and
    scaled onto z as well as it can be. What remains, as a share of z's variance, is 1 − |⟨w, z⟩|² / (‖w‖² ‖z‖²) with
    the points as complex numbers. Rolling the head changes nothing; turning it moves the nose and shortens one side.
    Looking up or down, and a symmetric expression, are not seen.
    """
    z = landmarks[..., 0].astype(np.float64) + 1j * landmarks[..., 1]
    z = z - z.mean(-1, keepdims=True)
    w = -z.conj()[..., np.array(scheme.mirror)]
    product = np.abs((w.conj() * z).sum(-1)) ** 2
    size = (np.abs(z) ** 2).sum(-1)
    if np.any(size == 0):
        raise ValueError("the landmarks of a face all lie in one place")
    return np.asarray(1 - product / size**2)


def most_frontal(landmarks: Float32[np.ndarray, "n N 2"], scheme: Scheme) -> Int[np.ndarray, " n"]:
    """Indices of faces, the most frontal first."""
    return np.argsort(asymmetry(landmarks, scheme), kind="stable")
