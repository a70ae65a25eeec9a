"""Ways to make a face of a target from landmarks: the model, and the baselines that it has to beat.

A maker takes landmarks `(n, N, 2)` in [0, 1] and a target's index for each, and returns pictures as a screen shows
them: uint8 `(n, H, W, 3)`, RGB. All figures are measured on these bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int, UInt8

from lgan_jax.core import FaceInfo
from lgan_jax.data.kept import evenly
from lgan_jax.evaluation.pictures import to_bytes

_THREADS = 2


@runtime_checkable
class Model(Protocol):
    """What an evaluation needs of a trained LandmarkGAN. Pictures are float in [-1, 1], landmarks in [0, 1]."""

    @property
    def info(self) -> FaceInfo:
        """Scheme, size and identities."""

    def convert(self, landmarks: Any, target: Any) -> Any:
        """Landmarks `(n, N, 2)` of the targets with the expression and pose of `landmarks`."""

    def synthesize(self, landmarks: Any, target: Any, convert: bool = True) -> Any:
        """Pictures `(n, H, W, 3)` of the targets."""

    def detect(self, images: Any) -> Any:
        """Landmarks `(n, N, 2)` of pictures."""


@runtime_checkable
class Maker(Protocol):
    """One row of the tables."""

    def __call__(
        self, landmarks: Float[np.ndarray, "n N 2"], targets: Int[np.ndarray, " n"]
    ) -> UInt8[np.ndarray, "n H W 3"]:
        """A face of each target."""


class Generated:
    """The model: landmarks converted to the target's face (unless `convert` is off), then drawn by its generator."""

    def __init__(self, model: Model, convert: bool) -> None:
        self.model, self.convert = model, convert

    def __call__(
        self, landmarks: Float[np.ndarray, "n N 2"], targets: Int[np.ndarray, " n"]
    ) -> UInt8[np.ndarray, "n H W 3"]:
        """A face of each target."""
        return to_bytes(self.model.synthesize(landmarks, targets, convert=self.convert))


class Gallery:
    """Training frames of every identity, evenly spaced: their landmarks, their mean picture, and where they are.

    Args:
      split: training frames, random access; an item has `image` (uint8) and `landmarks`.
      identities: their names.
      most: of each identity, how many frames at most are looked at.

    Raises:
      ValueError: an identity has no training frame.
    """

    def __init__(self, split: Any, identities: Sequence[str], most: int) -> None:
        self.split = split
        self.places = [evenly(np.flatnonzero(np.asarray(split.identity) == i), most) for i in range(len(identities))]
        self.landmarks: list[np.ndarray] = []
        self.means: list[np.ndarray] = []
        for name, places in zip(identities, self.places):
            if len(places) == 0:
                raise ValueError(f"{name} has no training frames; nothing can stand in for these faces")
            self._read(places)

    def _read(self, places: np.ndarray) -> None:
        """Landmarks of these frames and the mean of their pictures, one picture in memory at a time and thread."""
        total, points = 0.0, []
        with ThreadPoolExecutor(_THREADS) as threads:
            for start in range(0, len(places), 64):
                for record in threads.map(self.split.__getitem__, places[start : start + 64].tolist()):
                    total = total + record["image"].astype(np.float64)
                    points.append(record["landmarks"])
        self.landmarks.append(np.stack(points))
        self.means.append(np.rint(total / len(places)).astype(np.uint8))


class NearestFrame:
    """The training frame of the target whose landmarks are closest (ℓ2) to those that the generator would get."""

    def __init__(self, model: Model, gallery: Gallery, convert: bool) -> None:
        self.model, self.gallery, self.convert = model, gallery, convert

    def __call__(
        self, landmarks: Float[np.ndarray, "n N 2"], targets: Int[np.ndarray, " n"]
    ) -> UInt8[np.ndarray, "n H W 3"]:
        """A frame of each target."""
        wanted = np.asarray(self.model.convert(landmarks, targets)) if self.convert else landmarks
        pictures = []
        for points, target in zip(wanted, targets):
            distances = ((self.gallery.landmarks[target] - points) ** 2).sum((1, 2))
            pictures.append(self.gallery.split[int(self.gallery.places[target][distances.argmin()])]["image"])
        return np.stack(pictures)


class MeanFace:
    """The mean of the target's training frames, pixel by pixel, whatever the landmarks."""

    def __init__(self, gallery: Gallery) -> None:
        self.gallery = gallery

    def __call__(
        self, landmarks: Float[np.ndarray, "n N 2"], targets: Int[np.ndarray, " n"]
    ) -> UInt8[np.ndarray, "n H W 3"]:
        """The same picture for every set of landmarks of a target."""
        return np.stack([self.gallery.means[target] for target in targets])
