"""EmotioNet, and any folder of cropped faces with OpenFace's output.

EmotioNet is distributed as a list of addresses, so it has no official layout. Images and tables (see
`builders.openface`) may lie anywhere below the folder:

    <any>/<image>.jpg                             with <any>/<image>.csv (FaceLandmarkImg), the folders may differ,
                                                    or in a table with a column of images' names or paths;
    <any>/<image>_aligned/face_det_000000.bmp     the crop of FaceLandmarkImg, with <any>/<image>.csv;
    <any>/<sequence>_aligned/frame_det_00_000001.bmp   the crop of FeatureExtraction, with <any>/<sequence>.csv.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from lgan_jax import action_units
from lgan_jax.coordinates import from_pixels
from lgan_jax.data.builders import base, crops, openface
from lgan_jax.data.split import FEWEST, TRAIN, by_subject, contiguous_blocks, subjects_note
from lgan_jax.media import files

EVERYBODY = "everybody"  # the only identity
_ALIGNED = "_aligned"
_CROP = re.compile(r"(frame|face)_det_(?:(\d+)_)?(\d+)")
_SAMPLE = 16  # images on which landmarks are checked
_NONE = np.zeros((0, 2), np.float32)


class Crop(NamedTuple):
    """The parsed name of one of OpenFace's own crops: the table's name, and the face and frame in it."""

    table: str
    face: int
    frame: int


@dataclasses.dataclass(frozen=True)
class Face:
    """An image with its row, its subject, its number in a recording, and its split."""

    path: Path
    row: openface.Row
    subject: str
    number: int
    split: str = ""


class EmotioNet(base.FaceBuilder, skip_registration=True):
    """Cropped faces with the 17 action units of OpenFace.

    All images are one identity. Where images lie in several folders, or come from several sequences, each of these
    counts as one subject; about a tenth of the subjects is in the validation and a tenth in the test split, so a person
    is in two splits only if the person is in several folders.
    With a single folder, subjects are unknown: the images are split into blocks by name or number
    (`split.contiguous_blocks`), which separates neighbors in a recording but not the photos of one person.

    Landmarks are stored if every row has them and they lie on the images; OpenFace's own crops have none.

    Skipped, counted and named: images that cannot be decoded, are smaller than 16 pixels, not square, have no row or
    several; rows that have no image, no face (`success` 0), a `confidence` below the threshold, a field that is not a
    number, or intensities that are not between 0 and 5; and tables of one image that lack a column.

    Raises `FileNotFoundError` or `ValueError` for a folder that is missing, or holds no images or no tables, and
    `ValueError` for a table of many images that lacks a column.
    """

    def __init__(self, root: Path, cache: Path, confidence: float):
        self.root, self.confidence = root, confidence
        self.photos, self.tables = listing(root)
        digest = hashlib.sha256(repr((base.listing_key(root, self.photos + self.tables), confidence)).encode())
        super().__init__(cache, f"emotionet-{digest.hexdigest()[:16]}", (EVERYBODY,), "ibug68")

    def features(self):
        return {"action_units": tfds.features.Tensor(shape=(len(action_units.NUMBERS),), dtype=np.float32)}

    def records(self):
        faces = self._faces()
        self.total = len(faces)
        self.landmarks = _landmarks_fit(faces)
        yield from self.usable(self.read, ((self._name(face.path), face) for face in self._split(faces)))

    def read(self, face: Face) -> tuple[str, base.Record]:
        """The split and the record of one face; raises `base.Unusable` for one that must be skipped."""
        data, image = crops.read(face.path)
        landmarks = _NONE
        if self.landmarks:
            landmarks = _scaled(face, image)
            base.check_landmarks(landmarks)
        return face.split, {
            "image": base.stored(data, image),
            "landmarks": landmarks,
            "identity": 0,
            "action_units": face.row.units,
        }

    def _faces(self) -> list[Face]:
        """The images with one valid row; all others, and unused rows, are skipped and recorded."""
        rows = Rows(self._read_tables())
        cropped = {path.parent.name for path in self.photos if _crop(path)}
        faces = []
        for path in self.photos:
            found = rows.of(path.relative_to(self.root))
            fault = "OpenFace's own crop of the image is used" if path.stem + _ALIGNED in cropped else _fault(found)
            if fault:
                self.skip(fault, self._name(path))
            else:
                faces.append(Face(path, found[0], *self._place(path, len(faces))))
        for row in rows.left_over():
            self.skip("row without its image", row.where)
        return faces

    def _read_tables(self) -> Iterator[openface.Table]:
        for path in self.tables:
            try:
                yield dataclasses.replace(
                    openface.read_table(path, self.confidence), path=Path(path.relative_to(self.root))
                )
            except openface.NoUnits:
                self.skip("CSV file without action units", self._name(path))
            except ValueError:
                if not any(image.stem == path.stem for image in self.photos):
                    raise
                self.skip("table of an image that lacks columns of action units", self._name(path))

    def _place(self, path: Path, number: int) -> tuple[str, int]:
        """The image's subject, by its folder, and its number in the recording."""
        crop, folder = _crop(path), path.parent
        if crop is not None and path.stem.startswith("face"):
            folder = folder.parent
        elif crop is not None:
            number = crop.frame
        return folder.relative_to(self.root).as_posix(), number

    def _split(self, faces: Sequence[Face]) -> list[Face]:
        """The faces that are in a split; faces of a folder in two splits appear in both."""
        subjects = [face.subject for face in faces]
        if len(set(subjects)) > 1:
            parts = by_subject(subjects)
            self.notes.append(f"split by folder or sequence: {subjects_note(parts.values())}")
            return [dataclasses.replace(face, split=split) for face in faces for split in parts[face.subject]]
        numbers = np.array([face.number for face in faces], np.int64)
        if len(np.unique(numbers)) < FEWEST:  # reported when the splits are checked
            return [dataclasses.replace(face, split=TRAIN) for face in faces]
        blocks = contiguous_blocks(numbers)
        self.notes.append("all images lie in one folder: the same person may be in several splits")
        self.notes += [blocks.note] if blocks.note else []
        self.between = blocks.between
        return [dataclasses.replace(face, split=split) for face, split in zip(faces, blocks.split.tolist()) if split]

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


