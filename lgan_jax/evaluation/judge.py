"""dlib as the judge of made faces: landmarks and descriptors by models that no training here has seen.

Pictures are uint8 RGB `(n, H, W, 3)`. What was measured once is kept by the picture's content, because baselines
return the same few pictures again and again.
"""

from __future__ import annotations

import hashlib
import queue
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float32, Int, UInt8

from lgan_jax.faces import Box, Faces

SMALLEST = 256  # pixels; smaller pictures are enlarged to this side before dlib looks at them
_THREADS = 2  # dlib's detector lets other threads run
_BATCH = 16  # faces in one call of the descriptor's network, which holds the interpreter


class Judge:
    """Measures pictures with dlib, in threads and from memory where it can.

    Raises `ModuleNotFoundError` at once where dlib or its models are not installed, saying how to install them.
    """

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

    def landmarks(self, pictures: UInt8[np.ndarray, "n H W 3"]) -> Float32[np.ndarray, "n 68 2"]:
        """The 68 landmarks of each picture's largest face, in [0, 1]; NaN where dlib finds no face."""
        keys = [content(picture) for picture in pictures]
        new = {key: i for i, key in enumerate(keys) if key not in self._landmarks}
        with ThreadPoolExecutor(_THREADS) as threads:
            found = threads.map(self._measure, [pictures[i] for i in new.values()])
            self._landmarks.update(zip(new, found))
        nothing = np.full((68, 2), np.nan, np.float32)
        rows = [nothing if (points := self._landmarks[key]) is None else points for key in keys]
        return np.stack(rows) if rows else np.zeros((0, 68, 2), np.float32)

    def descriptors(self, pictures: UInt8[np.ndarray, "n H W 3"]) -> Float32[np.ndarray, "n 128"]:
        """The 128-d descriptor of each picture's largest face; NaN where dlib finds no face. About 0.15 s a face."""
        points = self.landmarks(pictures)
        keys = [content(picture) for picture in pictures]
        found = ~np.isnan(points).any((1, 2))
        new = list({key: i for i, key in enumerate(keys) if found[i] and key not in self._descriptors}.items())
        for start in range(0, len(new), _BATCH):
            some = new[start : start + _BATCH]
            made = self._describer.descriptors([pictures[i] for _, i in some], [points[i] for _, i in some])
            self._descriptors.update(zip([key for key, _ in some], made))
        rows = np.full((len(keys), 128), np.nan, np.float32)
        for i in np.flatnonzero(found):
            rows[i] = self._descriptors[keys[i]]
        return rows

    def _measure(self, picture: np.ndarray) -> np.ndarray | None:
        faces = self._workers.get()
        try:
            return faces.measure(picture, SMALLEST)
        finally:
            self._workers.put(faces)


def find_judge() -> tuple[Judge | None, list[str]]:
    """dlib, or None and a warning where it is not installed."""
    try:
        return Judge(), []
    except ModuleNotFoundError as error:
        return None, [f"dlib's columns were not measured: {error}"]


def content(picture: np.ndarray) -> bytes:
    """A key that equal pictures share."""
    return hashlib.blake2b(np.ascontiguousarray(picture).data, digest_size=16).digest()


def distinct(pictures: UInt8[np.ndarray, "n H W 3"]) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " n"]]:
    """Indices of the first of each different picture, and for every picture the place of its like among them."""
    places: dict[bytes, int] = {}
    first, inverse = [], []
    for i, picture in enumerate(pictures):
        key = content(picture)
        if key not in places:
            places[key] = len(first)
            first.append(i)
        inverse.append(places[key])
    return np.array(first, np.int64), np.array(inverse, np.int64)
