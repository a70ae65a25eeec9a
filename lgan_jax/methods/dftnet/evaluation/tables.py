"""The tables of DFT-Net's evaluation, and the sentence that they decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lgan_jax import action_units
from lgan_jax.evaluation import verdicts
from lgan_jax.evaluation.tables import Column, Row, Table
from lgan_jax.evaluation.verdicts import Compared, compared
from lgan_jax.methods.dftnet.evaluation.cases import SINGLE
from lgan_jax.methods.dftnet.evaluation.editing import Edits, Use
from lgan_jax.metrics.frechet import frechet_distance
from lgan_jax.metrics.summary import Figure, share, summarize

OURS, BASELINE, UNCHANGED, TRUE = "DFT-Net", "GANimation", "source unchanged", "what should come out"
_SHORT = {BASELINE: "baseline", UNCHANGED: "source", TRUE: "true"}  # as headings

_LANDMARKS = Column(
    "by_landmarks", "AU error\nlandmarks", "mean absolute difference, of an intensity from 0 to 1, of the action units "
    "that dlib's landmarks show from those that were wanted; dlib is no part of what is trained", "lower"
)  # fmt: skip
_TRUTH = (
    Column(
        "ssim",
        "SSIM",
        "structural similarity of the made face and of what should come out: the same person, pose and "
        "light with the other expression, drawn (with its side, where it is one-sided, which no unit tells) or, of "
        "recordings, another frame",
        "higher",
    ),
    Column("psnr", "PSNR\ndB", "peak signal-to-noise ratio of the same two; 100 at most", "higher", 1),
)
_KEPT = (
    Column("identity", "ID", "distance of dlib's face descriptors between the made face and the face as it was; dlib "
           "calls two faces one person below 0.6", "lower"),
    Column("cycle", "cycle\nℓ1", "mean absolute difference of the face and of what comes back when it is given its own "
           "action units again, as a share of the range from black to white", "lower", 1, True),
    Column("frechet", "FD\ndlib", "Fréchet distance of dlib's 128 face descriptors (not of Inception's features) of "
           "the made faces to those of the same faces as they were, covariances divided by N − 1; with so few "
           "pictures only rows of this table can be compared", "lower", 4),
    Column("found", "found\nby dlib", "share of made faces in which dlib finds a face", "higher", 0, True),
)  # fmt: skip
_PARTS = (
    Column("attention", "attention\nmean", "weight of the warped source against the texture, mean over pixels and "
           "pictures (GANimation: of the source as it is)", "neither"),
    Column("low", "low\n1 %", "the attention that 1 % of a picture's pixels lie below, mean over pictures", "neither"),
    Column("high", "high\n99 %", "the attention that 99 % of a picture's pixels lie below, mean over pictures",
           "neither"),
    Column("flow", "flow", "mean length of the flow, as a share of the picture's width; GANimation has none", "neither",
           2, True),
)  # fmt: skip


def editing(rows: Mapping[str, Edits], about: str, regressors: Sequence[str], has_truth: bool) -> Table:
    """Whether the wanted expressions were made.

    Args:
      rows: each row's name and values.
      about: how many pictures, and what was done.
      regressors: whose discriminators estimated action units.
      has_truth: whether the data has what should come out.
    """
    by_regressor = [
        Column(f"by_{name}", f"AU error\nD of {name}", "mean absolute difference of the action units that the "
               f"discriminator of {name} estimates from those that were wanted; {name} was trained to please it",
               "lower")
        for name in regressors
    ]  # fmt: skip
    return Table(
        key="editing",
        title="Other people's expressions on test faces",
        about=about,
        columns=[_LANDMARKS, *by_regressor, *(_TRUTH if has_truth else ())],
        rows=[Row(name, _made(values), compared=name not in (UNCHANGED, TRUE)) for name, values in rows.items()],
    )


def _made(values: Edits) -> dict[str, Figure]:
    figures = {key: summarize(getattr(values, key)) for key in ("by_landmarks", "ssim", "psnr")}
    return figures | {f"by_{judge}": summarize(each) for judge, each in values.by_regressor.items()}


def keeping(rows: Mapping[str, Edits], real: np.ndarray, asked: np.ndarray) -> Table:
    """Whether the person stayed who it was.

    Args:
      rows: as for `editing`.
      real: dlib's descriptors of the faces as they were, for the Fréchet distance.
      asked: indices of the cases on which dlib's descriptors were asked for.
    """
    return Table(
        key="keeping",
        title="The same person, and back again",
        about=f"The same edits. ID and FD on {len(asked)} of the faces, where dlib sees them. FD needs many: with "
        "fewer faces than features it is too large.",
        columns=_KEPT,
        rows=[
            Row(name, _kept(name, values, real, asked), compared=name not in (UNCHANGED, TRUE))
            for name, values in rows.items()
        ],
    )


def _kept(name: str, values: Edits, real: np.ndarray, asked: np.ndarray) -> dict[str, Figure]:
    figures = {"cycle": summarize(values.cycle), "identity": summarize(values.identity[asked])}
    if name != UNCHANGED:
        figures["frechet"] = _frechet(values.descriptors, real, len(asked))
    return figures | ({"found": share(values.found)} if len(real) else {})


def _frechet(made: np.ndarray, real: np.ndarray, of: int) -> Figure:
    if min(len(made), len(real)) < 2:
        return Figure(None, None, 0, of)
    return Figure(frechet_distance(made, real), None, len(made), of)


def by_unit(rows: Mapping[str, Edits], wanted: np.ndarray, shown: Sequence[int]) -> Table:
    """Which action units are made well: by DFT-Net's discriminator, and by landmarks for the units `shown`."""
    names = [name for name in rows if name != TRUE]
    made = [("regressor", "D", name) for name in names if name != BASELINE]
    made += [("landmarks", "landm.", name) for name in names]
    lines = []
    for i, number in enumerate(action_units.NUMBERS):
        figures = {"wanted": summarize(wanted[:, i])}
        for judge, _, name in made:
            if judge == "regressor":
                figures[f"{judge}_{name}"] = summarize(rows[name].of_units[:, i])
            elif number in shown:
                figures[f"{judge}_{name}"] = summarize(rows[name].of_landmark_units[:, shown.index(number)])
        lines.append(Row(f"{number} {action_units.NAMES[number]}", figures))
    meanings = {"regressor": "DFT-Net's discriminator", "landmarks": "dlib's landmarks"}
    return Table(
        key="units",
        title="By action unit",
        about="The same edits, unit by unit. A unit that is hardly ever wanted has a small error whatever is done.",
        columns=[
            Column("wanted", "wanted", "mean of the wanted intensities", "neither"),
            *(
                Column(f"{judge}_{name}", f"{_SHORT.get(name, name)}\n{short}", f"{name}: mean absolute difference by "
                       f"{meanings[judge]}", "lower")
                for judge, short, name in made
            ),
        ],
        rows=lines,
        compare=False,
    )  # fmt: skip


