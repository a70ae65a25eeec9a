"""The tables of the evaluation, beside Tables 5, 6 and 7 of Li et al., and the sentence that the figures decide."""

from __future__ import annotations

import math
from collections.abc import Mapping

from lgan_jax.evaluation import verdicts
from lgan_jax.evaluation.tables import Column, Row, Table
from lgan_jax.evaluation.verdicts import Compared, compared
from lgan_jax.methods.expression.evaluation.measures import Measured
from lgan_jax.metrics.summary import Figure, share, summarize
from lgan_jax.metrics.verification import RATES, Verification, needed

OURS, COPY, TRUTH = "this run", "copy of the source", "what should come out"

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
TABLE_7 = {"w/o feature initialize network": 76.85, "w/o expression label smooth": 69.48, "all together": 67.69}

_DLIB = "dlib's 128 face descriptors"
_PSNR = Column("psnr", "PSNR\ndB", "peak signal-to-noise ratio of the made face and of what should come out; 100 at "
               "most", "higher", 2)  # fmt: skip
_SSIM = Column("ssim", "SSIM", "structural similarity of the same two", "higher")
_FID = Column("fid", "FID", "Fréchet distance of the features of the user's Inception file of the made faces to those "
              "of what should come out, covariances divided by N − 1; with fewer pictures than its 2,048 features it "
              "is too large, so only rows of this table can be compared", "lower", 2)  # fmt: skip
_FRECHET = Column("frechet", "FD\ndlib", f"Fréchet distance of {_DLIB} (not of Inception's features) of the made faces "
                  "to those of what should come out, covariances divided by N − 1; with so few pictures only rows of "
                  "this table can be compared", "lower", 4)  # fmt: skip
_CONTROL = (
    Column("landmarks", "landmark\nerror", "mean distance of dlib's landmarks on the made face from those asked for, "
           "in units of the distance between the outer eye corners", "lower", 2, True),
    Column("found", "found\nby dlib", "share of the faces in which dlib finds a face", "higher", 0, True),
    Column("expression", "expression\nright", "share of the faces in which the classifier sees the expression asked "
           "for; it learned from the real training faces", "higher", 1, True),
    Column("identity", "ID", "distance of dlib's face descriptors between the made face and the source; dlib calls "
           "two faces one person below 0.6", "lower"),
)  # fmt: skip
_RANK_1 = Column("rank1", "Rank-1", "share of the probes whose nearest face in the gallery is of the same person; a "
                 "face that dlib does not find, or of whom the gallery has no other picture, is no probe", "higher", 1,
                 True)  # fmt: skip


def quality(rows: Mapping[str, Measured], about: str, on_ck_plus: bool) -> Table:
    """Table 5: how near the made pictures are to the real ones.

    Args:
      rows: each row's name and values.
      about: how many pictures, and what was done.
      on_ck_plus: whether the data set is the paper's.
    """
    return Table(
        key="quality",
        title="Pictures (Table 5)",
        about=about,
        columns=[_PSNR, _SSIM, _FRECHET, _FID],
        rows=[
            *(Row(name, _pictures(values)) for name, values in rows.items() if name != TRUTH),
            *_published(TABLE_5, ("psnr", "ssim", "fid")),
        ],
        published=published("Table 5", on_ck_plus, "FID by Inception."),
    )  # fmt: skip


def control(rows: Mapping[str, Measured], about: str) -> Table:
    """Whether the made faces have the landmarks and the expression asked for, and are still the person."""
    return Table(
        key="control",
        title="What was asked for",
        about=about,
        columns=_CONTROL,
        rows=[
            _beside(name, _controlled(values) | {"identity": summarize(values.identity)})
            for name, values in rows.items()
        ],
    )


def verification(rows: Mapping[str, Measured], on_ck_plus: bool) -> Table:
    """Table 6; rows without dlib's descriptors have no figures."""
    found = {name: values.verification for name, values in rows.items() if values.verification is not None}
    columns = [
        Column(_tar(rate), f"TAR at\nFAR {_percent(rate)}", "share of genuine comparisons accepted at the distance at "
               f"which {_percent(rate)} of impostors' are; it takes {needed(rate):,} of these to tell", "higher", 1,
               True)
        for rate in RATES
    ]  # fmt: skip
    return Table(
        key="verification",
        title="The same person (Table 6)",
        about=_comparisons(found),
        columns=[_RANK_1, *columns],
        rows=[
            *(_beside(name, _verified(values)) for name, values in rows.items()),
            *_published({name: tuple(x / 100 for x in figures) for name, figures in TABLE_6.items()},
                        ("rank1", *map(_tar, RATES))),
        ],
        published=published("Table 6", on_ck_plus, "With descriptors of VGG-Face and Light CNN, not dlib's; “original” "
                            "are real pictures as probes."),
    )  # fmt: skip


