"""`python -m lgan_jax.data.prepare VIDEOS OUT`; `--help` says the rest."""

from __future__ import annotations

import collections
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import rich.console

from lgan_jax import cli, compilation
from lgan_jax.cli import option
from lgan_jax.data import prepare
from lgan_jax.data.coverage import ALONE
from lgan_jax.data.prepare import console
from lgan_jax.data.prepare.workers import cores
from lgan_jax.data.split import SPLITS, splits_by_subject
from lgan_jax.faces import face_landmarker
from lgan_jax.faces.face_landmarker.bundle import SOURCE, VARIABLE
from lgan_jax.media.files import summary as listing

_DESCRIPTION = """\
Prepares a data set of aligned faces with 68 landmarks from your videos and photos.

VIDEOS is a folder. Each person in it is one video file (its name is the person's), or a sub-folder of photos or of
videos; in a folder of photos alone, each photo is a person. Where an image shows several faces, the largest is used.
Photos whose face would have to be enlarged more than twofold are dropped. A photo that is named after an expression
(neutral.jpg, smiling_2.jpg, …) gets its label, in expressions.csv. OUT gets, for each person,
Image/<frame>.jpg and all_68pt.txt in CelebV's layout, action_units.csv, and prepared.json with all counts. Train on it
with
  python train.py --config configs/celebv.py --config.data.dir=OUT
  python train.py --config configs/emotionet.py --config.data.dir=OUT

Action units 1 2 4 5 12 15 17 20 23 25 26 45 are estimated from the landmarks, relative to the person's neutral face
(found among the frames with the mouth closed and the eyes open); or, with --action-units blendshapes, units 1 2 4 5 12
17 20 23 25 26 45 from each image alone. Repeating the command adds them to a folder that was prepared without them.

Crops are aligned by the points inside the face's outline: position, size and roll of the head are removed; yaw and
pitch are preserved. Frames without a face, blurred frames and frames whose landmarks jump are dropped.

Repeating the command resumes an interrupted run. A person added to VIDEOS is added to OUT.
Exit status: 0; 2 for invalid input; 130 when interrupted."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments(prepare.Options):
    """The command's arguments."""

    videos: Path = option(
        "folder with a video, a sub-folder or a photo for each person", flag="videos", metavar="VIDEOS", required=True
    )
    out: Path = option(
        "folder to write: new, empty, or from an interrupted run", flag="out", metavar="OUT", required=True
    )
    bundle: str | None = option(
        f"Google's face_landmarker.task, Apache-2.0, from {SOURCE} (default: the environment variable {VARIABLE})",
        flag="--face-landmarker",
        metavar="FILE",
    )
    workers: int | None = option(
        "people prepared at a time, each by a process; with --landmarks face_landmarker one (default: one per core)",
        metavar="N",
    )

    @property
    def options(self) -> prepare.Options:
        """The settings among the arguments."""
        return prepare.Options(
            **{field.name: getattr(self, field.name) for field in dataclasses.fields(prepare.Options)}
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Prepares, prints the table, and returns the exit status."""
    given, landmarker = cli.read(Arguments, "lgan_jax.data.prepare", _DESCRIPTION, arguments), None
    if given.needs_face_landmarker:
        compilation.use_cache()
        landmarker = face_landmarker.load(given.bundle, "--face-landmarker")
        print(f"Google's Face Landmarker, SHA-256 {landmarker.bundle.checksum}")
    elif given.bundle:
        raise ValueError("--face-landmarker is used by --landmarks face_landmarker and --action-units blendshapes only")
    try:
        workers = cores() if given.workers is None else given.workers
        result = prepare.prepare(given.videos, given.out, given.options, landmarker=landmarker, workers=workers)
    except KeyboardInterrupt:
        print("Repeat the same command to resume.", file=sys.stderr)
        raise
    return _report(given.out, result)


def _report(out: Path, result: dict[str, Any]) -> int:
    """Prints the counts of retained and dropped frames; returns 2 if no person is usable."""
    terminal = rich.console.Console(highlight=False)
    people, left_out = result["people"], result["left_out"]
    taken = "each photo" if result["loose"] else "each sub-folder and each video"
    terminal.print(f"VIDEOS has {len(people) + len(left_out)} people: {taken} is one", markup=False)
    _tables(terminal, out, people, left_out)
    for line in _lines(result):
        terminal.print(line, markup=False, soft_wrap=True)
    for warning in _warnings(people):
        terminal.print(f"WARNING: {warning}", markup=False, soft_wrap=True)
    if not people:
        raise ValueError(f"nobody is left of the people in VIDEOS ({len(left_out)} left out)")
    terminal.print(f"{out} holds {len(people)} of {len(people) + len(left_out)} people", markup=False)
    terminal.print(f"Labels: {result['labels']}", markup=False, soft_wrap=True)
    return 0


def _tables(terminal: rich.console.Console, out: Path, people: dict[str, Any], left_out: dict[str, Any]) -> None:
    """Prints a row for each person, or, where a run splits them by subject, one row for all."""
    everybody, splits = {**people, **left_out}, prepare.splits(out, people)
    if splits_by_subject("auto", [summary["kept"] for summary in people.values()]):
        in_splits = {split: sum(counts[split] for counts in splits.values()) for split in SPLITS}
        terminal.print(console.table({"all": console.totals(everybody)}, {"all": in_splits}))
        terminal.print("Few frames each: a run splits them by subject, each person into one split", markup=False)
        return
    terminal.print(console.table(everybody, splits))
    if people:
        terminal.print(console.coverage({name: summary["coverage"] for name, summary in people.items()}))


def _lines(result: dict[str, Any]) -> Iterator[str]:
    """Notes on files and people, one line each."""
    everybody = {**result["people"], **result["left_out"]}
    for name, summary in everybody.items():
        yield from (f"{name}: {line}" for line in _remarks(summary))
    if several := [each for summary in everybody.values() for each in summary.get("several_faces", ())]:
        yield f"Photos with several faces, of which the largest is used: {len(several)} ({listing(several)})"
    if result["not_people"]:
        yield f"Not taken for people: {listing(result['not_people'])}"
    reasons = collections.defaultdict(list)
    for name, summary in result["left_out"].items():
        reasons[summary["reason"]].append(name)
    for reason, names in reasons.items():
        yield f"Left out: {listing(names)} ({reason})"
    if result["loose"] and result["options"]["action_units"] == "landmarks":
        yield (
            "No action units: a single photo of a person has no neutral face to compare with; --action-units "
            "blendshapes needs none"
        )


def _remarks(summary: dict[str, Any]) -> Iterator[str]:
    """Notes on a person's files: faults, how they were read, and skipped files."""
    for source in summary["sources"]:
        named = source.get("video", "photos")
        if "fault" in source:
            yield f"{named} {source['fault']}"
        yield from (f"{named}: {note}" for note in source.get("notes", ()))
    if summary["skipped_files"]:
        yield f"skipped, neither photos nor videos: {listing(summary['skipped_files'])}"


def _warnings(people: dict[str, Any]) -> list[str]:
    """Coverage warnings, one line each."""
    warnings = [warning for summary in people.values() for warning in summary["warnings"]]
    if len(people) == 1:
        warnings.append(f"{next(iter(people))} {ALONE}")
    return warnings


if __name__ == "__main__":
    sys.exit(cli.run(main, "prepare"))
