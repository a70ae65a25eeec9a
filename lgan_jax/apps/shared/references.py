"""A person not seen in training, shown to a run by a clip or some photos: the apps' `--reference`."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8

from lgan_jax.apps.shared import EVERYBODY, face_reader, sampled_frames
from lgan_jax.apps.shared.face_reader import FaceReader, Located
from lgan_jax.core import FaceInfo
from lgan_jax.data import coverage
from lgan_jax.data.prepare.options import Options
from lgan_jax.data.prepare.tracking import sharpness
from lgan_jax.faces import Faces
from lgan_jax.landmarks import Scheme
from lgan_jax.media import files as media
from lgan_jax.media.source import Source, open_source
from lgan_jax.protocols import PersonTaker

MOST = 128  # frames that are searched for a face
FEWEST = 2  # usable frames
_COMPARED = 16  # frames in which the person's identity is compared
_PIECE = 16  # frames whose landmarks are read at once


@runtime_checkable
class Reader(face_reader.Reader, Protocol):
    """What reads the frames; see `FaceReader`."""

    boxes: Sequence[Any]

    def others(self, faces: Sequence[Any]) -> int:
        """The number of faces of another person than most."""


class Person(NamedTuple):
    """Usable frames of one person.

    Attributes:
      name: the person's.
      images: aligned as the run's frames are.
      landmarks: of these, in [0, 1].
      lines: how many frames were used, and what may go wrong with them.
    """

    name: str
    images: UInt8[np.ndarray, "k size size 3"]
    landmarks: Float32[np.ndarray, "k N 2"]
    lines: tuple[str, ...]


def add(
    model: PersonTaker,
    path: Path,
    name: str | None,
    framing: Mapping[str, np.ndarray],
    landmarks: str = "auto",
    faces: Faces | None = None,
) -> tuple[Any, Person]:
    """The model with one more person, the last of its identities, shown by the frames at `path`.

    Args:
      model: of a run of the form "reference".
      path: a clip, a folder of photos, or a folder with one of these in it.
      name: of the person; None for that of the file or folder.
      framing: landmarks that define the run's frame; see `face_reader.template`.
      landmarks: the source of the points; see `face_reader.FaceReader`.
      faces: shares models that are already loaded.

    Raises:
      ValueError, FileNotFoundError: one line, for a run that takes no new person, a name that is taken, no
        readable file, or fewer than two usable frames.
    """
    model.check_takes_people()
    source = _opened(path)
    where = source.path.resolve()
    name = name or (where.name if source.kind == "folder" else where.stem)
    if name in (*model.info.identities, EVERYBODY):
        raise ValueError(
            f"--reference {path}: the name {name!r} is taken in this run; rename the file, or give another"
        )
    reader = FaceReader(model, framing, landmarks, faces, follow=source.kind == "video")
    person = _read(source, reader, name, model.info.scheme)
    return model.with_person(name, person.images.astype(np.float32) / 127.5 - 1, person.landmarks), person


def need(info: FaceInfo, run: Path) -> None:
    """Raises `ValueError`, one line, for a run without identities, which needs `--reference`."""
    if not info.identities:
        raise ValueError(f"{run} knows no person, as its frames were stripped: give frames of one with --reference")


def usable(found: list[Located]) -> tuple[list[Located], int]:
    """Those that are not blurred, by the criterion of `prepare`, and how many are."""
    sharp = np.array([sharpness(face.crop) for face in found])
    clear = sharp >= Options.blur * np.median(sharp) if found else sharp
    return [face for face, good in zip(found, clear) if good], int(len(found) - clear.sum())


def _read(source: Source, reader: Reader, name: str, scheme: Scheme) -> Person:
    wanted = sampled_frames.evenly(source, MOST)
    seen, at_once = [], 0
    for _, face in itertools.islice(sampled_frames.faces(source, reader, wanted), MOST):
        seen.append(face)
        at_once = max(at_once, len(reader.boxes))
    found = [face for face in seen if face is not None]
    sharp, blurred = usable(found)
    counts = f"{len(seen) - len(found)} show no face, {blurred} are blurred"
    if source.kind == "folder" and (damaged := len(source.files[:: wanted.step]) - len(seen)):
        counts += f", {damaged} more cannot be read"
    if len(sharp) < FEWEST:
        raise ValueError(
            f"--reference {source.path}: {len(sharp)} of {len(seen)} frames can be used ({counts}); "
            f"at least {FEWEST} are needed"
        )
    points = [reader.points(sharp[start : start + _PIECE]) for start in range(0, len(sharp), _PIECE)]
    points = np.concatenate(points).astype(np.float32)
    covered = dataclasses.replace(coverage.coverage(points, scheme), frames=coverage.FEW)  # a few do, if they differ
    lines = [f"{name}: {len(sharp)} of {len(seen)} frames of {source.path} are used; {counts}"]
    lines += [f"WARNING: {name} {each}" for each in covered.warnings]
    lines += [f"WARNING: {each}" for each in _several(source.path, reader, sharp, at_once)]
    return Person(name, np.stack([face.crop for face in sharp]), points, tuple(lines))


def _several(path: Path, reader: Reader, faces: Sequence[Located], at_once: int) -> Iterator[str]:
    """Warnings where a reference shows more than one person."""
    if at_once > 1:
        yield f"{path} shows {at_once} faces at once, and the largest is taken: cut it around one person"
    compared = faces[:: -(-len(faces) // _COMPARED)]
    if others := reader.others(compared):
        yield f"{others} of {len(compared)} frames of {path} seem to show another person than the others"


def _opened(path: Path) -> Source:
    """The clip or photos at `path`, or in the one folder or clip of a folder without photos."""
    if not path.is_dir():
        return open_source(path)
    listed = media.listed(path)
    kinds = [media.kind(entry) for entry in listed]
    inside = [entry for entry, kind in zip(listed, kinds) if entry.is_dir() or kind == "video"]
    if "photo" in kinds or not inside:
        return open_source(path)
    if len(inside) > 1:
        names = ", ".join(media.shown(entry.name) for entry in inside[:3])
        raise ValueError(f"--reference {path} holds more than one person ({names} …): give the one that is meant")
    return open_source(inside[0])
