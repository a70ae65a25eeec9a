"""CelebV, and any folder in its layout: cropped frames of people's videos with 98 or 68 landmarks.

    <root>/<Identity>/Image/*.jpg
    <root>/<Identity>/all_98pt.txt   (WFLW's points) or all_68pt.txt (iBUG's)

One line of the text file is one image: x y x y … in pixels of the image with 0 at the center of the first pixel,
then ignored fields, then the file's name. Source: Wu et al., "ReenactGAN", ECCV 2018, as its authors distribute
CelebV. `lgan_jax.data.prepare` writes the same layout, and `<Identity>/action_units.csv`, a table for
`builders.openface` with the images' names in the column `image`. Expression labels may be in
`<Identity>/expressions.csv`, a table for `builders.expressions`.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

import numpy as np
import tensorflow_datasets as tfds

from lgan_jax import action_units, untrusted
from lgan_jax.coordinates import from_pixels
from lgan_jax.data.builders import base, crops, expressions, openface
from lgan_jax.data.split import FEWEST, By, HeldOut, contiguous_blocks, splits_by_subject
from lgan_jax.faces import unit_estimate
from lgan_jax.faces.expression_estimate import UNCLEAR
from lgan_jax.faces.face_landmarker import action_units as blendshape_units
from lgan_jax.landmarks import scheme_of_count
from lgan_jax.media import files

ANNOTATIONS = ("all_98pt.txt", "all_68pt.txt")
IMAGES = "Image"
UNITS = "action_units.csv"
EXPRESSIONS = "expressions.csv"
PREPARED = "prepared.json"
_REQUIRED = tuple(sorted({*unit_estimate.ESTIMATED} & {*blendshape_units.ESTIMATED}))  # estimated by both methods
_ANYBODY = HeldOut()


@dataclasses.dataclass(frozen=True)
class Frame:
    """An image with its number in the recording, `(N, 2)` points in its pixels, `(17,)` action units in [0, 1] or
    None, its expression or None, and its part of the split."""

    path: Path
    number: int
    points: np.ndarray
    identity: int
    units: np.ndarray | None = None
    expression: int | None = None
    split: str = ""


class CelebV(base.FaceBuilder, skip_registration=True):
    """The images of the folder, split in time (`split.contiguous_blocks`) or by subject (`split.HeldOut`).

    Records have `action_units` if every person has a table of them, and `expression` if any person has one, which is
    `UNCLEAR` for an image without a label.

    Skipped, counted and named: images that cannot be decoded, are smaller than 16 pixels, not square, or have no
    line; lines that have no image, or another number of fields than most lines of their file; invalid landmarks; and
    images without a valid row in the table of action units. Where the split is by subject, people without a usable
    image are left out.

    Args:
      root: the folder.
      cache: see `base.FaceBuilder`.
      by: whether a person's frames are in all splits or in one; see `split.splits_by_subject`.
      held_out: subjects of the validation and of the test split, where the split is by subject.
      kind: prefix of the key.

    Raises `FileNotFoundError` or `ValueError` for a folder that is missing or has another layout.
    """

    def __init__(self, root: Path, cache: Path, by: By = "auto", held_out: HeldOut = _ANYBODY, kind: str = "celebv"):
        self.by, self.held_out = by, held_out
        self.annotations = annotations(root)
        self.points = points_of(self.annotations)
        self.tables = tables(self.annotations)
        used = [file for path in self.annotations.values() for file in (path, *_image_files(path))]
        labels = {name: path.with_name(EXPRESSIONS) for name, path in self.annotations.items()}
        self.labels = {name: path for name, path in labels.items() if path.is_file()}
        used += [*self.tables.values(), *self.labels.values()]
        settings = hashlib.sha256(repr((by, held_out)).encode()).hexdigest()[:8]
        key = f"{kind}-{settings}-{base.listing_key(root, used)}"
        super().__init__(cache, key, tuple(self.annotations), scheme_of_count(self.points).name)
        if source := _labels(root / PREPARED):
            self.notes.append(source)

    def features(self):
        units = tfds.features.Tensor(shape=(len(action_units.NUMBERS),), dtype=np.float32)
        found = {"action_units": units} if self.tables else {}
        return found | ({"expression": np.int32} if self.labels else {})

    def records(self):
        people = {name: self.frames(name) for name in self.identities}
        self.disjoint = splits_by_subject(self.by, [len(frames) for frames in people.values()])
        frames = list(self._by_subject(people) if self.disjoint else self._in_time(people))
        self.total = len(frames)
        yield from self.usable(read, ((_name(frame.path), frame) for frame in frames))

    def _by_subject(self, people: Mapping[str, list[Frame]]) -> Iterator[Frame]:
        """All frames, those of a person in one split (of two people, one is in validation and test)."""
        splits = self.held_out.of(name for name, frames in people.items() if frames)
        for name, names in splits.items():
            yield from (dataclasses.replace(frame, split=split) for split in names for frame in people[name])

    def _in_time(self, people: Mapping[str, list[Frame]]) -> Iterator[Frame]:
        """Each person's frames that are in a split, in the order of the recording."""
        for name, frames in people.items():
            numbers = np.array([frame.number for frame in frames], np.int64)
            if (count := len(np.unique(numbers))) < FEWEST:
                raise ValueError(
                    f"{name} has {count} image(s) with landmarks and needs at least {FEWEST}, one for each split: "
                    f"add images to {name}/{IMAGES} with lines in {name}/{self.annotations[name].name}, "
                    f"or remove {name}" + ", or set config.data.split=subject" * (len(people) > 1)
                )
            blocks = contiguous_blocks(numbers)
            self.between += blocks.between
            if blocks.note:
                self.notes.append(f"{name}: {blocks.note}")
            pairs = zip(frames, blocks.split.tolist())
            yield from (dataclasses.replace(frame, split=split) for frame, split in pairs if split)

    def frames(self, name: str) -> list[Frame]:
        """The images of one person with a complete line, in the order of the recording; the others are skipped."""
        annotation, identity = self.annotations[name], self.identities.index(name)
        lines = [line.split() for line in base.read_lines(annotation) if line.strip()]
        usual = collections.Counter(map(len, lines)).most_common(1)
        paths = _image_files(annotation)
        numbers = dict(zip(paths, _frame_numbers(paths), strict=True))
        frames, by_name = {}, {files.nfc(path.name): path for path in paths}
        for fields in lines:
            named = PurePosixPath(fields[-1]).name
            path = by_name.get(files.nfc(named), annotation.parent / IMAGES / named)
            points = _floats(fields[: 2 * self.points])
            if len(fields) != usual[0][0] or len(points) != 2 * self.points:
                self.skip("annotation line with a number missing or too many", _name(path))
            elif path not in numbers:
                self.skip("annotation without its image", _name(path))
            else:
                frames[path] = Frame(path, numbers[path], points.reshape(-1, 2), identity)
        mentioned = {files.nfc(PurePosixPath(fields[-1]).name) for fields in lines}
        for path in paths:
            if files.nfc(path.name) not in mentioned:
                self.skip("image without an annotation", _name(path))
        frames = self._with_units(name, frames.values()) if self.tables else frames.values()
        if self.labels:
            known = expressions.read_table(self.labels[name]) if name in self.labels else {}
            frames = [dataclasses.replace(frame, expression=known.get(frame.path.name, UNCLEAR)) for frame in frames]
        return sorted(frames, key=lambda frame: (frame.number, frame.path))

    def _with_units(self, name: str, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames with action units; the others are skipped and recorded."""
        rows = {row.image: row for row in openface.read_table(self.tables[name], required=_REQUIRED).rows}
        for frame in frames:
            row = rows.get(frame.path.name)
            if row is None or row.fault:
                self.skip(row.fault if row else "image without action units", _name(frame.path))
            else:
                yield dataclasses.replace(frame, units=row.units)


def _labels(record: Path) -> str:
    """The source of a prepared folder's labels, from its record; empty where unknown."""
    found = untrusted.read_record(record, {}) if record.exists() else {}
    labels = found.get("labels", "") if isinstance(found, dict) else ""
    return f"labels: {labels}" if isinstance(labels, str) and labels else ""


def annotations(root: Path) -> dict[str, Path]:
    """Each person's annotation file, by name, sorted.

    Raises `FileNotFoundError` where `root` is no folder, `ValueError` where it has no annotation file.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}; give the folder that holds <Identity>/{ANNOTATIONS[0]}")
    found = {}
    for folder in (path for path in files.listed(root) if path.is_dir()):
        for name in reversed(ANNOTATIONS):
            if (folder / name).is_file():
                found[folder.name] = folder / name
    if not found:
        raise ValueError(f"{root} has neither <Identity>/{ANNOTATIONS[0]} nor <Identity>/{ANNOTATIONS[1]}")
    return found


def tables(annotated: Mapping[str, Path]) -> dict[str, Path]:
    """Each person's table of action units, given the annotation files; empty where there are none.

    Raises `ValueError` where only some people have a table.
    """
    found = {name: path.with_name(UNITS) for name, path in annotated.items() if path.with_name(UNITS).is_file()}
    if lacking := sorted(annotated.keys() - found.keys()) if found else []:
        raise ValueError(
            f"{lacking[0]} has no {UNITS} and others have one: repeat the command that prepared this folder "
            f"to add missing tables, or remove all of them"
        )
    return found


def points_of(annotated: Mapping[str, Path]) -> int:
    """The number of points in the annotation files, by their names. Raises `ValueError` where they differ."""
    counts = {path.name: int(re.sub(r"\D", "", path.name)) for path in annotated.values()}
    if len(counts) > 1:
        raise ValueError(
            f"all people need the same landmarks, but there are {' and '.join(sorted(counts))}: remove one kind"
        )
    return next(iter(counts.values()))


def read(frame: Frame) -> tuple[str, base.Record]:
    """The split and the record of one frame; raises `base.Unusable` for one that must be skipped."""
    data, image = crops.read(frame.path)
    landmarks = from_pixels(frame.points, image.shape[1], image.shape[0]).astype(np.float32)
    base.check_landmarks(landmarks)
    record = {"image": base.stored(data, image), "landmarks": landmarks, "identity": frame.identity}
    optional = {"action_units": frame.units, "expression": frame.expression}
    return frame.split, record | {name: value for name, value in optional.items() if value is not None}


def _frame_numbers(paths: list[Path]) -> list[int]:
    """The last number in each name; indices in the list where a name has none, or more than 18 digits."""
    found = [re.search(r"(\d+)\D*$", path.stem) for path in paths]
    if all(match and len(match[1]) <= 18 for match in found):
        return [int(match[1]) for match in found]
    return list(range(len(paths)))


def _image_files(annotation: Path) -> list[Path]:
    """The files in a person's image folder, sorted by name, without hidden files."""
    return files.listed(annotation.parent / IMAGES)


def _floats(fields: list[str]) -> np.ndarray:
    """The numbers; empty where a field is not a number."""
    try:
        return np.array([float(field) for field in fields])
    except ValueError:
        return np.array([])


def _name(path: Path) -> str:
    return f"{path.parent.parent.name}/{path.parent.name}/{path.name}"
