"""Reenactment metrics of Sun et al., section 3.3: a cycle to the target and back to the source.

A driving frame of s has landmarks L_s. generated = a face of t from L_s; returned = a face of s from Ω(generated), the
landmarks that the run's own detector finds on the generated face. Every generator, also a baseline, has this cycle.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int, UInt8

from lgan_jax.evaluation.dlib_evaluator import DlibEvaluator, distinct, found_in
from lgan_jax.landmarks import IBUG68, Scheme
from lgan_jax.media.images import to_floats
from lgan_jax.methods.landmarkgan.evaluation.baselines import Generator
from lgan_jax.metrics.identity import distance_where_known
from lgan_jax.metrics.image_quality import compare, l1, psnr, ssim
from lgan_jax.metrics.lmk import checked_nme, lmk
from lgan_jax.ops.spacing import evenly_spaced
from lgan_jax.protocols import LandmarkDetector

_BLOCK = 256  # pairs in memory at once


@dataclasses.dataclass(frozen=True)
class Frames:
    """Test frames of one identity.

    Attributes:
      identity: index of the identity.
      images: uint8 `(F, H, W, 3)`.
      landmarks: float32 `(F, N, 2)`, from the data set.
      seen: float32 `(F, 68, 2)`, dlib's landmarks; NaN for a frame without a detected face.
      reference: dlib's descriptor `(128,)` of the most frontal test frame; NaN if there is none.
    """

    identity: int
    images: UInt8[np.ndarray, "F H W 3"]
    landmarks: Float32[np.ndarray, "F N 2"]
    seen: Float32[np.ndarray, "F 68 2"]
    reference: Float32[np.ndarray, " 128"]


@dataclasses.dataclass(frozen=True)
class Cases:
    """Metrics of generated faces, one value per case, in the same order for every generator; NaN if not measured.

    Attributes:
      source, frame: identity of the driving frame, and its index among this identity's test frames.
      target: the generated identity.
      metrics: values by the keys of the table's columns.
      asked: mask of the cases for which ID is measured.
    """

    source: Int[np.ndarray, " n"]
    frame: Int[np.ndarray, " n"]
    target: Int[np.ndarray, " n"]
    metrics: Mapping[str, np.ndarray]
    asked: np.ndarray

    def at(self, chosen: np.ndarray) -> Cases:
        """Selects cases by index or mask."""
        metrics = {key: values[chosen] for key, values in self.metrics.items()}
        return Cases(self.source[chosen], self.frame[chosen], self.target[chosen], metrics, self.asked[chosen])


class Measured(NamedTuple):
    """The frames, the generators and their metrics by name; reenactment is empty with a single identity."""

    people: list[Frames]
    reenacting: Mapping[str, Generator]
    reconstructing: Mapping[str, Generator]
    reenactment: Mapping[str, Cases]
    reconstruction: Mapping[str, Cases]


def _joined(parts: Sequence[Cases]) -> Cases:
    metrics = {key: np.concatenate([part.metrics[key] for part in parts]) for key in parts[0].metrics}
    names = ("source", "frame", "target", "asked")
    return Cases(metrics=metrics, **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def reenact(
    generator: Generator,
    detector: LandmarkDetector,
    dlib: DlibEvaluator,
    people: Sequence[Frames],
    identity_frames: int,
    identities: int,
) -> Cases:
    """Measures the reenactment of every test frame by every other identity, and back.

    Metrics: `lmk`, ‖dlib(original) − dlib(returned)‖₂ over 68 points; `error`, the same as a mean distance in
    inter-ocular units; `own_lmk`, ‖L_s − Ω(returned)‖₂ over the scheme's points; `ssim` of original and returned;
    `identity`, dlib's distance of the generated face and the target's reference; `generated_found` and
    `returned_found`, whether dlib finds a face.

    Args:
      generator: generator of the faces.
      detector: Ω.
      dlib: the dlib evaluator; its metrics are NaN if dlib is not installed.
      people: frames of the sources.
      identity_frames: number of frames of each source for ID (evenly spaced).
      identities: number of targets.
    """
    # Ordered by target, because the model batches landmarks by target.
    pairs = [
        (person, frame, target)
        for target in range(identities)
        for person in people
        for frame in range(len(person.images))
        if target != person.identity
    ]
    references = np.full((identities, 128), np.nan, np.float32)
    for person in people:
        references[person.identity] = person.reference
    blocks = [pairs[start : start + _BLOCK] for start in range(0, len(pairs), _BLOCK)]
    return _joined([_block(generator, detector, dlib, block, references, identity_frames) for block in blocks])


def _block(
    generator: Generator,
    detector: LandmarkDetector,
    dlib: DlibEvaluator,
    pairs: Sequence[tuple[Frames, int, int]],
    references: Float32[np.ndarray, "identities 128"],
    identity_frames: int,
) -> Cases:
    """Measures one block of pairs, which bounds the number of images in memory."""
    originals = np.stack([person.images[frame] for person, frame, _ in pairs])
    landmarks = np.stack([person.landmarks[frame] for person, frame, _ in pairs])
    source = np.array([person.identity for person, _, _ in pairs])
    target = np.array([target for _, _, target in pairs])
    asked = np.array([frame in evenly_spaced(range(len(person.images)), identity_frames) for person, frame, _ in pairs])
    generated = generator(landmarks, target, source)
    returned = generator(detect(detector, generated), source, target)
    after = dlib.landmarks(returned)
    whole, error = differences(np.stack([person.seen[frame] for person, frame, _ in pairs]), after, IBUG68)
    identity = np.full(len(pairs), np.nan)
    possible = np.flatnonzero(asked & found_in(references)[target])
    identity[possible] = distance_where_known(dlib.descriptors(generated[possible]), references[target[possible]])
    metrics = {
        "lmk": whole,
        "error": error,
        "own_lmk": lmk(landmarks, detect(detector, returned)),
        "ssim": compare(ssim, originals, returned),
        "identity": identity,
        "generated_found": found_in(dlib.landmarks(generated)),
        "returned_found": found_in(after),
    }
    return Cases(source, np.array([frame for _, frame, _ in pairs]), target, metrics, asked)


def reconstruct(
    generator: Generator, detector: LandmarkDetector, dlib: DlibEvaluator, people: Sequence[Frames], scheme: Scheme
) -> Cases:
    """Measures the reconstruction of every test frame from its own landmarks by the same identity, without conversion.

    Metrics: `ssim`, `psnr` and `l1` of the frame and its copy; `own_error`, Ω(copy) against the data set's landmarks,
    and `error`, dlib(copy) against dlib(frame), in inter-ocular units; `found`, whether dlib finds a face in the copy.
    """
    parts = []
    for frames in people:
        count = len(frames.images)
        identity = np.full(count, frames.identity)
        copy = generator(frames.landmarks, identity, identity)
        seen = dlib.landmarks(copy)
        metrics = {
            "ssim": compare(ssim, frames.images, copy),
            "psnr": compare(psnr, frames.images, copy),
            "l1": compare(l1, frames.images, copy),
            "own_error": checked_nme(detect(detector, copy), frames.landmarks, scheme),
            "error": differences(frames.seen, seen, IBUG68)[1],
            "found": found_in(seen),
        }
        parts.append(Cases(identity, np.arange(count), identity, metrics, np.zeros(count, bool)))
    return _joined(parts)


def detect(detector: LandmarkDetector, images: UInt8[np.ndarray, "n H W 3"]) -> Float32[np.ndarray, "n N 2"]:
    """Ω(images): landmarks by the run's own detector, computed once per distinct image."""
    first, inverse = distinct(images)
    return np.asarray(detector.detect(to_floats(images[first])), np.float32)[inverse]


