"""Prepares videos and photos of people as a data set of aligned faces with 68 landmarks.

    python -m lgan_jax.data.prepare VIDEOS OUT

VIDEOS holds a video, or a sub-folder of photos or videos, for each person; or photos alone, one of each person. The
output has CelebV's layout, so that one builder reads both: `OUT/<person>/Image/<frame>.jpg`, and
`OUT/<person>/all_68pt.txt` with a line for each image: 136 numbers x y x y … in pixels of the crop (0 is the center
of the first pixel), then the file's name. `OUT/<person>/action_units.csv` has, for each image, action units
estimated from landmarks (see `faces.unit_estimate`) or from the Face Landmarker's blendshape scores (see
`faces.face_landmarker.action_units`). `OUT/<person>/expressions.csv` has the expressions after which photos are named
(see `builders.expressions`). `OUT/prepared.json` records options, label sources and dropped frames.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lgan_jax import locks
from lgan_jax.data import split
from lgan_jax.data.prepare import person_report
from lgan_jax.data.prepare.options import Options
from lgan_jax.data.prepare.output_folder import SUMMARY, VERSION, OutputFolder, annotated, check_places, write_json
from lgan_jax.data.prepare.sources import Person, people
from lgan_jax.data.prepare.units import add_units
from lgan_jax.data.prepare.workers import prepare_people
from lgan_jax.faces import Faces
from lgan_jax.faces.face_landmarker import FaceLandmarker
from lgan_jax.faces.landmarker_faces import LandmarkerFaces
from lgan_jax.landmarks import IBUG68
from lgan_jax.progress import Progress

__all__ = ["Options", "prepare", "splits"]


def prepare(
    videos: Path,
    out: Path,
    options: Options,
    faces: Faces | None = None,
    landmarker: FaceLandmarker | None = None,
    workers: int = 1,
) -> dict[str, Any]:
    """Prepares the people in `videos` (see `sources.people`) into `out`.

    Another call resumes an interrupted run; people may be added between two runs. `faces` shares
    loaded models; `landmarker` is needed where the options use the Face Landmarker. Up to `workers` processes prepare a
    person each, with dlib; the Face Landmarker and given `faces` work in this process. The number changes no file.

    Returns what `out/prepared.json` holds: `version`, `scheme`, `size`, `options`, `labels` (sources of landmarks and
    action units), `people` (name → sources, counts of frames read, retained and dropped by reason, and the `coverage`
    and `warnings` of `prepare.person_report`), `left_out` (name → why no frame of a person is usable), `loose`
    (whether each person is one photo) and `not_people`.

    Raises:
      FileNotFoundError, NotADirectoryError: `videos` does not exist or is not a folder.
      FileExistsError: `out` holds other files.
      BlockingIOError: another process is preparing into `out`.
      ValueError: `workers` is below 1; `videos` holds no person; folders inside each other; `out` was written with
        other options or other files; no `landmarker` where one is needed.
      ModuleNotFoundError: dlib, its models or PyAV are not installed.
    """
    if workers < 1:
        raise ValueError(f"--workers must be at least 1, not {workers}")
    if options.needs_face_landmarker:
        if landmarker is None:
            raise ValueError("these options need the Face Landmarker: give `landmarker`")
        options = dataclasses.replace(options, face_landmarker=landmarker.bundle.checksum)
    found, others = people(videos)
    check_places(videos, out)
    if options.landmarks == "face_landmarker":
        faces = faces or LandmarkerFaces(landmarker)
    with locks.held(out, f"OUT {out}", inside=True):
        return _prepare(OutputFolder(videos, out, options, found), found, others, faces, landmarker, workers)


def _prepare(
    output: OutputFolder,
    found: Sequence[Person],
    others: list[str],
    faces: Faces | None,
    landmarker: FaceLandmarker | None,
    workers: int,
) -> dict[str, Any]:
    out, options = output.out, output.options
    with Progress(sum(source.frames for person in found for source in person.sources)) as progress:
        people = prepare_people(found, output, faces, workers, progress)
        if options.action_units == "blendshapes":
            for name, (summary, _) in people.items():
                if summary["kept"]:
                    add_units(out / name, landmarker)
    few = split.splits_by_subject("auto", [summary["kept"] for summary, _ in people.values() if summary["kept"]])
    prepared, left_out = {}, {}
    for person in found:
        summary, two_people = people[person.name]
        if summary["kept"]:
            about = person_report.describe(person, out / person.name, summary, two_people, alone=not few)
            prepared[person.name] = summary | about
        else:
            left_out[person.name] = summary | {"reason": _why(summary)}
    result = {
        "version": VERSION,
        "scheme": IBUG68.name,
        "size": options.size,
        "options": dataclasses.asdict(options),
        "labels": options.labels,
        "people": prepared,
        "left_out": left_out,
        "loose": all(person.loose for person in found),
        "not_people": others,
    }
    write_json(out / SUMMARY, result)
    return result


def splits(out: Path, people: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """The number of each prepared person's frames in each split; zeros where there are too few to split."""
    if split.splits_by_subject("auto", [summary["kept"] for summary in people.values()]):
        chosen = split.HeldOut().of(people)
        return {
            person: {name: people[person]["kept"] * (name in chosen[person]) for name in split.SPLITS}
            for person in people
        }
    return {person: _in_time(out, person) for person in people}


def _in_time(out: Path, person: str) -> dict[str, int]:
    numbers = np.array([int(name.removesuffix(".jpg")) for name in annotated(out / person)[1]])
    if len(numbers) < split.FEWEST:
        return dict.fromkeys(split.SPLITS, 0)
    found = split.contiguous_blocks(numbers).split
    return {name: int((found == name).sum()) for name in split.SPLITS}


def _why(summary: dict[str, Any]) -> str:
    if summary["frames"] == 0:
        return "; ".join(source["fault"] for source in summary["sources"] if "fault" in source) or "it has no frames"
    counted = ", ".join(f"{count} {reason}" for reason, count in summary["dropped"].items() if count)
    return f"none of {summary['frames']} frames is usable: {counted}"
