"""Landmarks, blendshape scores and action units of the faces in images, by Google's Face Landmarker."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from lgan_jax.faces import align
from lgan_jax.faces.boxes import Box, check_image
from lgan_jax.faces.face_landmarker import bundle as bundles
from lgan_jax.faces.face_landmarker import detector, networks
from lgan_jax.faces.face_landmarker.action_units import action_units
from lgan_jax.faces.face_landmarker.detector import Detection
from lgan_jax.faces.face_landmarker.networks import CROP, Mesh
from lgan_jax.faces.face_landmarker.tables import BLENDSHAPES, LEFT_EYE, POINTS, RIGHT_EYE, TO_IBUG68
from lgan_jax.media.images import to_floats
from lgan_jax.ops import procrustes

MESH = "mesh478"  # the scheme of all points; it is none of `lgan_jax.landmarks`
_BATCHES = (1, 8)  # images in a call of a network: few shapes, as each is compiled
_AROUND = 1.5  # of a face's box, the side of the square that the network sees
_PRESENT = 0.5  # probability from which there is a face
_TILES = 2  # times that tiles are smaller than the image

Images = np.ndarray | Sequence[np.ndarray]


class FaceLandmarker:
    """Google's Face Landmarker in JAX.

    Images are uint8 RGB: one `(H, W, 3)`, a batch `(B, H, W, 3)`, or a list of images of any sizes; answers have no
    leading axis for one image. Of several faces the largest is taken; where there is none, the answer is NaN. With
    `aligned` the images are aligned crops (`faces.align.alignment`, as `prepare` writes them) and no face is searched.

    For training, `networks` has the pure functions that this uses, of `bundle` and `weights`.

    Attributes:
      bundle: the networks.
      weights: theirs, float32, by network and tensor.
    """

    def __init__(self, bundle: bundles.Bundle):
        self.bundle = bundle
        self.weights = jax.tree.map(jnp.asarray, bundle.weights)

    def landmarks(self, images: Images, scheme: str = "ibug68", aligned: bool = False) -> Float[np.ndarray, "*B N 2"]:
        """Landmarks (x, y) in [0, 1] across the image, pixel centers at (i + 0.5) / size: 68, or all 478 (`MESH`).

        Raises `ValueError` for another scheme or images of another type or shape.
        """
        if scheme not in ("ibug68", MESH):
            raise ValueError(f"the Face Landmarker gives ibug68 and {MESH}; no map to {scheme!r} is published")
        points = self.mesh(images, aligned).points[..., :2]
        return points if scheme == MESH else points[..., TO_IBUG68, :]

    def mesh(self, images: Images, aligned: bool = False) -> Mesh:
        """All points, with depth, and the probability that there is a face. Raises `ValueError` as `landmarks`."""
        several, single = _listed(images)
        meshes = self._aligned(several) if aligned else [self._found(image) for image in several]
        points = np.stack([mesh.points for mesh in meshes]) if meshes else np.zeros((0, POINTS, 3), np.float32)
        presence = np.array([mesh.presence for mesh in meshes], np.float32)
        points = np.where((presence < _PRESENT)[:, None, None], np.float32(np.nan), points)
        return Mesh(points[0], presence[0]) if single else Mesh(points, presence)

    def blendshapes(self, images: Images, aligned: bool = False) -> Float[np.ndarray, "*B 52"]:
        """The scores in [0, 1] of `tables.BLENDSHAPES`. Raises `ValueError` as `landmarks`."""
        several, single = _listed(images)
        points = self.mesh(several, aligned).points[..., :2]
        scores = self.scores(points, np.array([image.shape[1::-1] for image in several]).reshape(-1, 2))
        return scores[0] if single else scores

    def action_units(self, images: Images, aligned: bool = False) -> Float[np.ndarray, "*B 17"]:
        """Action units in [0, 1] in the library's order, without a neutral image of the person; see `action_units`.

        Units that the scores do not show are NaN. Raises `ValueError` as `landmarks`.
        """
        return action_units(self.blendshapes(images, aligned))

    def scores(self, points: Float[np.ndarray, "B 478 2"], sizes: np.ndarray) -> Float[np.ndarray, "B 52"]:
        """Blendshape scores of points in [0, 1] across images of `sizes` `(B, 2)`, (width, height); NaN gives NaN."""
        if not len(points):
            return np.zeros((0, len(BLENDSHAPES)), np.float32)
        return self._batched(networks.blendshapes, (points * sizes[:, None]).astype(np.float32))[0]

    def detect(self, image: np.ndarray, threshold: float = 0.0) -> list[Detection]:
        """The faces of an image, best first; boxes and keypoints in pixels from edge to edge.

        The detector sees 128 pixels, faces from about a tenth of the image's longer side on. Where it sees none, it is
        given overlapping tiles of half that side. `threshold` is the lowest logit that counts.
        """
        check_image(image)
        found = self._detected(image, [(0, 0, *image.shape[1::-1])], threshold)
        if not found and max(image.shape[:2]) > detector.SIDE:
            found = self._detected(image, tiles(*image.shape[1::-1]), threshold)
        return found

    def mesh_in(self, image: np.ndarray, center: np.ndarray, direction: np.ndarray, side: float) -> Mesh:
        """The points of the face in a square of `side` pixels around `center`, whose rows run along `direction`."""
        transform = align.square(center, direction, side, CROP)
        crop = align.crop(image, transform, CROP)
        points, presence = self._batched(networks.mesh, to_floats(crop[None]))
        flat = procrustes.apply(procrustes.inverse(transform), CROP * points[0, :, :2].astype(float))
        width, height = image.shape[1::-1]
        depth = points[0, :, 2:] * (side / width)
        return Mesh(np.concatenate([flat / (width, height), depth], -1).astype(np.float32), presence[0])

    def mesh_in_box(self, image: np.ndarray, box: Box) -> Mesh:
        """The points of the face in a box, whatever its roll: found upright first, then in the square they span."""
        check_image(image)
        if not box.area > 0:
            raise ValueError(f"a box needs a positive width and height: {box}")
        center = np.array([box.left + box.right, box.top + box.bottom]) / 2
        side = max(box.right - box.left, box.bottom - box.top)
        first = self.mesh_in(image, center, np.array([1.0, 0.0]), _AROUND * side)
        points = first.points[:, :2].astype(float) * image.shape[1::-1]
        low, high = points.min(0), points.max(0)
        direction = points[LEFT_EYE] - points[RIGHT_EYE]
        return self.mesh_in(image, (low + high) / 2, direction, _AROUND * float((high - low).max()))

    def _found(self, image: np.ndarray) -> Mesh:
        """The points of the largest face of an image; presence 0 where there is none."""
        faces = self.detect(image)
        if not faces:
            return Mesh(np.full((POINTS, 3), np.nan, np.float32), np.float32(0))
        face = max(faces, key=lambda each: each.box.area)
        left, top, right, bottom, _ = face.box
        center, side = np.array([left + right, top + bottom]) / 2, max(right - left, bottom - top)
        return self.mesh_in(image, center, face.eyes[1] - face.eyes[0], _AROUND * side)

    def _aligned(self, images: Sequence[np.ndarray]) -> list[Mesh]:
        for image in images:
            if image.shape[0] != image.shape[1] or image.shape != images[0].shape:
                raise ValueError(f"aligned crops are square and all of one size, not {image.shape}")
        if not images:
            return []
        points, presence = self._batched(networks.aligned_mesh, to_floats(np.stack(images)))
        return [Mesh(*each) for each in zip(points, presence, strict=True)]

    def _detected(self, image: np.ndarray, windows: Sequence[tuple], threshold: float) -> list[Detection]:
        boxed = [detector.letterboxed(image[top:bottom, left:right]) for left, top, right, bottom in windows]
        answers = self._batched(networks.detect, to_floats(np.stack([square for square, _, _ in boxed])))
        found: list[Detection] = []
        for (left, top, _, _), (_, scale, offset), regressors, logits in zip(windows, boxed, *answers, strict=True):
            inside = detector.detections(regressors, logits, threshold)
            found += detector.moved(inside, 1 / scale, np.array([left, top]) - offset / scale)
        return detector.distinct(found)

    def _batched(self, function: Callable[..., Any], arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """`function` of the bundle, its weights and `arrays` `(B, ...)`, in calls of few sizes."""
        answers, first = [], 0
        while first < len(arrays):
            left = len(arrays) - first
            size = next((size for size in _BATCHES if size >= left), _BATCHES[-1])
            part = arrays[first : first + size]
            padded = np.concatenate([part, np.repeat(part[-1:], size - len(part), 0)])
            answers.append(
                [np.asarray(each)[: len(part)] for each in _compiled(function, self.bundle)(self.weights, padded)]
            )
            first += size
        return tuple(np.concatenate(each) for each in zip(*answers, strict=True))


def load(path: str | os.PathLike | None = None, option: str = "path") -> FaceLandmarker:
    """The Face Landmarker of a bundle: `path`, else what `LGAN_JAX_FACE_LANDMARKER` names; `option` is for messages.

    Raises as `bundle.located` and `bundle.read`: one line that says which file is needed and where it is published.
    """
    return FaceLandmarker(bundles.read(bundles.located(path, option)))


@functools.cache
def _compiled(function: Callable[..., Any], bundle: bundles.Bundle) -> Callable[..., Any]:
    return jax.jit(functools.partial(function, bundle))


def _listed(images: Images) -> tuple[list[np.ndarray], bool]:
    """The images as a list, and whether it was one image."""
    single = isinstance(images, np.ndarray) and images.ndim == 3
    several = [images] if single else list(images)
    for image in several:
        check_image(image)
    return several, single


def tiles(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Overlapping squares (left, top, right, bottom) that cover an image."""
    side = -(-max(width, height) // _TILES)
    starts = [
        np.linspace(0, max(size - side, 0), max(-(-2 * (size - side) // side), 0) + 1).round().astype(int)
        for size in (width, height)
    ]
    return [
        (int(x), int(y), min(int(x) + side, width), min(int(y) + side, height)) for y in starts[1] for x in starts[0]
    ]
