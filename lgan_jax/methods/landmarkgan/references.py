"""Reference frames of each person: chosen to span poses and expressions, warped to the wanted landmarks and blended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from lgan_jax.landmarks import Scheme
from lgan_jax.ops.thin_plate import thin_plate_flow, warp_to_landmarks

NEAREST = 8  # reference frames that are blended
_SHARP = 4  # exponent on the blend's weights that leaves the nearest frames
_LEAST_DISTANCE = 1e-4  # image widths
_FARTHEST = 0.02  # image widths between a landmark and where the detector finds it, each axis
_EXCLUDED = 1e3  # a distance beyond all others


@flax.struct.dataclass
class References:
    """K frames of each of I people.

    Attributes:
      images: uint8 `(I, K, H, W, 3)`.
      landmarks: `(I, K, N, 2)` in [0, 1], by which frames are chosen.
      anchors: `(I, K, N, 2)` in [0, 1], the points of the frames that a warp moves to the wanted landmarks.
    """

    images: Any
    landmarks: Any
    anchors: Any


class Blended(NamedTuple):
    """Warped reference frames of a person, in [-1, 1], `(batch, H, W, 3)`.

    Attributes:
      smooth: blended by `shepard_weights`.
      sharp: blended by the fourth power of these weights, so nearly the nearest frame alone.
    """

    smooth: Array
    sharp: Array


def select(landmarks: Float[Array, "frames n 2"], count: int, scheme: Scheme) -> Int[Array, " {count}"]:
    """Indices of `count` frames that span poses and expressions: the k-center problem's greedy solution.

    The first is the frame nearest to the mean; each further one is the farthest from all before (Gonzalez 1985). Where
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
    """References from some frames of each person.

    The generated face is to have the wanted landmarks as the detector Ω finds them (Eq. 3). Ω is off by much the same
    in a frame and in its warp. So a warp that moves the points where Ω finds them, Ω(I), meets Eq. 3 better than one
    that moves the landmarks L of the data, which meets L better. The anchors lie between: L + share · (Ω(I) − L), where
    Ω(I) − L is held within 0.02 image widths, so that a detector that misses a point does no harm.

    Args:
      images: `(frames, people, H, W, 3)` in [-1, 1].
      landmarks: theirs, L.
      count: K, how many frames of each person are kept.
      scheme: of the landmarks.
      detect: Ω, images `(batch, H, W, 3)` in [-1, 1] to landmarks; None: the anchors are the landmarks.
      share: in [0, 1].
    """
    stored = jnp.round((images + 1) * 127.5).astype(jnp.uint8)

    def of_one(person: int) -> tuple[Array, Array, Array]:
        places = select(landmarks[:, person], count, scheme)
        own = landmarks[:, person][places]
        found = own if detect is None else detect(images[:, person][places])
        return stored[:, person][places], own, own + share * jnp.clip(found - own, -_FARTHEST, _FARTHEST)

    people = [of_one(person) for person in range(images.shape[1])]
    return References(*(jnp.stack(each) for each in zip(*people)))


def shepard_weights(
    landmarks: Float[Array, "n 2"],
    known: Float[Array, "k n 2"],
    allowed: Float[Array, " k"] | Any,
    scheme: Scheme,
    nearest: int = NEAREST,
) -> tuple[Int[Array, " nearest"], Float[Array, " nearest"]]:
    """The nearest frames in landmarks, and their weights (R − d) / d normalized, R the distance of the next one.

    Local inverse-distance weights (Shepard 1968; Franke & Nielson 1980): a frame that is met exactly counts alone, and
    a frame that leaves the neighborhood has weight 0 by then, so the blend is continuous in the landmarks.

    Args:
      landmarks: wanted.
      known: of the reference frames.
      allowed: which of them may be used.
      scheme: of the landmarks.
      nearest: how many are used; all but one where there are fewer.
    """
    squared = jnp.sum(_point_weights(scheme)[None, :, None] * (known - landmarks[None]) ** 2, (1, 2))
    distance = jnp.sqrt(jnp.where(allowed, squared, _EXCLUDED) + _LEAST_DISTANCE**2)
    negative, places = jax.lax.top_k(-distance, nearest + 1)
    distance = -negative
    weights = (distance[-1:] - distance[:-1]) / distance[:-1] + 1e-6
    return places[:-1], weights / weights.sum()


def blend(
    references: References,
    landmarks: Float[Array, "batch n 2"],
    person: Int[Array, " batch"],
    allowed: Any,
    scheme: Scheme,
) -> Blended:
    """Each person's reference frames warped to the landmarks, and blended.

    Args:
      references: of everybody.
      landmarks: wanted.
      person: index of each example's person.
      allowed: bool `(batch, K)`, which frames may be used.
      scheme: of the landmarks.
    """
    known = references.landmarks[person]
    nearest = min(NEAREST, known.shape[1] - 1)
    places, weights = jax.vmap(lambda *each: shepard_weights(*each, scheme, nearest))(landmarks, known, allowed)
    images = references.images[person[:, None], places].astype(jnp.float32) / 127.5 - 1
    sources = references.anchors[person[:, None], places]
    warped = warp_to_landmarks(images, thin_plate_flow(landmarks, sources, *images.shape[2:4]))
    sharp = weights**_SHARP
    sharp = sharp / sharp.sum(-1, keepdims=True)
    return Blended(*(jnp.einsum("bk,bkhwc->bhwc", each, warped) for each in (weights, sharp)))


def _point_weights(scheme: Scheme) -> Float[Array, " n"]:
    """What a landmark counts in the distance of two faces: eyes and mouth most, the outline least; their sum is 1."""
    weights = np.ones(scheme.count, np.float32)
    weights[scheme.outline] = 0.5
    for name in ("right_eye", "left_eye", "outer_lip", "inner_lip"):
        weights[list(scheme.groups[name])] = 4.0
    return jnp.asarray(weights / weights.sum())
