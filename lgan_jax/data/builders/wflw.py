"""WFLW: 10,000 faces in the wild with 98 landmarks and six attributes (Wu et al., "Look at Boundary", CVPR 2018).

    <root>/WFLW_images/…
    <root>/WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_{train,test}.txt

One line is one face: 98 points x y in pixels of the image, the box (left, top, right, bottom), six flags, the
image's path below `WFLW_images`.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Float, UInt8

from lgan_jax.coordinates import from_pixels
from lgan_jax.data.builders import base
from lgan_jax.data.split import TEST, TRAIN, VALIDATION, by_subject
from lgan_jax.media import images
from lgan_jax.media.files import walk

ATTRIBUTES = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")
IMAGES = "WFLW_images"
LISTS = "WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_{split}.txt"
STORED = 256  # pixels a side of the stored crops; smaller faces are not enlarged
_POINTS = 98
_FIELDS = 2 * _POINTS + 4 + len(ATTRIBUTES) + 1
_MARGIN = 1.25  # side of the crop in units of the longer side of the landmarks' box
_SMALLEST = 8  # pixels a side; smaller faces are skipped


@dataclasses.dataclass(frozen=True)
class Face:
    """A line of a list: the image, `(98, 2)` points in its pixels, the six flags, and the split."""

    path: Path
    points: np.ndarray
    attributes: np.ndarray
    split: str


class WFLW(base.FaceBuilder, skip_registration=True):
    """Square crops around the faces, with the owners' split (7,500 and 2,500); a tenth of the former validates.

    A crop is centered on the landmarks' bounding box; its side is the box's longer side enlarged by 25 %. (The list's
    rectangles come from a face detector and often cut the chin; boxes from landmarks are the same for all methods.)
    Beyond the image, border pixels are repeated. A record has `attributes`, six booleans in the order of
    `ATTRIBUTES`; all faces are one identity.
    Validation images are chosen by the hashes of their names; all faces of an image are in one split.

    Raises `FileNotFoundError` or `ValueError` for a folder that is missing or has another layout.
    """

    def __init__(self, root: Path, cache: Path):
        self.root = root
        self.lists = lists(root)
        files = [*self.lists.values(), *walk(root / IMAGES)]
        super().__init__(cache, f"wflw-{base.listing_key(root, files)}", ("WFLW",), "wflw98")

    def features(self):
        return {"attributes": tfds.features.Tensor(shape=(len(ATTRIBUTES),), dtype=np.bool_)}

    def records(self):
        faces = self._validated(self.faces(TRAIN)) + self.faces(TEST)
        self.total = len(faces)
        yield from self.usable(read, ((face.path.relative_to(self.root).as_posix(), face) for face in faces))

    def faces(self, split: str) -> list[Face]:
        """The faces in the list of `TRAIN` or `TEST`."""
        faces = []
        for number, line in enumerate(base.read_lines(self.lists[split]), 1):
            fields = line.split()
            if not fields:
                continue
            try:
                values = np.array([float(field) for field in fields[:-1]])
            except ValueError:
                values = np.array([])
            if len(fields) != _FIELDS or len(values) != _FIELDS - 1:
                self.skip("annotation line with a number missing or too many", f"{self.lists[split].name}:{number}")
                continue
            points = values[: 2 * _POINTS].reshape(-1, 2)
            try:
                path = base.below(self.root / IMAGES, fields[-1])
            except base.Unusable as error:
                self.skip(str(error), f"{self.lists[split].name}:{number}")
            else:
                faces.append(Face(path, points, values[-len(ATTRIBUTES) :] != 0, split))
        return faces

    def _validated(self, faces: list[Face]) -> list[Face]:
        """The owners' training faces, some of them assigned to the validation split."""
        images = [face.path.relative_to(self.root).as_posix() for face in faces]
        if len(set(images)) < 2:
            raise ValueError(f"{self.lists[TRAIN]} lists faces in {len(set(images))} image(s); at least 2 are needed")
        splits = by_subject(images)
        return [
            dataclasses.replace(face, split=VALIDATION) if VALIDATION in splits[image] else face
            for face, image in zip(faces, images)
        ]


def lists(root: Path) -> dict[str, Path]:
    """The annotation file of each of the owners' splits.

    Raises `FileNotFoundError` or `ValueError` that names the missing file.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}; give the folder that holds {IMAGES} and WFLW_annotations")
    found = {split: root / LISTS.format(split=split) for split in (TRAIN, TEST)}
    for path in (root / IMAGES, *found.values()):
        if not path.exists():
            raise ValueError(f"{root} is not WFLW as its owners distribute it: it has no {path.relative_to(root)}")
    return found


def crop(
    image: UInt8[np.ndarray, "H W 3"], points: Float[np.ndarray, "N 2"]
) -> tuple[UInt8[np.ndarray, "S S 3"], Float[np.ndarray, "N 2"]]:
    """The square around the points, at most `STORED` pixels a side, and the points in [0, 1] of it.

    `points` are in pixels with 0 at the center of the first pixel. Raises `Unusable` where they cannot be cropped.
    """
    if not np.isfinite(points).all():
        raise base.Unusable("landmarks are not finite")
    low, high = points.min(0), points.max(0)
    if np.abs(points).max() > 4 * max(image.shape[:2]):
        raise base.Unusable("landmarks lie more than half an image outside")
    side = int(np.ceil(_MARGIN * (high - low).max()))
    if side < _SMALLEST:
        raise base.Unusable(f"face smaller than {_SMALLEST} pixels")
    left, top = np.round((low + high + 1 - side) / 2).astype(int)
    height, width = image.shape[:2]
    rows, columns = np.arange(top, top + side).clip(0, height - 1), np.arange(left, left + side).clip(0, width - 1)
    square = image[rows[:, None], columns]
    return images.resized(square, min(side, STORED)), (points + 0.5 - (left, top)) / side


def read(face: Face) -> tuple[str, base.Record]:
    """The split and the record of one face; raises `base.Unusable` for one that must be skipped."""
    image = base.decoded(base.read_bytes(face.path))
    scaled = from_pixels(face.points, *image.shape[1::-1])
    if np.isfinite(scaled).all() and (scaled.min() < -0.5 or scaled.max() > 1.5):
        raise base.Unusable("landmarks lie more than half an image outside")
    square, landmarks = crop(image, face.points)
    record = {"image": images.encode_jpeg(square), "landmarks": landmarks.astype(np.float32), "identity": 0}
    return face.split, record | {"attributes": face.attributes}
