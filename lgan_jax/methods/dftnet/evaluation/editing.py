"""Measuring edited faces: were the wanted action units made, of the same person, and can the edit be undone?

Pictures are uint8 RGB as a screen shows them; all figures are measured on these bytes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

from lgan_jax import action_units
from lgan_jax.core import FaceInfo
from lgan_jax.evaluation.judge import Judge
from lgan_jax.landmarks import IBUG68
from lgan_jax.media.images import to_bytes, to_floats
from lgan_jax.methods.dftnet.evaluation.cases import Cases, Pictures, Units
from lgan_jax.metrics.identity import identity_distance
from lgan_jax.metrics.image_quality import compare, l1, psnr, ssim
from lgan_jax.ops.unit_estimate import ESTIMATED, estimate, neutral_head


@runtime_checkable
class Model(Protocol):
    """What an evaluation needs of an editor of expressions; see `methods.dftnet.model.ExpressionEditor`."""

    @property
    def info(self) -> FaceInfo:
        """Size and people of its data."""

    @property
    def baseline(self) -> Any:
        """The same for the run's GANimation, or None."""

    def edit(self, image: Any, action_units: Any) -> Any:
        """Faces in [-1, 1] with action units: an `Edited` of image, flow, attention, aligned, texture."""

    def estimate(self, image: Any) -> Any:
        """The action units `(n, 17)` of faces in [-1, 1], by the discriminator's regressor."""


Maker = Callable[[Pictures, Units], Pictures]  # faces with the given action units


@dataclasses.dataclass(frozen=True)
class Estimator:
    """Action units from dlib's landmarks, relative to the same person's face at rest.

    Attributes:
      heads: of each case's person at rest (`ops.unit_estimate.neutral_head`); NaN where it is not known.
      source: what they are taken from, in words.
    """

    heads: Float32[np.ndarray, "n 68 3"]
    source: str

    def at(self, places: Int[np.ndarray, " k"]) -> Estimator:
        """For some of the cases."""
        return dataclasses.replace(self, heads=self.heads[places])

    def __call__(self, landmarks: Float32[np.ndarray, "n 68 2"]) -> Float[np.ndarray, "n 12"]:
        """The intensities of `ESTIMATED`; NaN where there are no landmarks, or the face at rest is not known."""
        found = np.full((len(landmarks), len(ESTIMATED)), np.nan)
        known = ~(np.isnan(landmarks).any((1, 2)) | np.isnan(self.heads).any((1, 2)))
        if known.any():
            found[known] = estimate(landmarks[known], self.heads[known], IBUG68)
        return found


def heads_of(landmarks: Float32[np.ndarray, "n 68 2"]) -> Float32[np.ndarray, "n 68 3"]:
    """The head of each of n neutral faces; NaN where there are no landmarks."""
    heads = np.full((len(landmarks), 68, 3), np.nan, np.float32)
    for i in np.flatnonzero(~np.isnan(landmarks).any((1, 2))):
        heads[i] = neutral_head(landmarks[i : i + 1], IBUG68)
    return heads


@dataclasses.dataclass
class Edits:
    """One value for each case, in the same order for every maker; NaN where not measured.

    Attributes:
      by_regressor: name of the discriminator → mean absolute difference of its estimate from what was wanted.
      by_landmarks: the same by dlib's landmarks, over the units that these show.
      of_units: by unit: the first discriminator's absolute differences `(n, 17)`.
      of_landmark_units: those of the landmarks `(n, k)`.
      ssim, psnr: of the made face and of what it should be; dB.
      cycle: mean absolute difference of the face and of what comes back when it is given its own action units again.
      identity: dlib's distance of the made face and the face as it was, on some of the cases.
      found: whether dlib finds a face.
      descriptors: dlib's, of the faces `identity` was asked for and that were found.
    """

    by_regressor: Mapping[str, np.ndarray]
    by_landmarks: np.ndarray
    of_units: np.ndarray
    of_landmark_units: np.ndarray
    ssim: np.ndarray
    psnr: np.ndarray
    cycle: np.ndarray
    identity: np.ndarray
    found: np.ndarray
    descriptors: np.ndarray


def edited(model: Model) -> Maker:
    """The model as a maker."""

    def make(pictures: Pictures, units: Units) -> Pictures:
        return to_bytes(model.edit(to_floats(pictures), units).image)

    return make


def unchanged(pictures: Pictures, units: Units) -> Pictures:
    """The maker that does nothing."""
    return pictures


