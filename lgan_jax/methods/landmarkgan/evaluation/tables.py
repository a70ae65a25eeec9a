"""The tables of LandmarkGAN's evaluation, and the sentence that they decide."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lgan_jax.data import FaceData
from lgan_jax.evaluation import verdicts
from lgan_jax.evaluation.tables import Column, Row, Table
from lgan_jax.evaluation.verdicts import compared
from lgan_jax.methods.landmarkgan.evaluation.reenactment import Frames, Pairs, Redrawn
from lgan_jax.metrics.summary import Figure, share, summarize

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
    Column("lmk", "LMK\ndlib", "ℓ2 norm of dlib's 68 landmarks of the original minus those of the face that came "
           "back, in [0, 1]; pairs in which dlib misses either face are left out and counted", "lower"),
    Column("error", "error\ndlib", "the same difference as a mean distance per landmark, in units of the distance "
           "between the outer eye corners", "lower", 1, True),
    Column("own_lmk", "LMK\nown", "ℓ2 norm of the data's landmarks minus those that the run's own detector finds on "
           "the face that came back; the generator was trained to please this detector", "lower"),
    Column("ssim", "SSIM", "structural similarity of the original and the face that came back", "higher"),
    Column("identity", "ID", "distance of dlib's face descriptors between the made face and the most frontal held-out "
           "frame of the target; dlib calls two faces one person below 0.6", "lower"),
    Column("made_found", "found\nmade", "share of made faces in which dlib finds a face", "higher", 0, True),
    Column("back_found", "found\nback", "share of faces that came back in which dlib finds a face", "higher", 0, True),
)  # fmt: skip

_RECONSTRUCTION = (
    Column("ssim", "SSIM", "structural similarity of the frame and its copy", "higher"),
    Column("psnr", "PSNR\ndB", "peak signal-to-noise ratio of the frame and its copy; 100 at most", "higher", 1),
    Column("l1", "ℓ1", "mean absolute difference, as a share of the range from black to white", "lower", 1, True),
    Column("error", "error\ndlib", "dlib's landmarks on the copy against those on the frame, mean distance in units of "
           "the distance between the outer eye corners", "lower", 1, True),
    Column("own_error", "error\nown", "the run's own detector on the copy against the data's landmarks, in the same "
           "unit", "lower", 1, True),
    Column("found", "found\nby dlib", "share of copies in which dlib finds a face", "higher", 0, True),
)  # fmt: skip

_BY_DLIB = {"lmk", "error", "identity", "made_found", "back_found", "found"}


def tables(
    pairs: Mapping[str, Pairs],
    redrawn: Mapping[str, Redrawn],
    data: FaceData,
    people: Sequence[Frames],
    identity_frames: int,
    judged: bool,
) -> list[Table]:
    """Reenactment (with two identities or more) and reconstruction.

    Args:
      pairs: each row's name and values, the model's first; it has another row, of the target it is worst at.
      redrawn: the same for reconstruction.
      data: whose frames were measured.
      people: the measured frames.
      identity_frames: on how many frames of each source ID was measured.
      judged: whether dlib was there.
    """
    frames = sum(len(person.pictures) for person in people)
    found = sum(0 if person.seen is None else int((~np.isnan(person.seen).any((1, 2))).sum()) for person in people)
    seen = f" dlib finds the face in {found} of the {frames} originals." if judged else " dlib is not installed."
    size = f"{data.info.size}×{data.info.size} pixels"
    made = []
    if pairs:
        count = len(next(iter(pairs.values())).lmk)
        celebv = data.name == "CelebV"
        made.append(
            Table(
                key="reenactment",
                title="Reenactment: to the target and back",
                about=f"{frames} held-out frames of {size}, each converted to every other identity and back: {count} "
                f"pairs. ID on {min(identity_frames, frames)} frames of each source.{seen}",
                columns=_REENACTMENT,
                rows=_rows(pairs, "target", data.info.identities, lambda values: _reenactment_figures(values, judged))
                + _published(),
                published="As published (Sun et al., Table 1), on CelebV"
                + (" at 256×256." if celebv else ": another data set, not comparable."),
            )
        )
    made.append(
        Table(
            key="reconstruction",
            title="Reconstruction from one's own landmarks",
            about=f"{frames} held-out frames of {size}, each made again from its own landmarks by its own identity, "
            f"without conversion.{seen}",
            columns=_RECONSTRUCTION,
            rows=_rows(redrawn, "identity", data.info.identities, lambda each: _reconstruction_figures(each, judged)),
        )
    )
    return made


def worst_identity(values: Any, of: str) -> tuple[int, Any] | None:
    """The identity with the lowest mean SSIM, and the values of it alone; None where there is one identity.

    `of` names the field of `values` (a `Pairs` or `Redrawn`) that says which identity was generated.
    """
    generated = getattr(values, of)
    identities = np.unique(generated)
    if len(identities) < 2:
        return None
    place = int(min(identities, key=lambda identity: values.ssim[generated == identity].mean()))
    fields = (field.name for field in dataclasses.fields(values))
    return place, type(values)(**{name: getattr(values, name)[generated == place] for name in fields})


def _rows(
    values: Mapping[str, Any], of: str, identities: Sequence[str], figures: Callable[[Any], dict[str, Figure]]
) -> list[Row]:
    """A row of each name, and one of the identity that the first, the model, is worst at."""
    rows = [Row(name, figures(each)) for name, each in values.items()]
    ours = next(iter(values))
    if worst := worst_identity(values[ours], of):
        place, its = worst
        rows.append(Row(f"{ours}, worst: {identities[place]}", figures(its), compared=False))
    return rows


def _reenactment_figures(pairs: Pairs, judged: bool) -> dict[str, Figure]:
    figures = {key: summarize(getattr(pairs, key)) for key in ("lmk", "error", "own_lmk", "ssim")}
    figures["identity"] = summarize(pairs.identity[pairs.asked])
    figures |= {key: share(getattr(pairs, key)) for key in ("made_found", "back_found")}
    return _measured(figures, judged)


def _reconstruction_figures(redrawn: Redrawn, judged: bool) -> dict[str, Figure]:
    figures = {key: summarize(getattr(redrawn, key)) for key in ("ssim", "psnr", "l1", "error", "own_error")}
    return _measured(figures | {"found": share(redrawn.found)}, judged)


def _measured(figures: dict[str, Figure], judged: bool) -> dict[str, Figure]:
    return figures if judged else {key: figure for key, figure in figures.items() if key not in _BY_DLIB}


def _published() -> list[Row]:
    return [
        Row(name, {k: Figure(v, None, 0, 0) for k, v in zip(("lmk", "ssim", "identity"), values)}, ours=False, digits=2)
        for name, values in PUBLISHED.items()
    ]


def verdict(rows: Mapping[str, Pairs] | Mapping[str, Redrawn], ours: str, rival: str) -> tuple[str, bool | None]:
    """Whether the model beats the rival in landmarks and in SSIM, over what was measured for both; and if it does.

    Landmarks are dlib's where it found any face for both, the own detector's otherwise.
    """
    one, other = rows[ours], rows[rival]
    people = one.source if isinstance(one, Pairs) else None
    name, by_dlib, by_own = ("LMK", "lmk", "own_lmk") if isinstance(one, Pairs) else ("error", "error", "own_error")
    landmarks = compared(f"{name} by dlib", getattr(one, by_dlib), getattr(other, by_dlib), "lower", people)
    if not landmarks.count:
        landmarks = compared(
            f"{name} by its own detector", getattr(one, by_own), getattr(other, by_own), "lower", people
        )
    ssim = compared("SSIM", one.ssim, other.ssim, "higher", people)
    return verdicts.verdict(ours, rival, (landmarks, ssim), ": it is not trained well enough")


def by_pair(pairs: Pairs, identities: Sequence[str]) -> list[dict[str, Any]]:
    """The model's mean figures of every ordered pair of identities; None where nothing was measured."""
    rows = []
    for s, t in sorted(set(zip(pairs.source.tolist(), pairs.target.tolist()))):
        chosen = (pairs.source == s) & (pairs.target == t)
        figures = {
            key: summarize(getattr(pairs, key)[chosen]).mean for key in ("lmk", "error", "own_lmk", "ssim", "identity")
        }
        rows.append({"source": identities[s], "target": identities[t], "frames": int(chosen.sum()), **figures})
    return rows
