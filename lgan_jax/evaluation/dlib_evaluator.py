"""The dlib evaluator: landmarks and face descriptors of generated images, by models that no training here has seen.

Images are uint8 RGB `(n, H, W, 3)`. Measurements are cached by the image's content, because baselines return the same
few images again and again.
"""

from __future__ import annotations

import hashlib
import queue
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float32, Int, UInt8

from lgan_jax.faces import Box, Faces

SMALLEST = 256  # pixels; smaller images are enlarged to this side before detection
_THREADS = 2  # dlib's detector lets other threads run
_BATCH = 16  # faces in one call of the descriptor's network, which holds the interpreter

Images = UInt8[np.ndarray, "n H W 3"]


class DlibEvaluator:
    """Measures images with dlib, in threads and from the cache where it can.

    Raises `ModuleNotFoundError` at once where dlib or its models are not installed, saying how to install them.
    """

    installed = True

    def __init__(self) -> None:
        self._workers: queue.SimpleQueue[Faces] = queue.SimpleQueue()  # dlib's detector has a state: one each
        for _ in range(_THREADS):
            faces = Faces()
            blank = np.zeros((SMALLEST, SMALLEST, 3), np.uint8)
            faces.find(blank)
            faces.landmarks(blank, Box(0, 0, SMALLEST, SMALLEST))  # loads the models here, not in a thread
            self._workers.put(faces)
        self._describer = Faces()
        self._landmarks: dict[bytes, np.ndarray | None] = {}
        self._descriptors: dict[bytes, np.ndarray] = {}

    def landmarks(self, images: Images) -> Float32[np.ndarray, "n 68 2"]:
        """The 68 landmarks of each image's largest face, in [0, 1]; NaN where dlib finds no face."""
        keys = [content(image) for image in images]
        new = {key: i for i, key in enumerate(keys) if key not in self._landmarks}
        with ThreadPoolExecutor(_THREADS) as threads:
            found = threads.map(self._measure, [images[i] for i in new.values()])
            self._landmarks.update(zip(new, found))
        nothing = np.full((68, 2), np.nan, np.float32)
        rows = [nothing if (points := self._landmarks[key]) is None else points for key in keys]
        return np.stack(rows) if rows else np.zeros((0, 68, 2), np.float32)

    def descriptors(self, images: Images) -> Float32[np.ndarray, "n 128"]:
        """The 128-d descriptor of each image's largest face; NaN where dlib finds no face. About 0.15 s a face."""
        points = self.landmarks(images)
        keys = [content(image) for image in images]
        found = found_in(points)
        new = list({key: i for i, key in enumerate(keys) if found[i] and key not in self._descriptors}.items())
        for start in range(0, len(new), _BATCH):
            batch = new[start : start + _BATCH]
            described = self._describer.descriptors([images[i] for _, i in batch], [points[i] for _, i in batch])
            self._descriptors.update(zip([key for key, _ in batch], described))
        rows = np.full((len(keys), 128), np.nan, np.float32)
        for i in np.flatnonzero(found):
            rows[i] = self._descriptors[keys[i]]
        return rows

    def _measure(self, image: np.ndarray) -> np.ndarray | None:
        faces = self._workers.get()
        try:
            return faces.measure(image, SMALLEST)
        finally:
            self._workers.put(faces)


class MissingDlib(DlibEvaluator):
    """Stands in where dlib is not installed: finds no face."""

    installed = False

    def __init__(self) -> None:
        """Loads nothing."""

    def landmarks(self, images: Images) -> Float32[np.ndarray, "n 68 2"]:
        """NaN."""
        return np.full((len(images), 68, 2), np.nan, np.float32)

    def descriptors(self, images: Images) -> Float32[np.ndarray, "n 128"]:
        """NaN."""
        return np.full((len(images), 128), np.nan, np.float32)


def find_dlib() -> tuple[DlibEvaluator, list[str]]:
    """The dlib evaluator; where dlib is not installed, its stand-in and a warning."""
    try:
        return DlibEvaluator(), []
    except ModuleNotFoundError as error:
        return MissingDlib(), [f"dlib's columns were not measured: {error}"]


def found_in(measured: np.ndarray) -> np.ndarray:
    """In which images `(n,)` dlib found a face, of the landmarks or descriptors `(n, …)` that it returned."""
    return ~np.isnan(measured).any(tuple(range(1, measured.ndim)))


def content(image: np.ndarray) -> bytes:
    """A key that equal images share."""
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()


def distinct(images: Images) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " n"]]:
    """Indices of the first of each different image, and for every image the index of its like among them."""
    indices: dict[bytes, int] = {}
    first, inverse = [], []
    for i, image in enumerate(images):
        key = content(image)
        if key not in indices:
            indices[key] = len(first)
            first.append(i)
        inverse.append(indices[key])
    return np.array(first, np.int64), np.array(inverse, np.int64)
