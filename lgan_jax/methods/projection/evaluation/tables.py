"""The tables of the evaluation."""

from __future__ import annotations

from lgan_jax.evaluation import frechet
from lgan_jax.evaluation.harness import Setup
from lgan_jax.evaluation.tables import Column, Table, measured_rows
from lgan_jax.methods.projection.evaluation.metrics import (
    APPEARANCE_IMAGE,
    DETECTOR,
    DLIB,
    FEATURES,
    GROUND_TRUTH,
    HEATMAPS,
    IDENTITY,
    LANDMARK_IMAGE,
    TRUE_LANDMARKS,
    TRUE_MOUTH,
    Measured,
)

_REFERENCES = (APPEARANCE_IMAGE, LANDMARK_IMAGE, GROUND_TRUTH)
_PROJECTIONS = (
    Column(HEATMAPS, "heatmaps", "distance of the detector's heatmaps from those of the landmark image, as in the loss",
           "lower", 2),
    Column(DETECTOR, "landmarks\n(detector)", "mean distance of the detector's landmarks from the true ones of the "
           "landmark image, over the distance between its outer eye corners", "lower", 2, True),
    Column(DLIB, "landmarks\n(dlib)", "the same by dlib, from its landmarks in that image, in faces that it finds",
           "lower", 2, True),
    Column(FEATURES, "appearance\n(features)", "distance of the discriminator's features from those of the appearance "
           "image", "lower", 3),
    Column(IDENTITY, "appearance\n(identity)", "distance of dlib's face descriptor from that of the appearance image",
           "lower", 3),
)  # fmt: skip
_EXPRESSIONS = (
    Column(TRUE_LANDMARKS, "landmarks\n(dlib)", "mean distance of dlib's landmarks from those in the ground truth, "
           "over the distance between the outer eye corners", "lower", 2, True),
    Column(TRUE_MOUTH, "mouth", "mean difference of the images, of the range, in the box around the lips that the "
           "detector finds in the ground truth", "lower", 2, True),
)  # fmt: skip


def distances(setup: Setup, measured: Measured) -> Table:
    """Fréchet distances."""
    kinds = {frechet.GENERATED: measured.generated, frechet.TRAINING: measured.training}
    return frechet.table(kinds, measured.test, setup.dlib, setup.inception)


def projections(setup: Setup, measured: Measured) -> Table:
    """Both ends, each weight between them, and the images themselves, which are no competitors."""
    return Table(
        key="projections",
        title="Projections: the appearance of one image, the landmarks of another",
        about=f"{len(measured.pairs.appearance)} pairs of test images, {setup.settings.steps} steps each. Rows: the "
        "weight of the landmarks beside 1 for the appearance.",
        columns=_PROJECTIONS,
        rows=measured_rows(measured.rows, _PROJECTIONS, _REFERENCES),
    )


def expressions(setup: Setup, measured: Measured) -> Table | None:
    """The same beside the ground truth; None where there is none."""
    if measured.pairs.ground_truth is None:
        return None
    rows = {name: values for name, values in measured.rows.items() if name != GROUND_TRUTH}
    return Table(
        key="expressions",
        title="The same beside the ground truth",
        about="The ground truth of built-in faces is rendered: the appearance's person in the same light, with the "
        "expression and pose of the landmark image.",
        columns=_EXPRESSIONS,
        rows=measured_rows(rows, _EXPRESSIONS, _REFERENCES),
    )
