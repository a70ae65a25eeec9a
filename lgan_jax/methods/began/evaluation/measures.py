"""Measuring made faces and their landmarks, the inverse of the generator, and the ways between two faces.

Pictures are uint8 RGB as a screen shows them; their differences are in units of the whole range from black to white.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, UInt8

from lgan_jax.core import FaceInfo
from lgan_jax.data import FaceData
from lgan_jax.data.kept import evenly
from lgan_jax.evaluation.distances import seen
from lgan_jax.evaluation.judge import Judge
from lgan_jax.media.images import resized, to_bytes, to_floats

Pictures = UInt8[np.ndarray, "n H W 3"]
Landmarks = Float[np.ndarray, "n N 2"]
Latents = Float[np.ndarray, "n 64"]

STEPS = 14  # points of an interpolation, as in Fig. 9
_SEED = 6  # of the made faces that are measured
_MOST = 20_000  # training pictures that the baselines learn from
_SMALL, _CANDIDATES = 16, 16  # of the search for the nearest picture: pixels a side, pictures looked at closely
_RIDGES = 10.0 ** np.arange(-3, 5)  # penalties that the linear map chooses from
_FOLDS = 5


@runtime_checkable
class Maker(Protocol):
    """What makes faces and landmarks of z."""

    info: FaceInfo

    def generate(self, z: Any) -> Any:
        """Faces in [-1, 1]."""

    def landmarks(self, z: Any) -> Any:
        """Landmarks in [0, 1]."""


@runtime_checkable
class Model(Maker, Protocol):
    """What an evaluation needs of a trained model; see `methods.began.model.LandmarkedFaces`."""

    searched: Any

    def sample(self, seed: int, count: int, *, near: bool = False) -> Any:
        """Made faces by number: `z`, `image` in [-1, 1], `landmarks` in [0, 1]."""

    def invert(self, image: Any) -> Any:
        """What was found of faces: `z`, `image`, `landmarks`, `error`."""


@dataclasses.dataclass(frozen=True)
class Known:
    """Real faces: n of the test split, what the inverse made of them, and the training pictures that are nearest.

    Attributes:
      pictures, landmarks: of the test faces, in the model's scheme.
      z, made, found: what was searched for, the made faces of it, and their landmarks.
      nearest: of each test face the training picture of the least difference.
      mean: the mean training picture.
      trained: as many training pictures as there are test ones.
    """

    pictures: Pictures
    landmarks: Landmarks
    z: Latents
    made: Pictures
    found: Landmarks
    nearest: Pictures
    mean: Pictures
    trained: Pictures


@dataclasses.dataclass(frozen=True)
class Made:
    """n made faces.

    Attributes:
      z, pictures, landmarks: the numbers they are made of, and what comes out.
      seen: dlib's 49 inner landmarks, NaN where it finds no face; None without dlib.
    """

    z: Latents
    pictures: Pictures
    landmarks: Landmarks
    seen: Float[np.ndarray, "n 49 2"] | None


@dataclasses.dataclass(frozen=True)
class Baselines:
    """What the landmark generator is compared with, both from the same training pictures.

    Attributes:
      shape: the mean landmarks `(N, 2)`.
      weights, offset: of the linear map z·weights + offset to landmarks in a row, `(64, 2N)` and `(2N,)`.
    """

    shape: Float[np.ndarray, "N 2"]
    weights: Float[np.ndarray, "64 M"]
    offset: Float[np.ndarray, " M"]

    def mean(self, z: Latents) -> Landmarks:
        """The mean shape, for each z."""
        return np.broadcast_to(self.shape, (len(z), *self.shape.shape))

    def linear(self, z: Latents) -> Landmarks:
        """The linear map of each z."""
        return (z @ self.weights + self.offset).reshape(len(z), *self.shape.shape)


def baselines(z: Latents, landmarks: Landmarks) -> Baselines:
    """Both, from the z and the landmarks of training pictures.

    The linear map's ridge penalty is the one that does best on parts that it is fitted without (five of them).
    """
    rows = landmarks.reshape(len(landmarks), -1).astype(np.float64)
    fold = np.arange(len(z)) % _FOLDS

    def error(penalty: float) -> float:
        squares = 0.0
        for part in range(min(_FOLDS, len(z))):
            weights, offset = _ridge(z[fold != part], rows[fold != part], penalty)
            squares += float(((z[fold == part] @ weights + offset - rows[fold == part]) ** 2).sum())
        return squares

    penalty = min(_RIDGES, key=error) if len(z) > 1 else _RIDGES[-1]
    return Baselines(landmarks.mean(0), *_ridge(z, rows, penalty))


def _ridge(z: np.ndarray, rows: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    z = z.astype(np.float64)
    centre, mean = z.mean(0), rows.mean(0)
    squares = (z - centre).T @ (z - centre) + penalty * np.eye(z.shape[1])
    weights = np.linalg.solve(squares, (z - centre).T @ (rows - mean))
    return weights, mean - centre @ weights


def known(model: Model, data: FaceData, count: int) -> Known:
    """At most `count` test faces, evenly spaced, inverted in one call."""
    records = [data.test[int(i)] for i in evenly(np.arange(len(data.test)), count)]
    pictures = np.stack([record["image"] for record in records])
    inverted = model.invert(to_floats(pictures))
    nearest, mean = _nearest(data, pictures)
    trained = [data.train[int(i)]["image"] for i in evenly(np.arange(len(data.train)), len(pictures))]
    return Known(
        pictures=pictures,
        landmarks=np.stack([record["landmarks"] for record in records]),
        z=inverted.z,
        made=to_bytes(inverted.image),
        found=inverted.landmarks,
        nearest=nearest,
        mean=np.broadcast_to(mean, pictures.shape),
        trained=np.stack(trained),
    )


def made(model: Model, judge: Judge | None, count: int, near: bool = False) -> Made:
    """That many made faces, always the same ones, of uniform z or of z `near` those of training pictures."""
    sampled = model.sample(_SEED, count, near=near)
    pictures = to_bytes(sampled.image)
    return Made(sampled.z, pictures, sampled.landmarks, seen(judge, pictures))


def training_pairs(model: Model, data: FaceData) -> tuple[Latents, Landmarks]:
    """The z and the landmarks of training pictures whose z was searched for; at most 20,000, evenly spaced."""
    there = evenly(np.flatnonzero(model.searched.error >= 0), _MOST)
    return model.searched.z[there], np.stack([data.train[int(i)]["landmarks"] for i in there])


def difference(ones: Pictures, others: Pictures) -> Float[np.ndarray, " n"]:
    """The mean absolute difference of each pair."""
    return np.abs(ones.astype(np.float32) - others.astype(np.float32)).mean((1, 2, 3)) / 255


def way(first: np.ndarray, last: np.ndarray, steps: int = STEPS) -> Float32[np.ndarray, "steps 64"]:
    """z at equal distances from `first` to `last`, both included."""
    share = np.linspace(0, 1, steps)[:, None]
    return ((1 - share) * first + share * last).astype(np.float32)


def unevenness(changes: Float[np.ndarray, " steps"]) -> float:
    """The largest change of a way's steps over their mean: 1 where all are alike."""
    return float(changes.max() / max(changes.mean(), 1e-12))


