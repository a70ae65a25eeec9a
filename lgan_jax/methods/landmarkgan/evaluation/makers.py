"""Ways to make a face of a target from landmarks: the model, and the baselines that it has to beat.

A maker takes landmarks `(n, N, 2)` in [0, 1] and a target's index for each, and returns pictures as a screen shows
them: uint8 `(n, H, W, 3)`, RGB. All figures are measured on these bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from lgan_jax.core import FaceInfo
from lgan_jax.data.kept import evenly
from lgan_jax.media.images import to_bytes, to_floats
from lgan_jax.nn.chunks import in_chunks
from lgan_jax.ops.thin_plate import thin_plate_flow, warp_to_landmarks

_THREADS = 2


@runtime_checkable
class Model(Protocol):
    """What an evaluation needs of a trained LandmarkGAN. Pictures are float in [-1, 1], landmarks in [0, 1]."""

    @property
    def info(self) -> FaceInfo:
        """Scheme, size and identities."""

    @property
    def constraint(self) -> float:
        """Standard deviations within which converted landmarks are held; 0 for none."""

    def convert(self, landmarks: Any, target: Any, constrain: bool = True) -> Any:
        """Landmarks `(n, N, 2)` of the targets with the expression and pose of `landmarks`."""

    def synthesize(self, landmarks: Any, target: Any, convert: bool = True, constrain: bool = True) -> Any:
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
    """The model: landmarks converted to the target's face (unless `convert` is off), then drawn by its generator.

    `constrain` off leaves converted landmarks where they lie.
    """

    def __init__(self, model: Model, convert: bool, constrain: bool = True) -> None:
        self.model, self.convert, self.constrain = model, convert, constrain

    def __call__(
        self, landmarks: Float[np.ndarray, "n N 2"], targets: Int[np.ndarray, " n"]
    ) -> UInt8[np.ndarray, "n H W 3"]:
        """A face of each target."""
        return to_bytes(self.model.synthesize(landmarks, targets, self.convert, self.constrain))


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
    """The training frame of the target whose landmarks are closest (ℓ2) to those that the generator would get.

    With `warped`, that frame warped to these landmarks by a thin-plate spline: what costs no training. `constrain` off
    leaves converted landmarks where they lie.
    """

    def __init__(
        self, model: Model, gallery: Gallery, convert: bool, warped: bool = False, constrain: bool = True
    ) -> None:
        self.model, self.gallery, self.convert, self.warped, self.constrain = model, gallery, convert, warped, constrain

    def __call__(
        self, landmarks: Float[np.ndarray, "n N 2"], targets: Int[np.ndarray, " n"]
    ) -> UInt8[np.ndarray, "n H W 3"]:
        """A frame of each target."""
        wanted = landmarks
        if self.convert:
            wanted = np.asarray(self.model.convert(landmarks, targets, self.constrain))
        frames, nearest = [], []
        for points, target in zip(wanted, targets):
            known = self.gallery.landmarks[target]
            place = ((known - points) ** 2).sum((1, 2)).argmin()
            frames.append(self.gallery.split[int(self.gallery.places[target][place])]["image"])
            nearest.append(known[place])
        if not self.warped:
            return np.stack(frames)
        return in_chunks(_warped, to_floats(np.stack(frames)), np.stack(nearest), wanted).astype(np.uint8)


@jax.jit
def _warped(images: Array, landmarks: Array, wanted: Array) -> Array:
    """Images `(n, H, W, 3)` in [-1, 1] with `landmarks` warped to the wanted ones; in [0, 255], rounded."""
    flow = thin_plate_flow(wanted, landmarks[:, None], *images.shape[1:3])
    return jnp.round((warp_to_landmarks(images[:, None], flow)[:, 0] + 1) * 127.5)


class MeanFace:
    """The mean of the target's training frames, pixel by pixel, whatever the landmarks."""

    def __init__(self, gallery: Gallery) -> None:
        self.gallery = gallery

    def __call__(
        self, landmarks: Float[np.ndarray, "n N 2"], targets: Int[np.ndarray, " n"]
    ) -> UInt8[np.ndarray, "n H W 3"]:
        """The same picture for every set of landmarks of a target."""
        return np.stack([self.gallery.means[target] for target in targets])
