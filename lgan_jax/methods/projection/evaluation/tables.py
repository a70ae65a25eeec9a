"""The table of the evaluation, and the sentence that the figures decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lgan_jax.evaluation import verdicts
from lgan_jax.evaluation.tables import Column, Row, Table
from lgan_jax.evaluation.verdicts import Compared, compared
from lgan_jax.methods.projection.evaluation.measures import (
    DETECTOR,
    DLIB,
    DRAWN,
    FEATURES,
    HEATMAPS,
    IDENTITY,
    LANDMARKS,
    LOOK,
    MOUTH,
    THE_LANDMARKS,
    THE_LOOK,
    WANTED,
    Values,
)
from lgan_jax.metrics.summary import summarize


def projections(rows: Mapping[str, Values], steps: int) -> Table:
    """Both ends, each weight between them, and the photos themselves, which are no competitors."""
    count = len(rows[LOOK][FEATURES])
    return Table(
        key="projections",
        title="Projections: the look of one photo, the landmarks of another",
        about=f"{count} pairs of test pictures, {steps} steps each. Rows: the weight of the landmarks beside 1 for "
        "the look.",
        columns=[
            Column(HEATMAPS, "heatmaps", "distance of the detector's maps from those of the landmarks' photo, as the "
                   "loss has it", "lower", 2),
            Column(DETECTOR, "landmarks\n(detector)", "mean distance of the detector's landmarks from the true ones of "
                   "the landmarks' photo, over the distance between its outer eye corners", "lower", 2, True),
            Column(DLIB, "landmarks\n(dlib)", "the same by dlib, from its landmarks in that photo, in faces that it "
                   "finds", "lower", 2, True),
            Column(FEATURES, "look\n(features)", "distance of the discriminator's features from those of the look's "
                   "photo", "lower", 3),
            Column(IDENTITY, "look\n(identity)", "distance of dlib's face descriptor from that of the look's photo",
                   "lower", 3),
        ],
        rows=_rows(rows),
    )  # fmt: skip


def expressions(rows: Mapping[str, Values]) -> Table:
    """The same, beside what should come out."""
    return Table(
        key="expressions",
        title="The same beside what should come out",
        about="Built-in faces are drawn anew for it: the look's person in the same light, with the expression and pose "
        "of the landmarks' photo.",
        columns=[
            Column(WANTED, "landmarks\n(dlib)", "mean distance of dlib's landmarks from those in what should come out, "
                   "over the distance between the outer eye corners", "lower", 2, True),
            Column(MOUTH, "mouth", "mean difference of the pictures, of the range, in the box around the lips that the "
                   "detector sees in what should come out", "lower", 2, True),
        ],
        rows=_rows(rows),
    )  # fmt: skip


def verdict(rows: Mapping[str, Values], weight: str) -> tuple[str, bool | None]:
    """Whether a weight brings landmarks nearer than the look alone does, and a look that landmarks alone do not.

    Nearer to what should come out, and mouths too, where that is known; or else to the other's landmarks, which the
    shape of the look's face keeps away.
    """
    if MOUTH in rows[weight]:
        taken = [
            _against(rows, weight, LOOK, "landmark error", (WANTED, DETECTOR)),
            _against(rows, weight, LOOK, "difference", (MOUTH,)),
        ]
    else:
        taken = [_against(rows, weight, LOOK, "landmark error", (DLIB, DETECTOR))]
    measures = [*taken, _against(rows, weight, LANDMARKS, "distance of the look", (IDENTITY, FEATURES))]
    return verdicts.verdict(f"Projection with landmark weight {weight}", "ends", measures)


def _rows(rows: Mapping[str, Values]) -> list[Row]:
    photos = (THE_LOOK, THE_LANDMARKS, DRAWN)
    return [
        Row(name, {key: summarize(values) for key, values in each.items()}, compared=name not in photos)
        for name, each in rows.items()
    ]


def _against(rows: Mapping[str, Values], weight: str, end: str, what: str, keys: Sequence[str]) -> Compared:
    """By the first of `keys` by which something was measured for both, or else by the last."""
    found = [
        compared(f"{what} ({key}) of {end}", rows[weight][key], rows[end][key], "lower")
        for key in keys
        if key in rows[weight]
    ]
    return next((each for each in found if each.count), found[-1])