def singles(responses: Mapping[str, Mapping[str, np.ndarray]], count: int) -> Table:
    """How strong the expressions of `SINGLE` are before and after they are asked for, by dlib's landmarks."""
    groups = list(next(iter(responses.values())))
    return Table(
        key="singles",
        title="One expression at a time",
        about=f"The {count} calmest of the test faces, given one expression each. Mean intensity, from 0 to 1, of "
        "its action units as dlib's landmarks show them: before, after, and where the data has it in the true picture.",
        columns=[Column(group, _SHORT.get(group, group), f"mean intensity: {group}", "neither", 2) for group in groups],
        rows=[
            Row(f"{name} ({' '.join(map(str, SINGLE[name]))})", {key: summarize(each) for key, each in values.items()})
            for name, values in responses.items()
        ],
        compare=False,
    )


def parts(uses: Mapping[str, Use]) -> Table:
    """How much of the picture is warped, how much is painted."""
    return Table(
        key="parts",
        title="Warped or painted",
        about="Where the attention is 1 the picture is the warped source, where it is 0 it is the texture. An "
        "attention of 0 or of 1 everywhere means that one of the two decoders has no effect.",
        columns=_PARTS,
        rows=[
            Row(
                name,
                {key: summarize(getattr(use, key)) for key in ("attention", "low", "high")}
                | ({} if name == BASELINE else {"flow": summarize(use.flow)}),
            )
            for name, use in uses.items()
        ],
        compare=False,
    )


def verdict(rows: Mapping[str, Edits], has_truth: bool) -> tuple[str, bool | None]:
    """Whether DFT-Net beats GANimation in action units and in SSIM, where the run has it, and makes faces at all."""
    text, good = _compared_verdict(rows, has_truth)
    lost = _lost(rows)
    return (text + lost, False) if lost else (text, good)


def _compared_verdict(rows: Mapping[str, Edits], has_truth: bool) -> tuple[str, bool | None]:
    """Without regard to what dlib finds."""
    ours, rival = rows[OURS], rows.get(BASELINE)
    still = _units(ours, rows[UNCHANGED], OURS)
    nothing = f"{still.measure} {still.mine:.3f}, of the faces as they were {still.theirs:.3f}, over {still.count}"
    if rival is None:
        text = f"{OURS}: {nothing}. The run has no baseline to compare with."
        return text, None if still.won else False
    measures = [_units(ours, rival, BASELINE)]
    if has_truth:
        measures.append(compared("SSIM", ours.ssim, rival.ssim, "higher"))
    text, good = verdicts.verdict(OURS, f"{BASELINE} baseline", measures)
    return (text, good) if still.won else (f"{text} But its edits do not bring faces nearer: {nothing}.", False)


def _lost(rows: Mapping[str, Edits]) -> str:
    """What to say where dlib sees most of the faces as they were, and not half of the made ones."""
    made, before = rows[OURS].found, rows[UNCHANGED].found
    if before.mean() <= 0.5 or made.mean() >= 0.5:
        return ""
    return f" dlib finds a face in {made.sum()} of {len(made)} faces that {OURS} made: it is not trained well enough."


def _units(ours: Edits, other: Edits, judge: str) -> Compared:
    """By dlib's landmarks where it saw any; else by the discriminator of `judge`."""
    units = compared("action-unit error by landmarks", ours.by_landmarks, other.by_landmarks, "lower")
    if units.count:
        return units
    errors = (each.by_regressor[judge] for each in (ours, other))
    return compared(f"action-unit error by the discriminator of {judge}", *errors, "lower")