def differences(
    before: Float32[np.ndarray, "n N 2"], after: Float32[np.ndarray, "n N 2"], scheme: Scheme
) -> tuple[np.ndarray, np.ndarray]:
    """LMK and the error per landmark of each pair; NaN if either face was not found."""
    both = found_in(before) & found_in(after)
    whole, error = np.full(len(before), np.nan), np.full(len(before), np.nan)
    whole[both] = lmk(before[both], after[both])
    error[both] = checked_nme(after[both], before[both], scheme)
    return whole, error


def asymmetry(landmarks: Float32[np.ndarray, "*batch N 2"], scheme: Scheme) -> np.ndarray:
    """Left-right asymmetry of a face in [0, 1]: 0 is a frontal view (`*batch`).

    The landmarks z are centered and mirrored (x to −x, left and right exchanged) to w, and a similarity transform
    aligns w with z by least squares. The residual, as a share of z's variance, is 1 − |⟨w, z⟩|² / (‖w‖² ‖z‖²) with
    the points as complex numbers. Roll has no effect; yaw moves the nose and shortens one side. Pitch and a symmetric
    expression have no effect.
    """
    z = landmarks[..., 0].astype(np.float64) + 1j * landmarks[..., 1]
    z = z - z.mean(-1, keepdims=True)
    w = -z.conj()[..., np.array(scheme.mirror)]
    product = np.abs((w.conj() * z).sum(-1)) ** 2
    size = (np.abs(z) ** 2).sum(-1)
    if np.any(size == 0):
        raise ValueError("all landmarks of a face are the same point")
    return np.asarray(1 - product / size**2)


def most_frontal(landmarks: Float32[np.ndarray, "n N 2"], scheme: Scheme) -> Int[np.ndarray, " n"]:
    """Indices of faces, the most frontal first."""
    return np.argsort(asymmetry(landmarks, scheme), kind="stable")