def measure(
    make: Maker | None,
    made: Pictures,
    cases: Cases,
    regressors: Mapping[str, Model],
    judge: Judge | None,
    estimator: Estimator | None,
    asked: np.ndarray,
) -> Edits:
    """What became of every case.

    Args:
      make: brings a made face back; None where nothing can.
      made: the faces that were made of the cases.
      cases: with what was wanted.
      regressors: the models whose discriminators estimate action units, by name.
      judge: dlib, or None where it is not installed.
      estimator: of action units from dlib's landmarks; None where no neutral face is known.
      asked: indices of the cases whose identity is measured.
    """
    count = len(made)
    differences = {name: regressed(model, made) - cases.wanted for name, model in regressors.items()}
    seen = seen_by(judge, made)
    by_landmarks = np.full((count, 1), np.nan)
    if estimator is not None:
        kept = [action_units.NUMBERS.index(number) for number in ESTIMATED]
        by_landmarks = np.abs(estimator(seen) - cases.wanted[:, kept])
    distances, descriptors = _identity(judge, made, cases.pictures, asked)
    nothing = np.full(count, np.nan)
    return Edits(
        by_regressor={name: np.abs(each).mean(-1) for name, each in differences.items()},
        by_landmarks=by_landmarks.mean(-1),
        of_units=np.abs(next(iter(differences.values()))),
        of_landmark_units=by_landmarks,
        ssim=nothing if cases.true is None else compare(ssim, cases.true, made),
        psnr=nothing if cases.true is None else compare(psnr, cases.true, made),
        cycle=nothing if make is None else compare(l1, cases.pictures, make(made, cases.units)),
        identity=distances,
        found=~np.isnan(seen).any((1, 2)),
        descriptors=descriptors,
    )


def seen_by(judge: Judge | None, pictures: Pictures) -> Float32[np.ndarray, "n 68 2"]:
    """dlib's landmarks; NaN where it finds no face, or is not installed."""
    return np.full((len(pictures), 68, 2), np.nan, np.float32) if judge is None else judge.landmarks(pictures)


def regressed(model: Model, pictures: Pictures) -> Float32[np.ndarray, "n 17"]:
    """The model's own estimate of the action units of pictures."""
    return np.asarray(model.estimate(to_floats(pictures)), np.float32)


def _identity(
    judge: Judge | None, made: Pictures, originals: Pictures, asked: np.ndarray
) -> tuple[np.ndarray, Float32[np.ndarray, "k 128"]]:
    """Distances `(n,)`, NaN where not asked for or not found, and the descriptors of the made faces that were found."""
    distances = np.full(len(made), np.nan)
    if judge is None:
        return distances, np.zeros((0, 128), np.float32)
    after, before = judge.descriptors(made[asked]), judge.descriptors(originals[asked])
    there = ~np.isnan(after).any(-1)
    both = there & ~np.isnan(before).any(-1)
    if both.any():
        distances[asked[both]] = identity_distance(after[both], before[both])
    return distances, after[there]


@dataclasses.dataclass(frozen=True)
class Use:
    """How an editor uses its parts; one value for each case.

    Attributes:
      attention: mean weight of the warped picture over a picture.
      low, high: the attention that 1 % and 99 % of a picture's pixels lie below.
      flow: mean length of the flow over a picture, in picture widths; 0 where the editor has none.
    """

    attention: np.ndarray
    low: np.ndarray
    high: np.ndarray
    flow: np.ndarray

    @property
    def saturated(self) -> str:
        """ "0" or "1" where the attention is that everywhere, to within a hundredth; empty otherwise."""
        return "0" if self.high.max() < 0.01 else "1" if self.low.min() > 0.99 else ""


def use(attention: Float[np.ndarray, "n H W 1"], flow: Float[np.ndarray, "n H W 2"]) -> Use:
    """From an `Edited`."""
    low, high = np.quantile(attention, (0.01, 0.99), axis=(1, 2, 3))
    return Use(attention.mean((1, 2, 3)), low, high, np.linalg.norm(flow, axis=-1).mean((1, 2)))


def responses(
    made: Mapping[str, Pictures | None],
    numbers: Sequence[int],
    judge: Judge,
    estimator: Estimator,
) -> dict[str, Float[np.ndarray, " n"]]:
    """The mean intensity, by dlib's landmarks, of those of the units `numbers` that landmarks show.

    One value for each picture of each group; groups that are None are left out.
    """
    kept = [ESTIMATED.index(number) for number in numbers if number in ESTIMATED]
    return {
        name: estimator(judge.landmarks(pictures))[:, kept].mean(-1)
        for name, pictures in made.items()
        if pictures is not None
    }


def squares(pictures: UInt8[np.ndarray, "n H W 3"], middles: Float[np.ndarray, "n 2"], side: float) -> list[np.ndarray]:
    """A square part of each picture around `middles` (in [0, 1]), `side` of its width wide, within the picture."""
    size = pictures.shape[1]
    pixels = max(round(side * size), 1)
    starts = np.clip(np.rint(middles * size - pixels / 2).astype(int), 0, size - pixels)
    return [picture[y : y + pixels, x : x + pixels] for picture, (x, y) in zip(pictures, starts)]