def uneven(model: Maker, z: Float[np.ndarray, "steps 64"]) -> tuple[float, float]:
    """`unevenness` of the faces along a way, and of their landmarks."""
    pictures, points = np.asarray(model.generate(z)), np.asarray(model.landmarks(z))
    return (
        unevenness(np.abs(np.diff(pictures, axis=0)).mean((1, 2, 3))),
        unevenness(np.sqrt((np.diff(points, axis=0) ** 2).sum(-1)).mean(-1)),
    )


def _nearest(data: FaceData, pictures: Pictures) -> tuple[Pictures, UInt8[np.ndarray, "H W 3"]]:
    """Of each picture the training picture of the least mean absolute difference, and the mean training picture.

    It is the best of those few that are nearest at 16×16 pixels.
    """
    total = np.zeros(pictures.shape[1:])
    small = np.empty((len(data.train), 3 * _SMALL**2), np.uint8)
    for i in range(len(small)):
        image = data.train[i]["image"]
        total += image
        small[i] = resized(image, _SMALL).ravel()
    found = []
    for picture in pictures:
        apart = np.abs(np.subtract(small, resized(picture, _SMALL).ravel(), dtype=np.int16)).mean(1)
        near = np.stack([data.train[int(i)]["image"] for i in np.argsort(apart)[:_CANDIDATES]])
        found.append(near[difference(near, np.broadcast_to(picture, near.shape)).argmin()])
    return np.stack(found), np.rint(total / len(small)).astype(np.uint8)
