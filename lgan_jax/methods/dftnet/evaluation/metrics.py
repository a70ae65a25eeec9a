"""Metrics of edited faces: target action units, preserved identity, and cycle consistency.

Images are uint8 RGB; all metrics are measured on these 8-bit images.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

from lgan_jax import action_units
from lgan_jax.evaluation.dlib_evaluator import DlibEvaluator, found_in
from lgan_jax.evaluation.frechet import distance_where_found
from lgan_jax.evaluation.tables import Values, scalar
from lgan_jax.faces.unit_estimate import ESTIMATED, estimate, neutral_head
from lgan_jax.landmarks import IBUG68
from lgan_jax.media.images import to_bytes, to_floats
from lgan_jax.methods.dftnet.evaluation.edits import Edits, Images, Units
from lgan_jax.metrics.identity import distance_where_known
from lgan_jax.metrics.image_quality import compare, l1, psnr, ssim
from lgan_jax.protocols import ActionUnitEditor

OURS, BASELINE, UNCHANGED, GROUND_TRUTH = "DFT-Net", "GANimation", "source unchanged", "ground truth"


@dataclasses.dataclass(frozen=True)
class Estimator:
    """Estimator of action units from dlib's landmarks, relative to the same person's neutral face.

    Attributes:
      heads: neutral head of each edit's person (`faces.unit_estimate.neutral_head`); NaN if unknown.
      source: description of the neutral faces' origin.
    """

    heads: Float32[np.ndarray, "n 68 3"]
    source: str

    def at(self, indices: Int[np.ndarray, " k"]) -> Estimator:
        """The estimator for a subset of the edits."""
        return dataclasses.replace(self, heads=self.heads[indices])

    def __call__(self, landmarks: Float32[np.ndarray, "n 68 2"]) -> Float[np.ndarray, "n 12"]:
        """The intensities of `ESTIMATED`; NaN without landmarks or without a known neutral face."""
        units = np.full((len(landmarks), len(ESTIMATED)), np.nan)
        known = found_in(landmarks) & found_in(self.heads)
        if known.any():
            units[known] = estimate(landmarks[known], self.heads[known], IBUG68)
        return units


def heads_of(landmarks: Float32[np.ndarray, "n 68 2"]) -> Float32[np.ndarray, "n 68 3"]:
    """The head of each of n neutral faces; NaN without landmarks."""
    heads = np.full((len(landmarks), 68, 3), np.nan, np.float32)
    for i in np.flatnonzero(found_in(landmarks)):
        heads[i] = neutral_head(landmarks[i : i + 1], IBUG68)
    return heads


class Measured(NamedTuple):
    """The edits and all measurements.

    Attributes:
      models: DFT-Net and the baseline, if any, by name.
      edits: the test images with their targets.
      seen: dlib's landmarks `(n, 68, 2)` of the sources.
      estimator: estimator of action units from landmarks; None if no neutral face is known.
      asked: indices of the edits whose dlib descriptors were computed.
      rows: the metrics of each row.
      attention: name of a model → statistics of its attention and flow (`use_of_parts`).
      responses: single expression → its intensity in each group of images.
    """

    models: Mapping[str, ActionUnitEditor]
    edits: Edits
    seen: Float32[np.ndarray, "n 68 2"]
    estimator: Estimator | None
    asked: Int[np.ndarray, " k"]
    rows: Mapping[str, Values]
    attention: Mapping[str, Values]
    responses: Mapping[str, Values]


def edited(model: ActionUnitEditor, images: Images, units: Units) -> Images:
    """The model's images with the given action units."""
    return to_bytes(model.edit(to_floats(images), units).image)


