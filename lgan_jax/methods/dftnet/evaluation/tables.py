"""Result tables of DFT-Net's evaluation."""

from __future__ import annotations

from lgan_jax import action_units
from lgan_jax.evaluation import tables
from lgan_jax.evaluation.harness import Setup
from lgan_jax.evaluation.tables import Column, Table, measured_rows
from lgan_jax.faces.unit_estimate import ESTIMATED
from lgan_jax.methods.dftnet.evaluation.edits import SINGLE
from lgan_jax.methods.dftnet.evaluation.metrics import BASELINE, GROUND_TRUTH, UNCHANGED, Measured

_REFERENCES = (UNCHANGED, GROUND_TRUTH)
_SHORT = {BASELINE: "baseline", UNCHANGED: "source", GROUND_TRUTH: "truth"}  # as headings

_BY_LANDMARKS = Column(
    "by_landmarks", "AU error\nlandmarks", "mean absolute difference, of an intensity from 0 to 1, of the action units "
    "that dlib's landmarks show from the target ones; dlib is no part of the training", "lower"
)  # fmt: skip
_BY_GROUND_TRUTH = (
    tables.ssim(
        "the generated image and the ground truth: the same person, pose and light with the target expression, "
        "rendered (with the side of a one-sided smile, which units do not encode) or, for recordings, another frame"
    ),
    tables.psnr("the same images"),
)  # fmt: skip
_KEEPING = (
    tables.identity("the generated image and the source"),
    Column("cycle", "cycle\nℓ1", "mean absolute difference of the source and the image with its own action units "
           "restored, as a share of the range from black to white", "lower", 1, True),
    tables.frechet("the generated images to those of the sources"),
    tables.found("generated images"),
)  # fmt: skip
_PARTS = (
    Column("attention", "attention\nmean", "weight of the warped source against the texture, mean over pixels and "
           "images (GANimation: of the unchanged source)", "neither"),
    Column("low", "low\n1 %", "the attention that 1 % of an image's pixels lie below, mean over images", "neither"),
    Column("high", "high\n99 %", "the attention that 99 % of an image's pixels lie below, mean over images",
           "neither"),
    Column("flow", "flow", "mean length of the flow, as a share of the image's width; GANimation has none", "neither",
           2, True),
)  # fmt: skip


def editing(setup: Setup, measured: Measured) -> Table:
    """Errors of the edited expressions."""
    by_regressor = [
        Column(f"by_{name}", f"AU error\nD of {name}", "mean absolute difference of the action units that the "
               f"discriminator of {name} estimates from the target ones; {name} was trained with it", "lower")
        for name in measured.models
    ]  # fmt: skip
    columns = [_BY_LANDMARKS, *by_regressor, *(() if measured.edits.ground_truth is None else _BY_GROUND_TRUTH)]
    about = f"{len(measured.edits.images)} test faces of {setup.size}, each edited to another face's action units."
    if setup.data.drawn is None and measured.edits.ground_truth is not None:
        about += " The other face is a frame of the same recording with nearly the same pose: the ground truth."
    if measured.estimator is not None:
        about += f" Landmarks show {len(ESTIMATED)} of the 17 units, relative to {measured.estimator.source}."
    return Table(
        key="editing",
        title="Edits to other faces' expressions",
        about=about if setup.dlib.installed else f"{about} dlib is not installed.",
        columns=columns,
        rows=measured_rows(measured.rows, columns, _REFERENCES),
    )


def keeping(setup: Setup, measured: Measured) -> Table:
    """Preservation of the identity, and cycle consistency."""
    return Table(
        key="keeping",
        title="Identity and cycle consistency",
        about=f"The same edits. ID and FD on {len(measured.asked)} of the faces, if dlib finds them. FD needs many: "
        "it is biased upwards with fewer faces than features.",
        columns=_KEEPING,
        rows=measured_rows(measured.rows, _KEEPING, _REFERENCES),
    )


def single_expressions(setup: Setup, measured: Measured) -> Table | None:
    """Intensities of single expressions before and after editing, by dlib's landmarks; None without these."""
    if not measured.responses:
        return None
    groups = measured.responses[next(iter(SINGLE))]
    count = len(next(iter(groups.values())))
    columns = [Column(group, _SHORT.get(group, group), f"mean intensity: {group}", "neither", 2) for group in groups]
    names = {name: f"{name} ({' '.join(map(str, numbers))})" for name, numbers in SINGLE.items()}
    return Table(
        key="singles",
        title="Single expressions",
        about=f"The {count} most neutral test faces, edited to one expression each. Mean intensity, from 0 to 1, of "
        "its action units by dlib's landmarks: before, after, and in the ground truth, if any.",
        columns=columns,
        rows=measured_rows({names[name]: values for name, values in measured.responses.items()}, columns),
        compare=False,
    )


def parts(setup: Setup, measured: Measured) -> Table:
    """Statistics of attention and flow: the warped and the synthesized share of the images."""
    rows = {
        name: {key: each for key, each in values.items() if (name, key) != (BASELINE, "flow")}
        for name, values in measured.attention.items()
    }
    return Table(
        key="parts",
        title="Warped or synthesized",
        about="The image is the warped source where the attention is 1, and the texture where it is 0. With an "
        "attention of 0 or 1 everywhere, one of the two decoders has no effect.",
        columns=_PARTS,
        rows=measured_rows(rows, _PARTS),
        compare=False,
    )


def by_unit(setup: Setup, measured: Measured) -> Table:
    """Errors by action unit: by DFT-Net's discriminator, and by landmarks for the units in `ESTIMATED`."""
    columns, sources = [Column("target", "target", "mean of the target intensities", "neither")], {}
    for key, short, meaning in (
        ("of_units", "D", "DFT-Net's discriminator"),
        ("of_landmark_units", "landm.", "dlib's landmarks"),
    ):
        for name in measured.rows:
            if name != GROUND_TRUTH and (key, name) != ("of_units", BASELINE):
                heading = f"{_SHORT.get(name, name)}\n{short}"
                columns.append(
                    Column(f"{key}_{name}", heading, f"{name}: mean absolute difference by {meaning}", "lower")
                )
                sources[f"{key}_{name}"] = measured.rows[name][key]
    estimated, rows = () if measured.estimator is None else ESTIMATED, {}
    for i, number in enumerate(action_units.NUMBERS):
        values = {"target": measured.edits.target[:, i]}
        for key, source in sources.items():
            if key.startswith("of_units"):
                values[key] = source[:, i]
            elif number in estimated:
                values[key] = source[:, estimated.index(number)]
        rows[f"{number} {action_units.NAMES[number]}"] = values
    return Table(
        key="units",
        title="By action unit",
        about="The same edits by action unit. A unit that is rare in the targets has a small error in any case.",
        columns=columns,
        rows=measured_rows(rows, columns),
        compare=False,
    )
