"""Result tables of LandmarkGAN's evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lgan_jax.evaluation import tables
from lgan_jax.evaluation.dlib_evaluator import found_in
from lgan_jax.evaluation.harness import Setup
from lgan_jax.evaluation.tables import Column, Row, Table, Values, measured_rows, published_rows
from lgan_jax.methods.landmarkgan.evaluation.baselines import OURS
from lgan_jax.methods.landmarkgan.evaluation.reenactment import Cases, Measured
from lgan_jax.metrics.summary import summarize

# Table 1 of Sun et al.: LMK, SSIM, ID.
PUBLISHED = {
    "LandmarkGAN": (0.77, 0.68, 0.31),
    "GANimation": (3.09, 0.46, 0.37),
    "X2Face": (1.14, 0.61, 0.45),
    "FO": (1.02, 0.63, 0.40),
    "ICFace": (3.33, 0.47, 0.47),
    "GF": (1.63, 0.55, 0.41),
}

_REENACTMENT = (
    Column("lmk", "LMK\ndlib", "ℓ2 norm of dlib's 68 landmarks of the original minus those of the returned face, in "
           "[0, 1]; pairs in which dlib misses either face are dropped and counted", "lower"),
    Column("error", "error\ndlib", "the same difference as a mean distance per landmark, in units of the distance "
           "between the outer eye corners", "lower", 1, True),
    Column("own_lmk", "LMK\nown", "ℓ2 norm of the data's landmarks minus those that the run's own detector finds on "
           "the returned face; the generator was trained with this detector", "lower"),
    tables.ssim("the original and the returned face"),
    tables.identity("the generated face and the most frontal frame of the target in this split"),
    Column("generated_found", "found\ngener.", "share of generated faces in which dlib finds a face", "higher", 0,
           True),
    Column("returned_found", "found\nback", "share of returned faces in which dlib finds a face", "higher", 0, True),
)  # fmt: skip

_RECONSTRUCTION = (
    tables.ssim("the frame and its copy"),
    tables.psnr("the frame and its copy"),
    Column("l1", "ℓ1", "mean absolute difference, as a share of the range from black to white", "lower", 1, True),
    Column("error", "error\ndlib", "dlib's landmarks on the copy against those on the frame, mean distance in units of "
           "the distance between the outer eye corners", "lower", 1, True),
    Column("own_error", "error\nown", "the run's own detector on the copy against the data's landmarks, in the same "
           "unit", "lower", 1, True),
    tables.found("copies"),
)  # fmt: skip

_BY_DLIB = {"lmk", "error", "identity", "generated_found", "returned_found", "found"}


def reenactment(setup: Setup, measured: Measured) -> Table | None:
    """Table 1 of the paper; None with a single identity."""
    if not measured.reenactment:
        return None
    frames, pairs = _frames(measured), len(measured.reenactment[OURS].source)
    where = " at 256×256." if setup.data.name == "CelebV" else ": a different data set, not comparable."
    return Table(
        key="reenactment",
        title="Reenactment: to the target and back",
        about=f"{frames} {setup.settings.split} frames of {setup.size}, each converted to every other identity and "
        f"back: {pairs} pairs. ID on {min(setup.settings.identity_frames, frames)} frames of each source."
        + _found(setup, measured),
        columns=_REENACTMENT,
        rows=_rows(setup, measured.reenactment, _REENACTMENT)
        + published_rows(PUBLISHED, ("lmk", "ssim", "identity"), digits=2),
        published=f"As published (Sun et al., Table 1), on CelebV{where}",
    )


def reconstruction(setup: Setup, measured: Measured) -> Table:
    """Reconstruction without conversion."""
    return Table(
        key="reconstruction",
        title="Reconstruction from the identity's own landmarks",
        about=f"{_frames(measured)} {setup.settings.split} frames of {setup.size}, each generated from its own "
        f"landmarks by its own identity, without conversion.{_found(setup, measured)}",
        columns=_RECONSTRUCTION,
        rows=_rows(setup, measured.reconstruction, _RECONSTRUCTION),
    )


def _frames(measured: Measured) -> int:
    return sum(len(frames.images) for frames in measured.people)


def _found(setup: Setup, measured: Measured) -> str:
    if not setup.dlib.installed:
        return " dlib is not installed."
    found = sum(int(found_in(frames.seen).sum()) for frames in measured.people)
    return f" dlib finds the face in {found} of the {_frames(measured)} originals."


def _rows(setup: Setup, rows: Mapping[str, Cases], columns: Sequence[Column]) -> list[Row]:
    """One row per generator, and one row of the model's worst identity."""
    values, worst = {name: _values(setup, cases) for name, cases in rows.items()}, []
    if found := worst_identity(rows[OURS]):
        identity, its = found
        worst = [f"{OURS}, worst: {setup.data.info.identities[identity]}"]
        values[worst[0]] = _values(setup, its)
    return measured_rows(values, columns, references=worst)


def _values(setup: Setup, cases: Cases) -> Values:
    """The measured metrics; ID only over the cases in `asked`."""
    values = {k: v for k, v in cases.metrics.items() if setup.dlib.installed or k not in _BY_DLIB}
    return values | ({"identity": values["identity"][cases.asked]} if "identity" in values else {})


def worst_identity(cases: Cases) -> tuple[int, Cases] | None:
    """The target with the lowest mean SSIM, and its cases; None with a single target."""
    identities = np.unique(cases.target)
    if len(identities) < 2:
        return None
    worst = int(min(identities, key=lambda identity: cases.metrics["ssim"][cases.target == identity].mean()))
    return worst, cases.at(cases.target == worst)


def by_pair(rows: Mapping[str, Cases], identities: Sequence[str]) -> list[dict[str, Any]]:
    """The model's mean metrics of every ordered pair of identities; None without a measurement."""
    pairs, keys = [], ("lmk", "error", "own_lmk", "ssim", "identity")
    cases = rows.get(OURS)
    for s, t in sorted(set(zip(cases.source.tolist(), cases.target.tolist()))) if cases else ():
        chosen = cases.at((cases.source == s) & (cases.target == t))
        means = {key: summarize(chosen.metrics[key]).mean for key in keys}
        pairs.append({"source": identities[s], "target": identities[t], "frames": len(chosen.source), **means})
    return pairs
