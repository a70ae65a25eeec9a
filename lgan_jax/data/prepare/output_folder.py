"""The output folder of `prepare`: its state on disk, for resuming after an interruption.

`OUT/.prepare/job.json` records inputs and options. `OUT/.prepare/begun/<person>/` holds the observations and crops
written so far; when a person is finished, the crops are renamed to `OUT/<person>` in one step and the person's summary
is stored in `OUT/.prepare/done/<person>.json`. Finished work is flushed to the disk.
"""

from __future__ import annotations

import dataclasses
import io
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from lgan_jax import files, locks, untrusted
from lgan_jax.data.builders.base import read_lines
from lgan_jax.data.prepare.options import Options, flag
from lgan_jax.data.prepare.sources import Person
from lgan_jax.data.prepare.tracking import Observation, stack
from lgan_jax.landmarks import IBUG68
from lgan_jax.media.files import shown

VERSION = 1
PIECE = 100  # frames, and crops, between two writes
WORK = ".prepare"
SUMMARY = "prepared.json"
_IMAGE = re.compile(r"\d{1,18}\.jpg")
_FIELDS = {"version": int, "options": dict, "inputs": dict}
ANNOTATIONS = "all_68pt.txt"
_ROW = Observation("b", "b", "f", "f", "f", "i", "b")  # NumPy's kind of each field
_AXES = Observation((), (), (IBUG68.count, 2), (), (), (2,), ())  # after that of the frames


def crop_name(number: int) -> str:
    """Name of the crop of a frame."""
    return f"{number:06d}.jpg"


def write_json(path: Path, value: Any) -> None:
    """Writes indented JSON atomically."""
    files.write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def annotated(folder: Path) -> tuple[Float32[np.ndarray, "n 68 2"], list[str]]:
    """Landmarks of a prepared person's images, in pixels with 0 at the center of the first, and the files' names.

    Raises `ValueError`, one line, where the file is damaged.
    """
    file = folder / ANNOTATIONS
    try:
        names, texts = zip(*(line.rsplit(" ", 1)[::-1] for line in read_lines(file)), strict=True)
        points = np.array([text.split(" ") for text in texts], np.float32).reshape(-1, IBUG68.count, 2)
    except ValueError:
        raise ValueError(f"{file} is damaged: delete the whole output folder and prepare it again") from None
    if not np.isfinite(points).all() or not all(_IMAGE.fullmatch(name) for name in names):
        raise ValueError(f"{file} was modified: delete the whole output folder and prepare it again")
    return points, list(names)


class OutputFolder:
    """The state of one output folder."""

    def __init__(self, videos: Path, out: Path, options: Options, people: Sequence[Person]):
        """Opens a new folder or resumes an earlier one.

        Raises:
          ValueError: `out` was written with other options or from other files.
          FileExistsError: `out` holds other files.
        """
        self.out, self.options = out, options
        self._work = out / WORK
        inputs = {person.name: _stamps(person, videos) for person in people}
        expected = {"version": VERSION, "options": dataclasses.asdict(options), "inputs": inputs}
        file = self._work / "job.json"
        if file.exists():
            _check_same(out, untrusted.read_record(file, _FIELDS), expected)
        elif out.exists() and any(path.name not in (WORK, locks.NAME) for path in out.iterdir()):
            raise FileExistsError(f"{out} holds other files: choose a new or an empty folder")
        self.begun, self.done = self._work / "begun", self._work / "done"
        files.make_folder(self.begun)
        files.make_folder(self.done)
        write_json(file, expected)

    def place(self, person: str) -> Path:
        """The folder in which a person's data set is written; `finish` moves it to the output."""
        folder = self.begun / person / "set"
        files.make_folder(folder)
        return folder

    def summary(self, person: str) -> dict[str, Any] | None:
        """The summary of a finished person, or None for an unfinished person."""
        file = self.done / f"{person}.json"
        if not file.exists():
            return None
        self._publish(person)
        return untrusted.read_record(file, {"kept": int, "frames": int, "sources": list, "dropped": dict})

    def finish(self, person: str, summary: Mapping[str, Any]) -> None:
        """Records a person's summary and moves the crops to the output."""
        write_json(self.done / f"{person}.json", summary)
        self._publish(person)

    def observed(self, person: str, source: int) -> tuple[list[Observation], bool]:
        """An earlier run's observations in a person's source, in pieces, and whether they are complete."""
        pieces: list[Observation] = []
        finished = False
        while not finished and (file := self._piece(person, source, len(pieces))).exists():
            arrays = untrusted.read_npz(file)
            if not _are_observations(arrays):
                raise ValueError(f"{file} is damaged: delete {file.parent} and repeat the command")
            pieces.append(Observation(*(arrays[name] for name in Observation._fields)))
            finished = bool(arrays["finished"])
        return pieces, finished

    def save(self, person: str, source: int, piece: int, observations: list[Observation], finished: bool) -> None:
        """Stores the next piece of a source's observations; `finished` marks the last piece."""
        data = io.BytesIO()
        np.savez(data, finished=np.bool_(finished), **stack(observations)._asdict())
        file = self._piece(person, source, piece)
        files.make_folder(file.parent)
        files.write_bytes(file, data.getvalue())

    def crops(self, person: str) -> Crops:
        """The crops of a person written so far, to append to."""
        return Crops(self.place(person) / "Image", self.begun / person / "crops.txt")

    def _piece(self, person: str, source: int, piece: int) -> Path:
        return self.begun / person / f"seen-{source}-{piece}.npz"

    def _publish(self, person: str) -> None:
        """Moves a finished person's data set to the output, if not yet moved, and removes temporary files."""
        folder = self.begun / person
        if (folder / "set" / ANNOTATIONS).exists() and not (self.out / person).exists():
            files.move(folder / "set", self.out / person)
        if folder.exists():
            shutil.rmtree(folder)


