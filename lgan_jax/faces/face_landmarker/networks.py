"""The Face Landmarker's networks on batches: pure functions of the weights, to jit and to differentiate.

`weights` is `Bundle.weights`, or a part of a state that holds it. The order of the 478 points and of the 52 scores is
MediaPipe's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.faces.face_landmarker.bundle import Bundle
from lgan_jax.faces.face_landmarker.tables import BLENDSHAPE_POINTS, POINTS
from lgan_jax.ops.warp import pixel_centers, sample

CROP = 256  # pixels of the mesh network's input
CENTER, SIDE = (0.5, 0.433), 1.58  # of the square that the network sees, in sides of an aligned crop: London's median

Weights = Mapping[str, Mapping[str, Any]]


class Mesh(NamedTuple):
    """478 points of each face.

    Attributes:
      points: `(..., 478, 3)`: x and y in [0, 1] across the image, pixel centers at (i + 0.5) / size; z in image widths,
        smaller towards the camera.
      presence: `(...)` probability in [0, 1] that there is a face.
    """

    points: Any
    presence: Any


def detect(
    bundle: Bundle, weights: Weights, images: Float[Array, "batch 128 128 3"]
) -> tuple[Float[Array, "batch 896 16"], Float[Array, "batch 896 1"]]:
    """What the detector says of images in [-1, 1], as `detector.detections` takes it."""
    regressors, logits = jax.vmap(lambda image: bundle.detector(weights["detector"], image[None]))(images)
    return regressors[:, 0], logits[:, 0]


def mesh(bundle: Bundle, weights: Weights, crops: Float[Array, "batch 256 256 3"]) -> Mesh:
    """The points of crops in [-1, 1] of one upright face each, about 1.5 times its box."""
    answers = jax.vmap(lambda crop: bundle.mesh(weights["mesh"], (crop[None] + 1) / 2))(crops)
    return Mesh(answers[0].reshape(-1, POINTS, 3) / CROP, jax.nn.sigmoid(answers[1].reshape(-1)))


def aligned_mesh(bundle: Bundle, weights: Weights, images: Float[Array, "batch size size 3"]) -> Mesh:
    """The points of aligned crops in [-1, 1] (`faces.align.alignment`), in [0, 1] of them.

    The network sees a square 1.58 times as large, whose margin repeats the crop's border.
    """
    corner = jnp.array(CENTER) - SIDE / 2
    positions = pixel_centers(CROP, CROP) * SIDE + corner.reshape(1, 1, 2)
    points, presence = mesh(bundle, weights, jax.vmap(lambda image: sample(image, positions))(images))
    return Mesh(points * SIDE + jnp.array([*corner, 0.0]).reshape(1, 1, 3), presence)


def blendshapes(
    bundle: Bundle, weights: Weights, points: Float[Array, "batch 478 2"]
) -> tuple[Float[Array, "batch 52"]]:
    """The scores in [0, 1] of `tables.BLENDSHAPES`. The points' unit may be any, the same for x and y."""
    chosen = points[:, jnp.array(BLENDSHAPE_POINTS)]
    return jax.vmap(lambda each: bundle.blendshapes(weights["blendshapes"], each[None]))(chosen)
