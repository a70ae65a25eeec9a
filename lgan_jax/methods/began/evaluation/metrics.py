"""Metrics of generated faces and their landmarks, of the generator's inverse, and of interpolations.

Images are uint8 RGB; differences are shares of the range from black to white.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, UInt8

from lgan_jax.data import FaceData
from lgan_jax.evaluation.dlib_evaluator import DlibEvaluator
from lgan_jax.evaluation.frechet import inner_landmarks
from lgan_jax.evaluation.study import Result
from lgan_jax.evaluation.tables import Values
from lgan_jax.media.images import resized, to_bytes, to_floats
from lgan_jax.ops.spacing import evenly_spaced
from lgan_jax.protocols import InvertibleGenerator, LandmarkedGenerator

Images = UInt8[np.ndarray, "n H W 3"]
Landmarks = Float[np.ndarray, "n N 2"]
Latents = Float[np.ndarray, "n 64"]

OURS, MEAN, LINEAR = "landmark generator", "mean shape", "linear map of z"  # predictors of landmarks
INVERTED, NEAREST, AVERAGE = "generated from its z", "nearest training image", "mean training image"

STEPS = 14  # points of an interpolation, as in Fig. 9
_SEED = 6  # seed of the generated faces
_MAX_TRAINING = 20_000  # largest number of training images for the baselines
_SMALL, _CANDIDATES = 16, 16  # nearest-image search: reduced image size in pixels, candidates at full size
_RIDGES = 10.0 ** np.arange(-3, 5)  # candidate ridge penalties of the linear map
_FOLDS = 5


@dataclasses.dataclass(frozen=True)
class InvertedImages:
    """n images of the test split, their inversions, and the nearest training images.

    Attributes:
      images, landmarks: images and landmarks of the test faces, in the model's scheme.
      z, generated, found: the inverted latents, the faces generated from them, and their landmarks.
      nearest: the training image with the smallest difference to each test image.
      mean: the mean training image.
      training: training images, as many as test images.
    """

    images: Images
    landmarks: Landmarks
    z: Latents
    generated: Images
    found: Landmarks
    nearest: Images
    mean: Images
    training: Images


@dataclasses.dataclass(frozen=True)
class Generated:
    """n generated faces.

    Attributes:
      z, images, landmarks: latents, and the images and landmarks generated from them.
      seen: dlib's 49 inner landmarks; NaN without a detected face.
    """

    z: Latents
    images: Images
    landmarks: Landmarks
    seen: Float[np.ndarray, "n 49 2"]


class Measured(NamedTuple):
    """The images and all measurements.

    Attributes:
      test: test images with their inverses.
      generated, near: faces of uniform z, and of z near those of training images.
      errors: landmark errors of the landmark generator, its baselines and dlib, by `test`, `generated` and `near`.
      smoothness: unevenness of interpolations, by kind.
      mirror: z from a test image to its mirror image, and both images.
      study: the stored augmentation study, if any; and its warnings.
    """

    test: InvertedImages
    generated: Generated
    near: Generated
    errors: Mapping[str, Values]
    smoothness: Mapping[str, Values]
    mirror: tuple[Latents, tuple[np.ndarray, np.ndarray]]
    study: Result | None
    study_warnings: list[str]


@dataclasses.dataclass(frozen=True)
class Baselines:
    """Baselines of the landmark generator, both fitted to the same training images.

    Attributes:
      shape: the mean landmarks `(N, 2)`.
      weights, offset: the linear map z·weights + offset to flat landmarks, `(64, 2N)` and `(2N,)`.
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
    """Fits both baselines to the z and landmarks of training images.

    The linear map's ridge penalty is chosen by five-fold cross-validation.
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
    center, mean = z.mean(0), rows.mean(0)
    squares = (z - center).T @ (z - center) + penalty * np.eye(z.shape[1])
    weights = np.linalg.solve(squares, (z - center).T @ (rows - mean))
    return weights, mean - center @ weights


def inverted_images(model: InvertibleGenerator, data: FaceData, count: int) -> InvertedImages:
    """At most `count` test images, evenly spaced, inverted in one call."""
    records = [data.test[int(i)] for i in evenly_spaced(np.arange(len(data.test)), count)]
    images = np.stack([record["image"] for record in records])
    inverted = model.invert(to_floats(images))
    nearest, mean = _nearest(data, images)
    training = [data.train[int(i)]["image"] for i in evenly_spaced(np.arange(len(data.train)), len(images))]
    return InvertedImages(
        images=images,
        landmarks=np.stack([record["landmarks"] for record in records]),
        z=inverted.z,
        generated=to_bytes(inverted.image),
        found=inverted.landmarks,
        nearest=nearest,
        mean=np.broadcast_to(mean, images.shape),
        training=np.stack(training),
    )


def generated(model: InvertibleGenerator, dlib: DlibEvaluator, count: int, near: bool = False) -> Generated:
    """`count` generated faces with a fixed seed, of uniform z or of z `near` those of training images."""
    sampled = model.sample(_SEED, count, near=near)
    images = to_bytes(sampled.image)
    return Generated(sampled.z, images, sampled.landmarks, inner_landmarks(dlib, images))


def training_pairs(model: InvertibleGenerator, data: FaceData) -> tuple[Latents, Landmarks]:
    """The z and the landmarks of inverted training images; at most 20,000, evenly spaced."""
    there = evenly_spaced(np.flatnonzero(model.searched.error >= 0), _MAX_TRAINING)
    return model.searched.z[there], np.stack([data.train[int(i)]["landmarks"] for i in there])


def difference(ones: Images, others: Images) -> Float[np.ndarray, " n"]:
    """The mean absolute difference of each pair of images."""
    return np.abs(ones.astype(np.float32) - others.astype(np.float32)).mean((1, 2, 3)) / 255


def interpolated(first: np.ndarray, last: np.ndarray, steps: int = STEPS) -> Float32[np.ndarray, "steps 64"]:
    """z at equal distances from `first` to `last`, both included."""
    share = np.linspace(0, 1, steps)[:, None]
    return ((1 - share) * first + share * last).astype(np.float32)


def unevenness(changes: Float[np.ndarray, " steps"]) -> float:
    """The largest change between neighbors divided by the mean change: 1 for equal changes."""
    return float(changes.max() / max(changes.mean(), 1e-12))


def uneven(model: LandmarkedGenerator, z: Float[np.ndarray, "steps 64"]) -> tuple[float, float]:
    """`unevenness` of the images along an interpolation, and of their landmarks."""
    images, points = np.asarray(model.generate(z)), np.asarray(model.landmarks(z))
    return (
        unevenness(np.abs(np.diff(images, axis=0)).mean((1, 2, 3))),
        unevenness(np.sqrt((np.diff(points, axis=0) ** 2).sum(-1)).mean(-1)),
    )


def _nearest(data: FaceData, images: Images) -> tuple[Images, UInt8[np.ndarray, "H W 3"]]:
    """The nearest training image (mean absolute difference) of each image, and the mean training image.

    Only the nearest candidates at 16×16 pixels are compared at full size.
    """
    total = np.zeros(images.shape[1:])
    small = np.empty((len(data.train), 3 * _SMALL**2), np.uint8)
    for i in range(len(small)):
        image = data.train[i]["image"]
        total += image
        small[i] = resized(image, _SMALL).ravel()
    found = []
    for image in images:
        apart = np.abs(np.subtract(small, resized(image, _SMALL).ravel(), dtype=np.int16)).mean(1)
        near = np.stack([data.train[int(i)]["image"] for i in np.argsort(apart)[:_CANDIDATES]])
        found.append(near[difference(near, np.broadcast_to(image, near.shape)).argmin()])
    return np.stack(found), np.rint(total / len(small)).astype(np.uint8)
