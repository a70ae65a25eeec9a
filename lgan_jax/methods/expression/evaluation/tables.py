"""The tables of the evaluation, beside Tables 5, 6 and 7 of Li et al."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lgan_jax.evaluation import tables
from lgan_jax.evaluation.harness import Setup
from lgan_jax.evaluation.tables import Column, Table, measured_rows, published_rows
from lgan_jax.methods.expression.evaluation.augmentation_study import faces_of
from lgan_jax.methods.expression.evaluation.metrics import COPY, GROUND_TRUTH, OURS, Measured, tar_key
from lgan_jax.metrics.verification import RATES, Verification, needed

# Table 5: PSNR, SSIM, FID on CK+.
TABLE_5 = {
    "GAFP-GAN": (20.123, 0.653, 73.65),
    "GC-GAN": (27.665, 0.769, 68.36),
    "CDAAE": (26.973, 0.765, 81.48),
    "Li et al.": (23.004, 0.775, 67.69),
}
# Table 6: Rank-1, TAR at FAR 1 % and 0.1 %, in percent.
TABLE_6 = {
    "original, VGG-Face": (100, 75.54, 48.30),
    "C-GAN, VGG-Face": (71.33, 52.50, 19.97),
    "ExprGAN, VGG-Face": (62.31, 44.69, 13.27),
    "Li et al., VGG-Face": (82.13, 58.45, 21.64),
    "original, Light CNN": (100, 79.86, 59.57),
    "C-GAN, Light CNN": (75.21, 48.45, 36.91),
    "ExprGAN, Light CNN": (67.49, 49.31, 26.40),
    "Li et al., Light CNN": (84.62, 63.86, 44.17),
}
# Table 7: FID on CK+.
TABLE_7 = {
    "w/o feature initialize network": (76.85,),
    "w/o expression label smooth": (69.48,),
    "all together": (67.69,),
}

_REFERENCES = (COPY, GROUND_TRUTH)
_PSNR = tables.psnr("the synthesized image and the ground truth", digits=2)
_SSIM = tables.ssim("the same two")
_FID = Column("fid", "FID", "Fréchet distance of the features of the user's Inception file of the synthesized images "
              "to those of the ground truth, covariances divided by N − 1; with fewer images than its 2,048 features "
              "it is too large, so only rows of this table can be compared", "lower", 2)  # fmt: skip
_FRECHET = tables.frechet("the synthesized images to those of the ground truth")
_CONTROL = (
    Column("landmarks", "landmark\nerror", "mean distance of dlib's landmarks on the synthesized image from the "
           "target landmarks, in units of the distance between the outer eye corners", "lower", 2, True),
    tables.found("the images"),
    Column("expression", "expression\nright", "share of the images in which the classifier sees the target "
           "expression; it learned from the real training faces", "higher", 1, True),
    tables.identity("the synthesized image and the source"),
)  # fmt: skip
_VERIFICATION = (
    Column("rank1", "Rank-1", "share of the probes whose nearest face in the gallery is of the same person; a face "
           "that dlib does not find, or of whom the gallery has no other image, is no probe", "higher", 1, True),
    *(
        Column(tar_key(rate), f"TAR at\nFAR {100 * rate:g}%", "share of genuine comparisons accepted at the distance "
               f"at which {100 * rate:g}% of impostors' are; it takes {needed(rate):,} of these to tell", "higher", 1,
               True)
        for rate in RATES
    ),
)  # fmt: skip
_ABLATIONS = (_FID, _FRECHET, _SSIM, *_CONTROL[:3])


def quality(setup: Setup, measured: Measured) -> Table:
    """Table 5: how near the synthesized images are to the ground truth."""
    columns = (_PSNR, _SSIM, _FRECHET, _FID)
    people = len(np.unique(measured.pairs.identity))
    return Table(
        key="quality",
        title="Images (Table 5)",
        about=f"{len(measured.pairs)} images of {people} test people, {setup.size}, each synthesized from another "
        "image of the same person, with the landmarks and the expression of the ground truth.",
        columns=columns,
        rows=measured_rows(_of(measured.rows, OURS, COPY), columns) + published_rows(TABLE_5, ("psnr", "ssim", "fid")),
        published=_published(setup, 5, "FID by Inception."),
    )


def control(setup: Setup, measured: Measured) -> Table:
    """Whether the images have the target landmarks and expression, and still show the person."""
    data = setup.data
    right = np.mean(measured.evaluators.classifier(faces_of(data.test)) == data.test.expression)
    chance = np.bincount(data.test.expression).max() / len(data.test)
    return Table(
        key="control",
        title="Landmarks, expression and identity",
        about=f"The same images. The classifier of expressions, trained on {len(data.train):,} real training faces, is "
        f"right about {right:.1%} of all {len(data.test):,} real test faces; guessing, about {chance:.1%}.",
        columns=_CONTROL,
        rows=measured_rows(_of(measured.rows, OURS, *_REFERENCES), _CONTROL, _REFERENCES),
    )


def verification(setup: Setup, measured: Measured) -> Table | None:
    """Table 6; None without dlib's descriptors."""
    if not measured.verifications:
        return None
    main = (OURS, *_REFERENCES)
    return Table(
        key="verification",
        title="The same person (Table 6)",
        about=_comparisons(_of(measured.verifications, *main)),
        columns=_VERIFICATION,
        rows=measured_rows(_of(measured.rows, *main), _VERIFICATION, _REFERENCES)
        + published_rows(TABLE_6, ("rank1", *map(tar_key, RATES)), unit=100.0),
        published=_published(setup, 6, "With descriptors of VGG-Face and Light CNN, not dlib's; “original” are real "
                             "images as probes."),
    )  # fmt: skip


def ablations(setup: Setup, measured: Measured) -> Table | None:
    """Table 7: this run beside others of the same data; None without these."""
    if not setup.others:
        return None
    differences = "; ".join(f"{name}: {other.difference}" for name, other in setup.others.items())
    return Table(
        key="ablations",
        title="The contribution of each part (Table 7)",
        about=f"Other runs of the same data, on the same images. How they differ: {differences}.",
        columns=_ABLATIONS,
        rows=measured_rows(_of(measured.rows, OURS, *setup.others), _ABLATIONS) + published_rows(TABLE_7, ("fid",)),
        published=_published(setup, 7, "FID by Inception."),
    )


def _of(rows: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: rows[name] for name in names}


def _published(setup: Setup, table: int, more: str) -> str:
    """The source of the paper's rows."""
    where = "on CK+." if setup.data.name == "CK+" else "on CK+: another data set, not comparable."
    return f"As published (Li et al., Table {table}), {where} {more}"


def _comparisons(found: Mapping[str, Verification]) -> str:
    """How many comparisons there were, and which rates they cannot tell."""
    text = (
        "Synthesized faces are looked up among the real test images of this evaluation, except for each one's own "
        "source and target. Comparisons: "
    )
    text += "; ".join(
        f"{name}: {each.probes} probes, {each.genuine:,} genuine, {each.impostor:,} of impostors"
        for name, each in found.items()
    )
    fewest = min(each.impostor for each in found.values())
    if untold := [f"FAR {100 * rate:g}% takes {needed(rate):,}" for rate in RATES if fewest < needed(rate)]:
        text += f". Too few impostors' comparisons for a value: {', '.join(untold)}"
    return f"{text}."
