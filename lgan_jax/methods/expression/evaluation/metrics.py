"""Metrics of synthesized faces: image quality, and whether they have the target's landmarks, expression and identity.

Images are uint8 RGB as a screen shows them; all metrics are measured on these bytes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from lgan_jax.evaluation.dlib_evaluator import DlibEvaluator, found_in
from lgan_jax.evaluation.frechet import Features, distance_where_found
from lgan_jax.evaluation.study import Result
from lgan_jax.evaluation.tables import Values, scalar
from lgan_jax.landmarks import IBUG68, Scheme, to_ibug68
from lgan_jax.media.images import to_bytes, to_floats
from lgan_jax.methods.expression.evaluation.pairs import Images, Pairs, own_images
from lgan_jax.metrics.expression_classifier import Classifier, prepared
from lgan_jax.metrics.identity import distance_where_known
from lgan_jax.metrics.image_quality import compare, psnr, ssim
from lgan_jax.metrics.lmk import nme_where_known
from lgan_jax.metrics.verification import RATES, Verification, pairwise, people, verify
from lgan_jax.protocols import GuidedSynthesizer

OURS, COPY, GROUND_TRUTH = "this run", "copy of the source", "ground truth"


@dataclasses.dataclass(frozen=True)
class Evaluators:
    """The networks that measure synthesized faces.

    Attributes:
      dlib: landmarks and descriptors.
      classifier: of expressions, trained on the real training faces.
      inception: features for FID; None without a file of weights.
    """

    dlib: DlibEvaluator
    classifier: Classifier
    inception: Features | None


@dataclasses.dataclass(frozen=True)
class Real:
    """Features of the pairs' real images.

    Attributes:
      indices: their records of the test split, each once: the gallery.
      identity: who they show.
      descriptors: dlib's `(m, 128)`, NaN where it finds no face.
      of_source, of_target: of each pair, dlib's descriptor of the source and of the target.
      features: Inception's of the targets; None without it.
    """

    indices: Int[np.ndarray, " m"]
    identity: Int[np.ndarray, " m"]
    descriptors: np.ndarray
    of_source: np.ndarray
    of_target: np.ndarray
    features: np.ndarray | None


class Measured(NamedTuple):
    """The pairs, the images by row, their metrics, and the stored augmentation study with its warnings."""

    pairs: Pairs
    evaluators: Evaluators
    images: Mapping[str, Images]
    rows: Mapping[str, Values]
    verifications: Mapping[str, Verification]
    study: Result | None
    study_warnings: list[str]


def synthesized(model: GuidedSynthesizer, pairs: Pairs) -> Images:
    """The model's faces of the pairs."""
    return to_bytes(model.synthesize(to_floats(pairs.images), pairs.landmarks, pairs.expression))


def real(evaluators: Evaluators, pairs: Pairs) -> Real:
    """Measures the real images once."""
    indices, first = np.unique(np.concatenate([pairs.source, pairs.target]), return_index=True)
    of_source, of_target = (evaluators.dlib.descriptors(images) for images in (pairs.images, pairs.ground_truth))
    return Real(
        indices=indices,
        identity=np.concatenate([pairs.identity, pairs.identity])[first],
        descriptors=np.concatenate([of_source, of_target])[first],
        of_source=of_source,
        of_target=of_target,
        features=None if evaluators.inception is None else evaluators.inception(pairs.ground_truth),
    )


def measure_images(
    images: Images, pairs: Pairs, real: Real, scheme: Scheme, evaluators: Evaluators
) -> tuple[Values, Verification | None]:
    """The metrics of synthesized images, one value a pair (NaN where not measured) or one for all; and Table 6.

    `ssim`, `psnr` (dB): of image and ground truth. `landmarks`: mean distance of dlib's landmarks from the target's, in
    distances between the outer eye corners. `found`: whether dlib finds a face. `identity`: dlib's distance from the
    source. `expression`: whether the classifier sees the target's. `frechet`, `fid`: Fréchet distances of dlib's
    descriptors and of Inception's features to those of the targets. The verification is None without dlib.

    Args:
      images: the synthesized ones.
      pairs: their sources and targets.
      real: features of the pairs' real images.
      scheme: of the target landmarks.
      evaluators: measure.
    """
    dlib, inception, count = evaluators.dlib, evaluators.inception, len(images)
    seen, descriptors = dlib.landmarks(images), dlib.descriptors(images)
    found = found_in(seen)
    fid = np.nan if inception is None else distance_where_found(inception(images), real.features)
    frechet = distance_where_found(descriptors, real.of_target)
    values: dict[str, np.ndarray] = {
        "ssim": compare(ssim, pairs.ground_truth, images),
        "psnr": compare(psnr, pairs.ground_truth, images),
        "landmarks": nme_where_known(seen, to_ibug68(pairs.landmarks, scheme), IBUG68),
        "identity": distance_where_known(descriptors, real.of_source),
        "expression": evaluators.classifier(prepared(images)) == pairs.expression,
    }
    values |= {} if np.isnan(frechet) else {"frechet": scalar(frechet, int(found.sum()), count)}
    values |= {} if np.isnan(fid) else {"fid": scalar(fid, count, count)}
    if not dlib.installed:
        return values, None
    verification = _verification(descriptors, pairs, real)
    return values | {"found": found} | rates(verification, count), verification


def tar_key(rate: float) -> str:
    """The key of the column of a false acceptance rate."""
    return f"tar_{rate:g}"


def _verification(descriptors: np.ndarray, pairs: Pairs, real: Real) -> Verification:
    """Synthesized faces are probes, the real ones the gallery, but for each probe's own source and target."""
    probes, there = found_in(descriptors), found_in(real.descriptors)
    return verify(
        pairwise(descriptors[probes], real.descriptors[there]),
        people(pairs.identity[probes], real.identity[there]),
        ~own_images(pairs, real.indices)[np.ix_(probes, there)],
    )


def rates(found: Verification, count: int) -> Values:
    """The metrics of Table 6, of `count` images."""
    rates = {tar_key(rate): scalar(found.tar[rate], found.genuine, found.genuine) for rate in RATES}
    return {"rank1": scalar(found.rank1, found.probes, count), **rates}
