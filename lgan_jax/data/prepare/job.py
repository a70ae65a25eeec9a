"""The output folder: what it holds, what has been done already, and how to go on after an interruption.

`OUT/.prepare/job.json` says from what and how the folder is made. `OUT/.prepare/begun/<person>/` holds what has been
seen so far and the crops written so far; when a person is finished, the crops become `OUT/<person>` in one step and the
person's summary stays in `OUT/.prepare/done/<person>.json`. Each file is written beside its place and then renamed, so
that a run that is killed leaves no half of a file behind.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from lgan_jax.data.prepare.options import Options
from lgan_jax.data.prepare.sources import Person
from lgan_jax.data.prepare.tracking import Observation, stack
from lgan_jax.media.files import shown

VERSION = 1
WORK = ".prepare"
SUMMARY = "prepared.json"
ANNOTATIONS = "all_68pt.txt"


def write(path: Path, data: bytes) -> None:
    """Writes a file so that it is there as a whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    os.replace(part, path)


def write_json(path: Path, value: Any) -> None:
    """`write` for JSON, indented."""
    write(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def annotated(folder: Path) -> tuple[Float32[np.ndarray, "n 68 2"], list[str]]:
    """Landmarks of a prepared person's pictures, in pixels with 0 at the center of the first, and the files' names."""
    lines = [line.rsplit(" ", 1) for line in (folder / ANNOTATIONS).read_text().splitlines()]
    points = np.array([text.split(" ") for text, _ in lines], np.float32).reshape(len(lines), -1, 2)
    return points, [name for _, name in lines]


class Job:
    """The work in one output folder."""

    def __init__(self, videos: Path, out: Path, options: Options, people: Sequence[Person]):
        """Opens a new or an earlier job.

        Raises:
          ValueError: the folders lie in each other, or `out` was made with other options or from other files.
          FileExistsError: `out` holds something else, or is a file.
        """
        _check_places(videos, out)
        self.out = out
        self._work = out / WORK
        inputs = {person.name: _stamps(person, videos) for person in people}
        wanted = {"version": VERSION, "options": dataclasses.asdict(options), "inputs": inputs}
        file = self._work / "job.json"
        if file.exists():
            _check_same(out, json.loads(file.read_text()), wanted)
        elif out.exists() and (not out.is_dir() or any(path.name != WORK for path in out.iterdir())):
            raise FileExistsError(f"{out} holds something that was not prepared here: choose a new or an empty folder")
        self._begun, self._done = self._work / "begun", self._work / "done"
        self._begun.mkdir(parents=True, exist_ok=True)
        self._done.mkdir(exist_ok=True)
        write_json(file, wanted)

    def place(self, person: str) -> Path:
        """The folder in which a person's data set grows; `finish` moves it to the output."""
        folder = self._begun / person / "set"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def summary(self, person: str) -> dict[str, Any] | None:
        """What `finish` was given for a person, or None for one that is not finished."""
        file = self._done / f"{person}.json"
        if not file.exists():
            return None
        self._publish(person)
        return json.loads(file.read_text())

    def finish(self, person: str, summary: Mapping[str, Any]) -> None:
        """Records a person's summary and moves the crops to their place in the output."""
        write_json(self._done / f"{person}.json", summary)
        self._publish(person)

    def observed(self, person: str, source: int) -> tuple[list[Observation], bool]:
        """What an earlier run saw of a person's source, in pieces, and whether it came to the end."""
        pieces: list[Observation] = []
        finished = False
        while not finished and (file := self._piece(person, source, len(pieces))).exists():
            with np.load(file) as arrays:
                pieces.append(Observation(*(arrays[name] for name in Observation._fields)))
                finished = bool(arrays["finished"])
        return pieces, finished

    def save(self, person: str, source: int, piece: int, seen: list[Observation], finished: bool) -> None:
        """Keeps the next piece of what is seen of a source; `finished` says that it is the last."""
        data = io.BytesIO()
        np.savez(data, finished=np.bool_(finished), **stack(seen)._asdict())
        file = self._piece(person, source, piece)
        file.parent.mkdir(exist_ok=True)
        write(file, data.getvalue())

    def _piece(self, person: str, source: int, piece: int) -> Path:
        return self._begun / person / f"seen-{source}-{piece}.npz"

    def _publish(self, person: str) -> None:
        """Moves a finished person's data set to the output, where an earlier run has not, and forgets the rest."""
        folder = self._begun / person
        if (folder / "set" / ANNOTATIONS).exists():
            os.replace(folder / "set", self.out / person)
        if folder.exists():
            shutil.rmtree(folder)


def _stamps(person: Person, videos: Path) -> dict[str, list[int]]:
    """Size and time of change of a person's files, by their place in the input folder."""
    stats = {shown(file.relative_to(videos).as_posix()): file.stat() for file in person.files}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def _check_places(videos: Path, out: Path) -> None:
    videos, out = videos.resolve(), out.resolve()
    if out == videos or videos in out.parents:
        raise ValueError(f"OUT {out} must not lie in VIDEOS {videos}: the next run would take it for a person")
    if out in videos.parents:
        raise ValueError(f"VIDEOS {videos} must not lie in OUT {out}")
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"OUT {out} is a file; it must be a folder, or not there yet")


def _check_same(out: Path, made: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raises `ValueError` where going on would mix two jobs. People may be added."""
    advice = "choose another OUT, or delete this one to start again"
    if made["version"] != wanted["version"]:
        raise ValueError(f"{out} was made by another version of this program: {advice}")
    for name, value in wanted["options"].items():
        if made["options"].get(name) != value:
            raise ValueError(f"{out} was made with --{name} {made['options'].get(name)}, not {value}: {advice}")
    for person, stamps in made["inputs"].items():
        if person not in wanted["inputs"]:
            raise ValueError(f"{out} was made from a folder that also held {person!r}, which is gone: {advice}")
        if stamps != wanted["inputs"][person]:
            raise ValueError(f"the files of {person!r} have changed since {out} was begun: {advice}")