def ablations(rows: Mapping[str, Measured], differences: Mapping[str, str], on_ck_plus: bool) -> Table:
    """Table 7: this run beside others of the same data.

    Args:
      rows: this run and the others, by name.
      differences: of each other run, how its config differs from this one's.
      on_ck_plus: as for `quality`.
    """
    said = "; ".join(f"{name}: {text}" for name, text in differences.items())
    return Table(
        key="ablations",
        title="What each part is good for (Table 7)",
        about=f"Other runs of the same data, on the same pictures. How they differ: {said}.",
        columns=[_FID, _FRECHET, _SSIM, *_CONTROL[:3]],
        rows=[
            *(Row(name, _pictures(values) | _controlled(values)) for name, values in rows.items()),
            *_published({name: (value,) for name, value in TABLE_7.items()}, ("fid",)),
        ],
        published=published("Table 7", on_ck_plus, "FID by Inception."),
    )  # fmt: skip


def published(table: str, on_ck_plus: bool, more: str) -> str:
    """What is said of the paper's rows."""
    where = "on CK+." if on_ck_plus else "on CK+: another data set, not comparable."
    return f"As published (Li et al., {table}), {where} {more}"


def verdict(rows: Mapping[str, Measured], others: Mapping[str, Measured]) -> tuple[str, bool | None]:
    """Whether this run beats copying the source in SSIM, landmarks and expressions, and each other run in FID or SSIM.

    Landmarks are left out where dlib saw none.
    """
    ours, copy = rows[OURS], rows[COPY]
    measures = [
        compared("SSIM", ours.ssim, copy.ssim, "higher"),
        compared("landmark error", ours.landmarks, copy.landmarks, "lower"),
        compared("share of right expressions", ours.expression * 1.0, copy.expression * 1.0, "higher"),
    ]
    text, good = verdicts.verdict("The run", COPY, measures)
    for name, other in others.items():
        beaten, won = verdicts.verdict("it", f"run {name}", _against(ours, other))
        text += f" {beaten[0].upper()}{beaten[1:]}"
        good = good and (won or any(each.won for each in _against(ours, other)))
    if copy.found.mean() > 0.5 > ours.found.mean():
        text += f" dlib finds a face in {ours.found.sum()} of {len(ours.found)} made faces: not trained well enough."
        good = False
    return text, good


def _against(ours: Measured, other: Measured) -> list[Compared]:
    """Table 7's measure, or dlib's in its place, and SSIM."""
    name, mine, theirs = "FID", ours.fid, other.fid
    if math.isnan(mine):
        name, mine, theirs = "FD of dlib", ours.frechet, other.frechet
    distance = [] if math.isnan(mine + theirs) else [Compared(name, mine, theirs, len(ours.ssim), "lower")]
    return [*distance, compared("SSIM", ours.ssim, other.ssim, "higher")]


def _beside(name: str, figures: Mapping[str, Figure]) -> Row:
    """A row of a table in which a copy of the source, and the truth, are no competitors."""
    return Row(name, figures, compared=name not in (COPY, TRUTH))


def _pictures(values: Measured) -> dict[str, Figure]:
    """What was measured of the pictures."""
    count = len(values.ssim)
    distances = {
        "frechet": _scalar(values.frechet, int(values.found.sum()), count),
        "fid": _scalar(values.fid, count, count),
    }
    measured = {key: figure for key, figure in distances.items() if figure.mean is not None}
    return {"psnr": summarize(values.psnr), "ssim": summarize(values.ssim), **measured}


def _controlled(values: Measured) -> dict[str, Figure]:
    return {
        "landmarks": summarize(values.landmarks),
        "found": share(values.found),
        "expression": share(values.expression),
    }


def _verified(values: Measured) -> dict[str, Figure]:
    found = values.verification
    if found is None:
        return {}
    rates = {_tar(rate): _scalar(value, found.genuine, found.genuine) for rate, value in found.tar.items()}
    return {"rank1": _scalar(found.rank1, found.probes, len(values.ssim)), **rates}


def _comparisons(found: Mapping[str, Verification]) -> str:
    """How many comparisons there were, and which rates they cannot tell."""
    if not found:
        return "dlib is not installed."
    text = (
        "Made faces are looked up among the real test pictures of this evaluation, but for each one's own source "
        "and target. Comparisons: "
    )
    text += "; ".join(
        f"{name}: {each.probes} probes, {each.genuine:,} genuine, {each.impostor:,} of impostors"
        for name, each in found.items()
    )
    fewest = min(each.impostor for each in found.values())
    if untold := [f"FAR {_percent(rate)} takes {needed(rate):,}" for rate in RATES if fewest < needed(rate)]:
        text += f". Too few impostors' comparisons for a figure: {', '.join(untold)}"
    return f"{text}."


def _tar(rate: float) -> str:
    return f"tar_{rate:g}"


def _percent(rate: float) -> str:
    return f"{100 * rate:g}%"


def _scalar(value: float, measured: int, of: int) -> Figure:
    return Figure(None, None, 0, of) if math.isnan(value) else Figure(float(value), None, measured, of)


def _published(table: Mapping[str, tuple], keys: tuple[str, ...]) -> list[Row]:
    return [
        Row(name, {key: Figure(float(value), None, 0, 0) for key, value in zip(keys, values)}, ours=False)
        for name, values in table.items()
    ]
