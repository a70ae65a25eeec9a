"""Measuring made faces: are they what should come out, with the landmarks, the expression and the person asked for?

Pictures are uint8 RGB as a screen shows them; all figures are measured on these bytes.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int

from lgan_jax.core import FaceInfo
from lgan_jax.evaluation.distances import Features
from lgan_jax.evaluation.judge import Judge
from lgan_jax.landmarks import IBUG68, Scheme, to_ibug68
from lgan_jax.media.images import to_bytes, to_floats
from lgan_jax.methods.expression.evaluation.cases import Cases, Pictures, own_pictures
from lgan_jax.metrics.expression_classifier import Classifier, prepared
from lgan_jax.metrics.frechet import frechet_distance
from lgan_jax.metrics.identity import distance_where_known
from lgan_jax.metrics.image_quality import compare, psnr, ssim
from lgan_jax.metrics.lmk import error_where_known
from lgan_jax.metrics.verification import Verification, pairwise, people, verify


@runtime_checkable
class Model(Protocol):
    """What an evaluation needs of a trained model; see `methods.expression.model.ExpressionSynthesizer`."""

    @property
    def info(self) -> FaceInfo:
        """Scheme, size and people of its data."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """What the training had to do without, such as the perceptual term."""

    def synthesize(self, image: Any, landmarks: Any, expression: Any) -> Any:
        """Faces in [-1, 1] with other landmarks in [0, 1] and expressions (indices)."""


@dataclasses.dataclass(frozen=True)
class Judges:
    """Who measures made faces.

    Attributes:
      dlib: None where it is not installed.
      classifier: of expressions, trained on the real training faces.
      inception: gives the features of FID; None where the user named no file.
    """

    dlib: Judge | None
    classifier: Classifier
    inception: Features | None


@dataclasses.dataclass(frozen=True)
class Real:
    """What is known of the real pictures of the cases.

    Attributes:
      places: which records of the test split they are, each once: the gallery.
      identity: who they show.
      descriptors: dlib's `(m, 128)`, NaN where it finds no face.
      of_source, of_target: of each case, dlib's descriptor of the source and of the target.
      features: Inception's of the targets; None without it.
    """

    places: Int[np.ndarray, " m"]
    identity: Int[np.ndarray, " m"]
    descriptors: np.ndarray
    of_source: np.ndarray
    of_target: np.ndarray
    features: np.ndarray | None


@dataclasses.dataclass(frozen=True)
class Measured:
    """One value for each case; NaN where not measured.

    Attributes:
      ssim, psnr: of the made face and of what should come out; dB.
      landmarks: mean distance of dlib's landmarks from those asked for, in distances between the outer eye corners.
      found: whether dlib finds a face.
      identity: dlib's distance of the made face and the source.
      expression: whether the classifier sees the expression asked for.
      frechet: Fréchet distance of dlib's descriptors to those of the targets; NaN where there are too few.
      fid: the same of Inception's features; NaN without them.
      verification: of the made faces among the real ones; None without dlib.
    """

    ssim: np.ndarray
    psnr: np.ndarray
    landmarks: np.ndarray
    found: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    frechet: float
    fid: float
    verification: Verification | None


def made_by(model: Model, cases: Cases) -> Pictures:
    """The faces that a model makes of the cases."""
    return to_bytes(model.synthesize(to_floats(cases.pictures), cases.landmarks, cases.expression))


def real(judges: Judges, cases: Cases) -> Real:
    """Looks at the real pictures once."""
    places, first = np.unique(np.concatenate([cases.source, cases.target]), return_index=True)
    of_source, of_target = (described(judges.dlib, pictures) for pictures in (cases.pictures, cases.true))
    return Real(
        places=places,
        identity=np.concatenate([cases.identity, cases.identity])[first],
        descriptors=np.concatenate([of_source, of_target])[first],
        of_source=of_source,
        of_target=of_target,
        features=None if judges.inception is None else judges.inception(cases.true),
    )


def measure(made: Pictures, cases: Cases, real: Real, scheme: Scheme, judges: Judges) -> Measured:
    """What became of every case.

    Args:
      made: the faces.
      cases: what they were made of and what should come out.
      real: the cases' real pictures.
      scheme: of the landmarks asked for.
      judges: who measures.
    """
    seen = np.full((len(made), 68, 2), np.nan, np.float32) if judges.dlib is None else judges.dlib.landmarks(made)
    descriptors = described(judges.dlib, made)
    features = None if judges.inception is None else judges.inception(made)
    return Measured(
        ssim=compare(ssim, cases.true, made),
        psnr=compare(psnr, cases.true, made),
        landmarks=error_where_known(seen, to_ibug68(cases.landmarks, scheme), IBUG68),
        found=~np.isnan(seen).any((1, 2)),
        identity=distance_where_known(descriptors, real.of_source),
        expression=judges.classifier(prepared(made)) == cases.expression,
        frechet=_frechet(descriptors, real.of_target),
        fid=np.nan if features is None else _frechet(features, real.features),
        verification=None if judges.dlib is None else _verification(descriptors, cases, real),
    )


def described(judge: Judge | None, pictures: Pictures) -> Float32[np.ndarray, "n 128"]:
    """dlib's descriptors; NaN where it finds no face, or is not installed."""
    return np.full((len(pictures), 128), np.nan, np.float32) if judge is None else judge.descriptors(pictures)


def _frechet(made: np.ndarray, true: np.ndarray) -> float:
    made, true = made[_known(made)], true[_known(true)]
    return frechet_distance(made, true) if min(len(made), len(true)) > 1 else np.nan


def _verification(made: np.ndarray, cases: Cases, real: Real) -> Verification:
    """Made faces are probes, the real ones the gallery, but for each probe's own source and target."""
    probes, there = _known(made), _known(real.descriptors)
    return verify(
        pairwise(made[probes], real.descriptors[there]),
        people(cases.identity[probes], real.identity[there]),
        ~own_pictures(cases, real.places)[np.ix_(probes, there)],
    )


def _known(descriptors: np.ndarray) -> np.ndarray:
    return ~np.isnan(descriptors).any(-1)
