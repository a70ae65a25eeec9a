"""Generated faces of `lgan_jax.apps.synthesize` with landmarks: images in shards, and a table.

<root>/made.json            how they were generated: run, weights, seed, size, scheme
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
from lgan_jax.coordinates import from_pixels
from lgan_jax.data.builders import base
from lgan_jax.data.split import TEST, TRAIN, VALIDATION
from lgan_jax.landmarks import scheme as scheme_of

RECORD, TABLE, IMAGES, STORED = "made.json", "landmarks.csv", "images", "tfds"
MADE = "made"  # the only identity
_FIELDS = {"run": str, "weights": str, "seed": int, "size": int, "scheme": str}
_PERIOD = 10  # of as many faces, one is in the validation and one in the test split
_SPLITS = {1: TEST, 2: VALIDATION}  # by the index modulo `_PERIOD`; the others are in the training split


class Generated(base.FaceBuilder, skip_registration=True):
    """The generated faces of a folder as one identity; a tenth is in the validation, a tenth in the test split.

    The data set is built inside the folder.

    Skipped, counted and named: rows whose image is missing or cannot be decoded, or whose landmarks are not numbers.

    Raises `ValueError` for a folder whose faces are not complete yet.
    """

    def __init__(self, root: Path):
        self.root, about = root, read_record(root)
        if not (root / TABLE).is_file():
            raise ValueError(
                f"{root} has no {TABLE}: its faces are not complete; repeat the command that generates them"
            )
        self.size = about["size"]
        key = f"made-{base.listing_key(root, [root / TABLE])}"
        super().__init__(root / STORED, key, (MADE,), about["scheme"])
        self.notes.append(f"every image is generated: run {about['run']}, {about['weights']}, seed {about['seed']}")

    def features(self) -> dict[str, Any]:
        return {}

    def records(self):
        rows = read_table(self.root / TABLE)
        self.total = len(rows)
        yield from self.usable(self.read, ((row["file"], (i, row)) for i, row in enumerate(rows)))

    def read(self, numbered: tuple[int, dict[str, str]]) -> tuple[str, base.Record]:
        """The split and the record of one numbered row; raises `base.Unusable` for one that must be skipped."""
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
        split = _SPLITS.get(place % _PERIOD, TRAIN)
        return split, {"image": data, "landmarks": landmarks, "identity": 0}


def read_record(root: Path) -> dict[str, Any]:
    """How the faces of a folder were generated. Raises `ValueError` where the record cannot be read."""
    try:
        about = untrusted.read_record(root / RECORD, _FIELDS)
        scheme_of(about["scheme"])
        return about
    except (OSError, ValueError) as error:
        raise ValueError(f"{error}; generate the faces again in a new folder") from None


def read_table(path: Path) -> list[dict[str, str]]:
    """Reads the table of generated faces. Raises `ValueError` where it cannot be read."""
    try:
        rows = list(csv.DictReader(base.read_lines(path)))
    except csv.Error as error:
        raise ValueError(f"{path} is not a CSV table: {error}") from None
    if rows and "file" not in rows[0]:
        raise ValueError(f"{path} has no column file: generate the faces again in a new folder")
    return [row for row in rows if row["file"]]
