"""Coverage and warnings of a prepared person: pose range, blurred frames, frames of a second person."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from lgan_jax.data.coverage import coverage
from lgan_jax.data.prepare import quality
from lgan_jax.data.prepare.output_folder import annotated
from lgan_jax.data.prepare.sources import Person
from lgan_jax.faces import Faces
from lgan_jax.landmarks import IBUG68
from lgan_jax.media import images
from lgan_jax.media.files import shown
from lgan_jax.ops.spacing import evenly_spaced

_BLURRED = 1 / 3  # of the frames with a face
_COMPARED = 9  # frames, evenly spaced, whose descriptors are compared
_ANOTHER = 0.6  # distance of two descriptors that separates people
_AGAIN = 2  # least number of frames of a second person, so that a single odd view does not count


def describe(
    person: Person, folder: Path, summary: dict[str, Any], two_people: Sequence[str], alone: bool = True
) -> dict[str, Any]:
    """`coverage` (see `data.coverage.Coverage`) and `warnings`, one line each that names the person.

    `two_people` is the result of that function. Unless the person is to be learned `alone`, a small coverage is no
    reason for a warning.
    """
    found = coverage(annotated(folder)[0], IBUG68)
    warnings = [*(found.warnings if alone else ()), *_blurred(summary), *two_people]
    return {"coverage": dataclasses.asdict(found), "warnings": [f"{person.name} {each}" for each in warnings]}


def two_people(person: Person, folder: Path, summary: dict[str, Any], faces: Faces) -> list[str]:
    """A line where a prepared person's frames show two people, by the descriptors of a few."""
    points, names = annotated(folder)
    if len(names) < 2 * _AGAIN:
        return []
    chosen = evenly_spaced(np.arange(len(names)), _COMPARED)
    crops = [images.decode((folder / "Image" / names[i]).read_bytes()) for i in chosen]
    inside = [((points[i] + 0.5) / image.shape[1::-1]).astype(np.float32) for i, image in zip(chosen, crops)]
    place = strangers(faces.descriptors(crops, inside))
    if place is None:
        return []
    where = _where(person, summary, int(names[chosen[place]].removesuffix(".jpg")))
    return [f"seems to be two people: another face appears {where}; cut the video there, or remove the photo"]


def strangers(descriptors: Float[np.ndarray, "n 128"]) -> int | None:
    """The first of n faces that shows another person than the first face; None where all show one person.

    Faces are assigned to the nearer of the two most distant faces. They show two people if the median distance between
    the two groups separates people, and each group has at least two faces.
    """
    apart = np.linalg.norm(descriptors[:, None] - descriptors, axis=-1)
    one, other = np.unravel_index(apart.argmax(), apart.shape)
    second = apart[other] < apart[one]
    if min(second.sum(), (~second).sum()) < _AGAIN or np.median(apart[second][:, ~second]) <= _ANOTHER:
        return None
    return int(np.flatnonzero(second != second[0])[0])


def _blurred(summary: dict[str, Any]) -> list[str]:
    blurred = summary["dropped"][quality.BLURRED]
    faces = blurred + summary["kept"] + summary["dropped"][quality.JUMP]
    if blurred < _BLURRED * faces:
        return []
    return [f"is blurred in {blurred} of {faces} frames, which are dropped: film with more light, or hold still"]


def _where(person: Person, summary: dict[str, Any], number: int) -> str:
    """The source of a frame by its number: the video and the time in it, or the photo."""
    about = [each for each in summary["sources"] if each["first"] is not None and each["first"] <= number][-1]
    if "photos" in about:
        return f"in {about['photos'][(number - about['first']) // about['step']]}"
    (moving,) = (each.video for each in person.sources if each.video and shown(each.video.path.name) == about["video"])
    seconds = (number - about["first"]) / float(moving.rate)
    return f"in {about['video']}, about {int(seconds) // 60}:{seconds % 60:04.1f}"
