"""Faces that `lgan_jax.apps.synthesize` made, with their landmarks: images in shards, and a table of them.

<root>/made.json            what they were made with: run, weights, seed, size, scheme
<root>/landmarks.csv        file,number,digest,x_0,y_0,…: pixels, with 0 at the center of the first one
<root>/images/00000/…png    one file a face, and its .pts beside it
<root>/tfds/…               the same as a TFDS data set
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from lgan_jax import untrusted
from lgan_jax.data.builders import base
from lgan_jax.data.split import TEST, TRAIN, VALIDATION
from lgan_jax.frames import from_pixels
from lgan_jax.landmarks import scheme as scheme_of

RECORD, TABLE, IMAGES, STORED = "made.json", "landmarks.csv", "images", "tfds"
_FIELDS = {"run": str, "weights": str, "seed": int, "size": int, "scheme": str}
_TURNS = 10  # of as many faces, one validates and one tests
_SPLITS = {1: TEST, 2: VALIDATION}  # by the place in a turn; the others train


class Generated(base.FaceBuilder, skip_registration=True):
    """The made faces of a folder, as one identity; every tenth validates and every tenth tests.

    It is built inside of the folder.

    Left out, counted and named: rows whose image is missing or cannot be decoded, or whose landmarks are no numbers.

    Raises `ValueError` for a folder whose faces are not all made yet.
    """

    def __init__(self, root: Path):
        self.root, about = root, read_record(root)
        if not (root / TABLE).is_file():
            raise ValueError(f"{root} has no {TABLE}: not all of its faces are made; give the same command again")
        self.size = about["size"]
        key = f"made-{base.listing_key(root, [root / TABLE])}"
        super().__init__(root / STORED, key, ("made",), about["scheme"])
        self.notes.append(f"every image is made: run {about['run']}, {about['weights']}, seed {about['seed']}")

    def features(self) -> dict[str, Any]:
        return {}

    def records(self):
        rows = read_table(self.root / TABLE)
        self.total = len(rows)
        yield from self.usable(self._record, ((row["file"], (i, row)) for i, row in enumerate(rows)))

    def _record(self, numbered: tuple[int, dict[str, str]]) -> tuple[str, base.Record]:
        place, row = numbered
        count = scheme_of(self.scheme).count
        try:
            points = [[float(row[f"{axis}_{i}"]) for axis in "xy"] for i in range(count)]
        except (KeyError, TypeError, ValueError):
            raise base.Unusable(f"row without {count} landmarks") from None
        data = base.read_bytes(base.below(self.root, row["file"]))
        base.decoded(data)
        landmarks = from_pixels(np.array(points), self.size, self.size).astype(np.float32)
        base.check_landmarks(landmarks)
        split = _SPLITS.get(place % _TURNS, TRAIN)
        return split, {"image": data, "landmarks": landmarks, "identity": 0}


def read_record(root: Path) -> dict[str, Any]:
    """What the faces of a folder were made with. Raises `ValueError` where that cannot be read."""
    try:
        about = untrusted.read_record(root / RECORD, _FIELDS)
        scheme_of(about["scheme"])
        return about
    except (OSError, ValueError) as error:
        raise ValueError(f"{error}; make the faces again in a new folder") from None


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a table of made faces. Raises `ValueError` where it cannot be read."""
    try:
        rows = list(csv.DictReader(base.read_lines(path)))
    except csv.Error as error:
        raise ValueError(f"{path} is no CSV table: {error}") from None
    if rows and "file" not in rows[0]:
        raise ValueError(f"{path} has no column file: make the faces again in a new folder")
    return [row for row in rows if row["file"]]
