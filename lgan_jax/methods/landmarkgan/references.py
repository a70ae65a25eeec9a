"""Reference frames of each identity: selection over poses and expressions, warping to target landmarks, blending."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from lgan_jax.landmarks import Scheme
from lgan_jax.ops.thin_plate import blended_warps, thin_plate_flow

NEAREST = 8  # number of blended reference frames
_SHARP = 4  # exponent of the sharp blend's weights: emphasizes the nearest frames
_MIN_DISTANCE = 1e-4  # image widths
_FARTHEST = 0.02  # largest offset of a detected landmark per axis, in image widths
_RANK = 25  # of a person's landmarks, in which poses and expressions lie
_EXCLUDED = 1e3  # distance of excluded frames, larger than all others


@flax.struct.dataclass
class References:
    """K reference frames of each of I identities.

    Attributes:
      images: uint8 `(I, K, H, W, 3)`.
      landmarks: `(I, K, N, 2)` in [0, 1]; frames are selected by them.
      anchors: `(I, K, N, 2)` in [0, 1], the points in the frames that a warp moves to the target landmarks.
    """

    images: Any
    landmarks: Any
    anchors: Any


class Blended(NamedTuple):
    """Warped reference frames of a person, in [-1, 1], `(batch, H, W, 3)`.

    Attributes:
      smooth: blended by `shepard_weights`.
      sharp: blended by the fourth power of these weights, so dominated by the nearest frame.
    """

    smooth: Array
    sharp: Array


def select(landmarks: Float[Array, "frames n 2"], count: int, scheme: Scheme) -> Int[Array, " {count}"]:
    """Indices of `count` frames that span poses and expressions: the greedy solution of the k-center problem.

    The first is the frame nearest to the mean; each further frame is the farthest from all before (Gonzalez 1985). If
    there are fewer frames than `count`, frames repeat.
    """
    scaled = (landmarks * jnp.sqrt(_point_weights(scheme))[None, :, None]).reshape(len(landmarks), -1)

    def distance(to: Array) -> Array:
        return jnp.sum((scaled - to[None]) ** 2, -1)

    first = jnp.argmin(distance(scaled.mean(0)))

    def add(nearest: Array, _: None) -> tuple[Array, Array]:
        farthest = jnp.argmax(nearest)
        return jnp.minimum(nearest, distance(scaled[farthest])), farthest

    _, others = jax.lax.scan(add, distance(scaled[first]), length=count - 1)
    return jnp.concatenate([first[None], others]).astype(jnp.int32)


def chosen(
    images: Float[Array, "frames people height width 3"],
    landmarks: Float[Array, "frames people n 2"],
    count: int,
    scheme: Scheme,
    detect: Callable[[Array], Array] | None = None,
    share: float = 0.0,
) -> References:
    """Selects the reference frames of each identity, with the anchors for warping.

    Eq. 3 compares the target landmarks with the detector's landmarks Ω of the generated face. Ω has similar errors in a
    frame and in its warp. So a warp that moves the detected points Ω(I) reaches a lower loss of Eq. 3 than a warp that
    moves the data's landmarks L, which matches L better. The anchors are between both: L + share · (Ω(I) − L). Ω(I) − L
    is clipped to 0.02 image widths, to limit the effect of a missed point.

    Args:
      images: frames `(frames, people, H, W, 3)` in [-1, 1].
      landmarks: landmarks L of the frames.
      count: K, the number of reference frames of each identity.
      scheme: landmark scheme.
      detect: Ω, from images `(batch, H, W, 3)` in [-1, 1] to landmarks; None: the anchors are the landmarks.
      share: weight of the detected points in the anchors, in [0, 1].
    """
    stored = jnp.round((images + 1) * 127.5).astype(jnp.uint8)

    def of_one(person: int) -> tuple[Array, Array, Array]:
        indices = select(landmarks[:, person], count, scheme)
        own = landmarks[:, person][indices]
        found = own if detect is None else detect(images[:, person][indices])
        return stored[:, person][indices], own, own + share * jnp.clip(found - own, -_FARTHEST, _FARTHEST)

    people = [of_one(person) for person in range(images.shape[1])]
    return References(*(jnp.stack(each) for each in zip(*people)))


def low_rank(landmarks: Float[Array, "k n 2"], frames: Float[Array, "frames n 2"]) -> Float[Array, "k n 2"]:
    """Landmarks projected onto the 25 first principal directions of a person's frames, which hold little noise."""
    flat = frames.reshape(len(frames), -1)
    mean = flat.mean(0, keepdims=True)
    directions = jnp.linalg.svd(flat - mean, full_matrices=False)[2][:_RANK]
    return (mean + (landmarks.reshape(len(landmarks), -1) - mean) @ directions.T @ directions).reshape(landmarks.shape)


def shepard_weights(
    landmarks: Float[Array, "n 2"],
    known: Float[Array, "k n 2"],
    allowed: Float[Array, " k"] | Any,
    scheme: Scheme,
    nearest: int = NEAREST,
) -> tuple[Int[Array, " nearest"], Float[Array, " nearest"]]:
    """Local inverse-distance weights of the nearest reference frames (Shepard 1968; Franke & Nielson 1980).

    The weights are (R − d) / d, normalized, where R is the distance of the next frame. A frame with exactly the target
    landmarks has all the weight, and a frame at the neighborhood's edge has weight 0, so the blend is continuous in the
    landmarks.

    Args:
      landmarks: target landmarks.
      known: landmarks of the reference frames.
      allowed: mask of the frames that may be used.
      scheme: landmark scheme.
      nearest: number of frames to use; all but one if there are fewer.
    """
    squared = jnp.sum(_point_weights(scheme)[None, :, None] * (known - landmarks[None]) ** 2, (1, 2))
    distance = jnp.sqrt(jnp.where(allowed, squared, _EXCLUDED) + _MIN_DISTANCE**2)
    negative, indices = jax.lax.top_k(-distance, nearest + 1)
    distance = -negative
    weights = (distance[-1:] - distance[:-1]) / distance[:-1] + 1e-6
    return indices[:-1], weights / weights.sum()


def blend(
    references: References,
    landmarks: Float[Array, "batch n 2"],
    person: Int[Array, " batch"],
    allowed: Any,
    scheme: Scheme,
) -> Blended:
    """Warps each identity's nearest reference frames to the target landmarks and blends them.

    Args:
      references: reference frames of all identities.
      landmarks: target landmarks.
      person: index of each example's identity.
      allowed: bool `(batch, K)`, mask of the frames that may be used.
      scheme: landmark scheme.
    """
    known = references.landmarks[person]
    nearest = min(NEAREST, known.shape[1] - 1)
    indices, weights = jax.vmap(lambda *each: shepard_weights(*each, scheme, nearest))(landmarks, known, allowed)
    images = references.images[person[:, None], indices].astype(jnp.float32) / 127.5 - 1
    sources = references.anchors[person[:, None], indices]
    flow = thin_plate_flow(landmarks, sources, *images.shape[2:4])
    sharp = weights**_SHARP
    return Blended(*blended_warps(images, flow, weights, sharp / sharp.sum(-1, keepdims=True)))


def _point_weights(scheme: Scheme) -> Float[Array, " n"]:
    """Weights of the landmarks in the distance of two faces, with sum 1: high for eyes and mouth, low for outlines."""
    weights = np.ones(scheme.count, np.float32)
    weights[scheme.outline] = 0.5
    for name in ("right_eye", "left_eye", "outer_lip", "inner_lip"):
        weights[list(scheme.groups[name])] = 4.0
    return jnp.asarray(weights / weights.sum())
