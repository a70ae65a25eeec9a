"""CelebA, or any folder of photos: crops of faces with dlib's landmarks (Bazrafkan et al., section IV).

    <root>/img_align_celeba/*.jpg
    <root>/list_eval_partition.txt   or .csv, or <root>/Eval/…, optional: in each line a file's name and 0, 1
                                     or 2

Both may lie one folder deeper, as torchvision (celeba/…) and Kaggle (img_align_celeba/img_align_celeba/*.jpg) lay them.
Without a folder img_align_celeba all photos below the root are used. Source: Liu et al., "Deep Learning Face
Attributes in the Wild", ICCV 2015, as its authors distribute CelebA.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from lgan_jax.data.builders import base
from lgan_jax.data.split import by_subject
from lgan_jax.faces import Box, Faces, align
from lgan_jax.landmarks import IBUG68, to_inner49
from lgan_jax.media import files, images
from lgan_jax.ops import procrustes

Crops = Literal["box", "cascade", "aligned", "ffhq"]

EVERY_PHOTO = "CelebA"  # the only identity
IMAGES, LIST = "img_align_celeba", "list_eval_partition"
STORED = 256  # pixels a side of the stored crops at most
_SMALLEST = 32  # pixels; smaller images are skipped
_LEAST_FACE = 1 / 5  # smallest face, as a share of the image's shorter side, for the cascade
_ENLARGED = 256  # pixels; images with a shorter side are enlarged to this size for dlib's detector
_FEWEST = 3  # photos


class CelebA(base.FaceBuilder, skip_registration=True):
    """Square crops of the largest face of each photo with dlib's 49 landmarks inside the outline (`inner49`).

    "box": the box of dlib's frontal face detector; "cascade": the box of OpenCV's frontal face cascade, as in the
    paper, available up to OpenCV 4; "aligned": rotated and scaled onto a mean face; "ffhq": rotated and cropped by eyes
    and mouth, with hair, as FFHQ. All photos are one identity.
    The list's parts 0, 1 and 2 are the training, validation and test split. Without a list, a tenth of the
    photos is in the validation and a tenth in the test split, by the hashes of their names.

    Skipped, counted and named: photos that cannot be decoded, are smaller than 32 pixels, show no face, or are not in
    the list.

    Raises `FileNotFoundError` or `ValueError` for a folder that is missing, has no photos, or has an unreadable list;
    `ModuleNotFoundError` where dlib is not installed, `ImportError` where OpenCV has no cascade.
    """

    def __init__(self, root: Path, cache: Path, crops: Crops):
        root = top(root)
        self.root, self.crops = root, crops
        self.files = photos(root)
        lists = partition_lists(root)[:1]
        self.list = lists[0].name if lists else ""
        self.parts = partition(lists[0]) if lists else None
        digest = hashlib.sha256(repr((base.listing_key(root, [*lists, *self.files]), crops)).encode())
        super().__init__(cache, f"celeba-{digest.hexdigest()[:16]}", (EVERY_PHOTO,), "inner49")
        if not lists and images_folder(root) != root:
            self.notes.append(f"there is no {LIST}.txt or .csv: the photos are split by their names")
        if crops == "cascade":
            by_cascade(Faces())  # raises at once if there is none
        self._finders = threading.local()  # a cascade and dlib's models have state: one for each thread

    def features(self) -> dict[str, Any]:
        return {}

    def records(self):
        splits = self._splits()
        self.total = len(splits)
        yield from self.usable(self.read, ((self._name(path), (path, split)) for path, split in splits.items()))

    def _splits(self) -> Mapping[Path, str]:
        if self.parts is None:
            splits = by_subject([self._name(path) for path in self.files])
            return {path: splits[self._name(path)][0] for path in self.files}
        for path in self.files:
            if path.name not in self.parts:
                self.skip(f"photo that is not in {self.list}", self._name(path))
        return {path: base.SPLITS[int(self.parts[path.name])] for path in self.files if path.name in self.parts}

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def read(self, item: tuple[Path, str]) -> tuple[str, base.Record]:
        """The split and the record of one image; raises `base.Unusable` for one that must be skipped."""
        path, split = item
        image = base.decoded(base.read_bytes(path))
        if min(image.shape[:2]) < _SMALLEST:
            raise base.Unusable(f"smaller than {_SMALLEST} pixels")
        if not hasattr(self._finders, "crop"):
            self._finders.crop = _CROPS[self.crops](Faces())
        found = self._finders.crop(image)
        if found is None:
            raise base.Unusable("no face is found")
        crop, landmarks = found
        points = to_inner49(landmarks, IBUG68).astype(np.float32)
        base.check_landmarks(points)
        return split, {"image": images.encode_jpeg(crop), "landmarks": points, "identity": 0}


Found = tuple[UInt8[np.ndarray, "side side 3"], Float32[np.ndarray, "68 2"]]


def by_box(faces: Faces):
    """A function that crops an image to dlib's face box and returns the crop with landmarks in [0, 1], or None."""

    def crop(image: UInt8[np.ndarray, "H W 3"]) -> Found | None:
        enlarge = max(1.0, _ENLARGED / min(image.shape[:2]))
        larger = cv2.resize(image, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_CUBIC)
        boxes = faces.find(larger)
        return _cut(faces, larger, max(boxes, key=lambda box: box.area), enlarge) if boxes else None

    return crop