class Crops:
    """The crops of a person on disk; a context manager that flushes the last crops on exit.

    A list file names the flushed crops; other crops, which a crash may have corrupted, are written again.
    """

    def __init__(self, folder: Path, names: Path):
        """`folder` is created if missing; `names` is the list file."""
        files.make_folder(folder)
        self._folder, self._list = folder, names
        self._names = set(read_lines(names)) if names.exists() else set()
        self._new: list[str] = []

    def __enter__(self) -> Crops:
        return self

    def __exit__(self, *_) -> None:
        self._flush()

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def add(self, name: str, data: bytes) -> None:
        """Writes a crop. Raises `OSError` that names it."""
        with files.named(self._folder / name):
            (self._folder / name).write_bytes(data)
        self._new.append(name)
        if len(self._new) == PIECE:
            self._flush()

    def _flush(self) -> None:
        if self._new:
            for name in self._new:
                files.sync(self._folder / name)
            files.sync_entries(self._folder)
            self._names.update(self._new)
            self._new = []
            files.write_text(self._list, "".join(f"{name}\n" for name in sorted(self._names)))


def _are_observations(arrays: Mapping[str, np.ndarray]) -> bool:
    if arrays.keys() != {"finished", *Observation._fields} or arrays["finished"].size != 1:
        return False
    fields = [arrays[name] for name in Observation._fields]
    frames = fields[0].shape[:1]
    return len(frames) == 1 and all(
        field.dtype.kind == kind and field.shape == (*frames, *axes) for field, kind, axes in zip(fields, _ROW, _AXES)
    )


def _stamps(person: Person, videos: Path) -> dict[str, list[int]]:
    """Size and modification time of a person's files, by their path in the input folder."""
    stats = {shown(file.relative_to(videos).as_posix()): file.stat() for file in person.files}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def check_places(videos: Path, out: Path) -> None:
    """Raises `ValueError` where one folder is inside the other, `FileExistsError` where `out` is a file."""
    videos, out = videos.resolve(), out.resolve()
    if out == videos or videos in out.parents:
        raise ValueError(f"OUT {out} must not lie in VIDEOS {videos}: the next run would treat it as a person")
    if out in videos.parents:
        raise ValueError(f"VIDEOS {videos} must not lie in OUT {out}")
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"OUT {out} is a file; it must be a folder or not exist")


def _check_same(out: Path, stored: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Raises `ValueError` where resuming would mix options or inputs. People may be added."""
    advice = "choose another OUT, or delete this one to start over"
    if stored["version"] != expected["version"]:
        raise ValueError(f"{out} was written by another version of this program: {advice}")
    for name, value in expected["options"].items():
        before = stored["options"].get(name, getattr(Options, name))  # earlier versions had fewer options
        if before != value:
            raise ValueError(f"{out} was written with {flag(name)} {before or 'none'}, not {value or 'none'}: {advice}")
    for person, stamps in stored["inputs"].items():
        if person not in expected["inputs"]:
            raise ValueError(f"{out} was written from a folder that also held {person!r}, which is missing: {advice}")
        if stamps != expected["inputs"][person]:
            raise ValueError(f"the files of {person!r} have changed since {out} was started: {advice}")