class Rows:
    """The rows of all tables, indexed for lookup by image."""

    def __init__(self, tables: Iterable[openface.Table]):
        self._tables: dict[str, list[openface.Table]] = collections.defaultdict(list)
        self._merged: dict[str, list[openface.Row]] = collections.defaultdict(list)
        self._all: list[openface.Row] = []
        self._used: set[int] = set()
        for table in tables:
            self._all += table.rows
            if table.kind != "merged":
                self._tables[table.path.stem].append(table)
            for row in table.rows if table.kind == "merged" else ():
                self._merged[_stem(_path(row))].append(row)

    def of(self, path: Path) -> list[openface.Row]:
        """The rows of an image, given its path below the root."""
        crop = _crop(path)
        if crop is None:
            found = _nearest(path, self._merged[_stem(path)], _path)
            tables = [table for table in self._tables[path.stem] if table.kind == "image"]
            found = found or [row for table in _nearest(path, tables, lambda table: table.path) for row in table.rows]
        else:
            tables = _nearest(path.parent, self._tables[crop.table], lambda table: table.path)
            found = [row for table in tables for row in table.rows if (row.face, row.frame) == crop[1:]]
        self._used.update(map(id, found))
        return found

    def left_over(self) -> list[openface.Row]:
        """The rows that were never looked up."""
        return [row for row in self._all if id(row) not in self._used]


def listing(root: Path) -> tuple[list[Path], list[Path]]:
    """The images and the tables below a folder, sorted; hidden files are ignored.

    Raises `FileNotFoundError` where `root` is no folder, `ValueError` where it has no images or no tables.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}; give the folder that holds images and OpenFace's tables")
    everything = sorted(files.walk(root))
    photos = [path for path in everything if files.is_photo(path)]
    tables = [path for path in everything if path.suffix.lower() == ".csv"]
    for found, what in ((tables, "CSV tables of OpenFace"), (photos, f"images ({', '.join(files.PHOTO_ENDINGS)})")):
        if not found:
            raise ValueError(f"{root} holds no {what}; images of faces and OpenFace's output are needed")
    return photos, tables


def _crop(path: Path) -> Crop | None:
    """Parses the name of one of OpenFace's own crops; None for another image."""
    match = _CROP.fullmatch(path.stem)
    if not match or not path.parent.name.endswith(_ALIGNED):
        return None
    table, (kind, face, last) = path.parent.name.removesuffix(_ALIGNED), match.groups()
    return Crop(table, int(face or 0), int(last)) if kind == "frame" else Crop(table, int(last), 0)


def _nearest(path: Path, candidates: Sequence, path_of) -> list:
    """The candidates in the image's folder, or else in the folders with the most names in common."""

    def shared(candidate) -> int:
        ours, theirs = path.parent.parts, path_of(candidate).parent.parts
        if ours == theirs:
            return len(ours) + 1
        pairs = zip(reversed(ours), reversed(theirs))
        return next((i for i, (one, other) in enumerate(pairs) if one != other), min(len(ours), len(theirs)))

    most = max(map(shared, candidates), default=0)
    return [candidate for candidate in candidates if shared(candidate) == most]


def _path(row: openface.Row) -> PurePosixPath:
    """The path of an image in a merged table, including Windows paths."""
    return PurePosixPath(row.image.replace("\\", "/"))


def _stem(path: PurePosixPath) -> str:
    """An image's name without its suffix, where it has one."""
    return files.nfc(path.stem if path.suffix.lower() in files.PHOTO_ENDINGS else path.name)


def _fault(rows: Sequence[openface.Row]) -> str:
    """Why an image with these rows cannot be used; empty where it is usable."""
    if not rows:
        return "image without a row in OpenFace's tables"
    return "several faces or rows for one image" if len(rows) > 1 else rows[0].fault


def _scaled(face: Face, image: np.ndarray) -> np.ndarray:
    return from_pixels(face.row.landmarks, *image.shape[1::-1]).astype(np.float32)


def _landmarks_fit(faces: Sequence[Face]) -> bool:
    """Whether all faces have landmarks that, in most of a sample of images, lie inside the image."""
    if not faces or any(face.row.landmarks is None or _crop(face.path) for face in faces):
        return False
    inside = []
    for face in faces[:: -(-len(faces) // _SAMPLE)]:
        try:
            points = _scaled(face, base.decoded(base.read_bytes(face.path)))
        except base.Unusable:
            continue
        inside.append(bool((points > 0).all() and (points < 1).all()))
    return bool(np.mean(inside or [0]) > 0.5)