def by_cascade(faces: Faces):
    """As `by_box`, with OpenCV's cascade. Raises `ImportError` where OpenCV has none (from version 5)."""
    if not hasattr(cv2, "CascadeClassifier"):
        raise ImportError(
            f"OpenCV {cv2.__version__} has no face cascade: pip install 'opencv-python-headless<5', or set "
            "config.data.crops to box, aligned or ffhq"
        )
    cascade = cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"))

    def crop(image: UInt8[np.ndarray, "H W 3"]) -> Found | None:
        least = round(_LEAST_FACE * min(image.shape[:2]))
        boxes = cascade.detectMultiScale(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), minSize=(least, least))
        if not len(boxes):
            return None
        left, top, width, height = (float(x) for x in max(boxes, key=lambda box: box[2] * box[3]))
        return _cut(faces, image, Box(left, top, left + width, top + height))

    return crop


def _cut(faces: Faces, image: UInt8[np.ndarray, "H W 3"], box: Box, enlarged: float = 1.0) -> Found:
    """Crops the square of a box, with dlib's landmarks in it; beyond the image, border pixels are repeated."""
    height, width = image.shape[:2]
    side, left, top = round(box.right - box.left), round(box.left), round(box.top)
    rows, columns = np.arange(top, top + side).clip(0, height - 1), np.arange(left, left + side).clip(0, width - 1)
    landmarks = (faces.landmarks(image, box) * (width, height) - (left, top)) / side
    stored = min(max(round(side / enlarged), _SMALLEST), STORED)
    return images.resized(image[rows[:, None], columns], stored), landmarks.astype(np.float32)


def by_alignment(alignment: Callable[[np.ndarray, int], np.ndarray], faces: Faces):
    """A function that crops an image to its face by a similarity transform of `faces.align`, as `by_box`."""

    def crop(image: UInt8[np.ndarray, "H W 3"]) -> Found | None:
        found = faces.measure(image)
        if found is None:
            return None
        points = found.astype(np.float64) * (image.shape[1], image.shape[0])
        transform = alignment(points, STORED)
        inside = procrustes.apply(transform, points) / STORED
        return align.crop(image, transform, STORED), inside.astype(np.float32)

    return crop


_CROPS = {
    "box": by_box,
    "cascade": by_cascade,
    "aligned": functools.partial(by_alignment, align.alignment),
    "ffhq": functools.partial(by_alignment, align.ffhq_alignment),
}


def top(root: Path) -> Path:
    """The folder of the data set where `root` is its folder of images."""
    while root.name == IMAGES:
        root = root.parent
    return root


def images_folder(root: Path) -> Path:
    """The image folder in a data set's folder, or one folder deeper; the folder itself where there is none."""
    found = [place / IMAGES for place in (root, *files.listed(root)) if (place / IMAGES).is_dir()]
    return found[0] if found else root


def partition_lists(root: Path) -> list[Path]:
    """The partition lists in a data set's folder, or one folder deeper."""
    folders = [place for place in files.listed(root) if place.is_dir() and place.name != IMAGES]
    places = [root, *folders, *(place / "Eval" for place in folders)]
    return [path for place in places for path in files.listed(place, f"{LIST}.[tc][xs][tv]")]


def photos(root: Path) -> list[Path]:
    """The photos of a data set, sorted. Raises `FileNotFoundError` or `ValueError` where there are none."""
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}; give the folder that holds {IMAGES}, or photos")
    folder = images_folder(root)
    found = sorted(path for path in files.walk(folder) if files.is_photo(path))
    if len(found) < _FEWEST:
        raise ValueError(
            f"{folder} holds {len(found)} photos ({', '.join(files.PHOTO_ENDINGS)}); at least {_FEWEST} are needed, "
            "one for each split"
        )
    return found


def partition(path: Path) -> dict[str, str]:
    """The part, "0" to "2", of each file in a list. Raises `ValueError` for any other line."""
    parts = {}
    for number, line in enumerate(base.read_lines(path), 1):
        fields = line.replace(",", " ").split()
        if not fields or fields[0] == "image_id":  # heading of a list in CSV format
            continue
        if len(fields) != 2 or fields[1] not in ("0", "1", "2"):
            raise ValueError(f"{path}, line {number}: expected a file's name and 0, 1 or 2, not {line.strip()!r}")
        parts[fields[0]] = fields[1]
    return parts