def measure_edits(
    generated: Images,
    edits: Edits,
    models: Mapping[str, ActionUnitEditor],
    dlib: DlibEvaluator,
    estimator: Estimator | None,
    asked: Int[np.ndarray, " k"],
) -> Values:
    """The metrics of generated images, one value per edit; NaN if not measured.

    `by_<name>` and `by_landmarks`: mean absolute difference from the target action units of the estimates by the
    discriminator of that model, and by dlib's landmarks over the units in `ESTIMATED`; `of_units` `(n, 17)` and
    `of_landmark_units` `(n, 12)` are the same by unit. `ssim`, `psnr` (dB): of the image and the ground truth.
    `identity`: dlib's distance from the source, for the edits in `asked`. `found`: whether dlib finds a face.
    """
    differences = {
        name: np.abs(np.asarray(model.estimate(to_floats(generated)), np.float32) - edits.target)
        for name, model in models.items()
    }
    seen, nothing = dlib.landmarks(generated), np.full(len(generated), np.nan)
    columns = [action_units.NUMBERS.index(number) for number in ESTIMATED]
    by_landmarks = np.full((len(generated), 1), np.nan)
    if estimator is not None:
        by_landmarks = np.abs(estimator(seen) - edits.target[:, columns])
    descriptors = dlib.descriptors(generated[asked])
    values = {f"by_{name}": each.mean(-1) for name, each in differences.items()}
    values |= {
        "by_landmarks": by_landmarks.mean(-1),
        "of_units": next(iter(differences.values())),
        "of_landmark_units": by_landmarks,
        "ssim": nothing if edits.ground_truth is None else compare(ssim, edits.ground_truth, generated),
        "psnr": nothing if edits.ground_truth is None else compare(psnr, edits.ground_truth, generated),
        "cycle": nothing,
        "identity": distance_where_known(descriptors, dlib.descriptors(edits.images[asked])),
        "descriptors": descriptors,
    }
    return values | ({"found": found_in(seen)} if dlib.installed else {})


def cycle(model: ActionUnitEditor | None, generated: Images, edits: Edits) -> Float[np.ndarray, " n"]:
    """ℓ1 of the source and the image with its own action units restored; without a model, of the unchanged image."""
    restored = generated if model is None else edited(model, generated, edits.units)
    return compare(l1, edits.images, restored)


def frechet(values: Values, sources: Values, asked: int) -> Values:
    """The Fréchet distance of dlib's descriptors to those of the sources, over images with a detected face."""
    distance = distance_where_found(values["descriptors"], sources["descriptors"])
    return {"frechet": scalar(distance, int(found_in(values["descriptors"]).sum()), asked)}


def use_of_parts(attention: Float[np.ndarray, "n H W 1"], flow: Float[np.ndarray, "n H W 2"]) -> Values:
    """`attention`: mean weight of the warped image; `low`, `high`: its 1 % and 99 % quantiles; `flow`: mean length."""
    low, high = np.quantile(attention, (0.01, 0.99), axis=(1, 2, 3))
    length = np.linalg.norm(flow, axis=-1).mean((1, 2))
    return {"attention": attention.mean((1, 2, 3)), "low": low, "high": high, "flow": length}


def saturated(parts: Values) -> str:
    """ "0" or "1" if the attention has this value everywhere, to within a hundredth; empty otherwise."""
    return "0" if parts["high"].max() < 0.01 else "1" if parts["low"].min() > 0.99 else ""


def responses(
    groups: Mapping[str, Images | None], numbers: Sequence[int], dlib: DlibEvaluator, estimator: Estimator
) -> dict[str, Float[np.ndarray, " n"]]:
    """The mean intensity, by dlib's landmarks, of the units `numbers` that are in `ESTIMATED`.

    One value per image of each group; groups that are None are omitted.
    """
    columns = [ESTIMATED.index(number) for number in numbers if number in ESTIMATED]
    return {
        name: estimator(dlib.landmarks(images))[:, columns].mean(-1)
        for name, images in groups.items()
        if images is not None
    }


def squares(images: UInt8[np.ndarray, "n H W 3"], centers: Float[np.ndarray, "n 2"], side: float) -> list[np.ndarray]:
    """A square crop of each image around `centers` (in [0, 1]), `side` of its width wide, within the image."""
    size = images.shape[1]
    pixels = max(round(side * size), 1)
    starts = np.clip(np.rint(centers * size - pixels / 2).astype(int), 0, size - pixels)
    return [image[y : y + pixels, x : x + pixels] for image, (x, y) in zip(images, starts)]
