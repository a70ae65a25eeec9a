"""Generators of a target's face from landmarks: the model and its baselines.

A generator takes landmarks `(n, N, 2)` in [0, 1], and for each the index of the target and of the driver whose
landmarks they are. It returns uint8 RGB images `(n, H, W, 3)`. All metrics are measured on these 8-bit images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from lgan_jax.media.images import to_bytes, to_floats
from lgan_jax.nn.chunks import in_chunks
from lgan_jax.ops.spacing import evenly_spaced
from lgan_jax.ops.thin_plate import thin_plate_flow, warp_to_landmarks
from lgan_jax.protocols import Reenactor

# The rows of the tables.
OURS, UNCONSTRAINED, DIRECT = "LandmarkGAN", "without constraint", "without converter"
NEAREST, WARPED, MEAN = "nearest training frame", "warped nearest frame", "mean face of the target"
CONSTRAINED = "warped, constrained"

_THREADS = 2

Generator = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def generated(model: Reenactor, convert: bool, constrain: bool = True) -> Generator:
    """The model: converts landmarks to the target unless `convert` is False, then renders them by its generator.

    `constrain=False` disables the constraint on converted landmarks.
    """

    def generate(landmarks: np.ndarray, targets: np.ndarray, drivers: np.ndarray) -> np.ndarray:
        return to_bytes(model.synthesize(landmarks, targets, convert, constrain, drivers))

    return generate


class Gallery:
    """Training frames of every identity, evenly spaced: their landmarks, their mean image, and their indices.

    Args:
      split: training frames, random access; an item has `image` (uint8) and `landmarks`.
      identities: names of the identities.
      maximum: largest number of frames used per identity.

    Raises:
      ValueError: an identity has no training frame.
    """

    def __init__(self, split: Any, identities: Sequence[str], maximum: int) -> None:
        self.split = split
        self.indices = [
            evenly_spaced(np.flatnonzero(np.asarray(split.identity) == i), maximum) for i in range(len(identities))
        ]
        self.landmarks: list[np.ndarray] = []
        self.means: list[np.ndarray] = []
        for name, indices in zip(identities, self.indices):
            if len(indices) == 0:
                raise ValueError(f"{name} has no training frames, which the baselines need")
            self._read(indices)

    def _read(self, indices: np.ndarray) -> None:
        """Landmarks of these frames and the mean of their images; each thread has one image in memory."""
        total, points = 0.0, []
        with ThreadPoolExecutor(_THREADS) as threads:
            for start in range(0, len(indices), 64):
                for record in threads.map(self.split.__getitem__, indices[start : start + 64].tolist()):
                    total = total + record["image"].astype(np.float64)
                    points.append(record["landmarks"])
        self.landmarks.append(np.stack(points))
        self.means.append(np.rint(total / len(indices)).astype(np.uint8))


def nearest_frame(
    model: Reenactor, gallery: Gallery, convert: bool, warped: bool = False, constrain: bool = True
) -> Generator:
    """Baseline: the target's training frame with the closest landmarks (ℓ2) to the generator's input.

    With `warped`, a thin-plate spline warps this frame to the input landmarks; no training is needed.
    `constrain=False` disables the constraint on converted landmarks.
    """

    def generate(landmarks: np.ndarray, targets: np.ndarray, drivers: np.ndarray) -> np.ndarray:
        converted = np.asarray(model.convert(landmarks, targets, constrain, drivers)) if convert else landmarks
        frames, nearest = [], []
        for points, target in zip(converted, targets):
            known = gallery.landmarks[target]
            index = ((known - points) ** 2).sum((1, 2)).argmin()
            frames.append(gallery.split[int(gallery.indices[target][index])]["image"])
            nearest.append(known[index])
        if not warped:
            return np.stack(frames)
        return in_chunks(_warped, to_floats(np.stack(frames)), np.stack(nearest), converted).astype(np.uint8)

    return generate


@jax.jit
def _warped(images: Array, landmarks: Array, targets: Array) -> Array:
    """Warps images `(n, H, W, 3)` in [-1, 1] from `landmarks` to `targets`; returns values in [0, 255], rounded."""
    flow = thin_plate_flow(targets, landmarks[:, None], *images.shape[1:3])
    return jnp.round((warp_to_landmarks(images[:, None], flow)[:, 0] + 1) * 127.5)


def mean_face(gallery: Gallery) -> Generator:
    """Baseline: the pixel-wise mean of the target's training frames, independent of the landmarks."""

    def generate(landmarks: np.ndarray, targets: np.ndarray, drivers: np.ndarray) -> np.ndarray:
        return np.stack([gallery.means[target] for target in targets])

    return generate
