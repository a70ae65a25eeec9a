"""Random changes of training images, and of landmarks with them, drawn inside the compiled step.

One key an example: `jax.vmap` over a batch.
"""

from __future__ import annotations

import dataclasses
import math

import dm_pix
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.landmarks import Scheme, mirrored
from lgan_jax.ops.warp import affine_image, affine_points


@dataclasses.dataclass(frozen=True)
class Settings:
    """How far images may be changed; every change is drawn uniformly up to its bound, either way.

    Attributes:
      rotation: degrees about the image's center.
      scale: share of the size.
      shift: share of the image's side, in x and in y.
      mirror: whether half of the images are mirrored (landmarks change names).
      brightness: added, on [0, 1].
      contrast, saturation: share of the image's own.
      blur: largest σ of a Gaussian blur in 64ths of the image's side (generated faces are softer than photographs).

    The defaults are those of a detector of landmarks.
    """

    rotation: float = 20.0
    scale: float = 0.15
    shift: float = 0.06
    mirror: bool = True
    brightness: float = 0.15
    contrast: float = 0.3
    saturation: float = 0.3
    blur: float = 1.0


NONE = Settings(0.0, 0.0, 0.0, False, 0.0, 0.0, 0.0, 0.0)  # leaves images as they are


def augmented(
    settings: Settings,
    scheme: Scheme,
    key: jax.Array,
    image: Float[Array, "height width 3"],
    landmarks: Float[Array, "n 2"],
) -> tuple[Float[Array, "height width 3"], Float[Array, "n 2"]]:
    """One changed example: an image in [0, 1] and its landmarks, which may leave [0, 1]."""
    place, look = jax.random.split(key)
    mirror, matrix, shift = _movement(settings, place)
    landmarks = jnp.where(mirror, mirrored(landmarks, scheme), landmarks)
    return _relit(settings, look, _moved(image, mirror, matrix, shift)), affine_points(landmarks, matrix, shift)


def augmented_image(
    settings: Settings, key: jax.Array, image: Float[Array, "height width 3"]
) -> Float[Array, "height width 3"]:
    """One changed image in [0, 1]: that of `augmented`."""
    place, look = jax.random.split(key)
    return _relit(settings, look, _moved(image, *_movement(settings, place)))


def _movement(settings: Settings, key: jax.Array) -> tuple[Array, Array, Array]:
    """Whether to mirror the image first; the matrix and the shift of the affine map that follows."""
    keys = jax.random.split(key, 4)
    angle = math.radians(settings.rotation) * jax.random.uniform(keys[0], minval=-1.0)
    size = 1 + settings.scale * jax.random.uniform(keys[1], minval=-1.0)
    shift = settings.shift * jax.random.uniform(keys[2], (2,), minval=-1.0)
    mirror = jax.random.bernoulli(keys[3]) & settings.mirror
    cos, sin = size * jnp.cos(angle), size * jnp.sin(angle)
    return mirror, jnp.stack([jnp.stack([cos, -sin]), jnp.stack([sin, cos])]), shift


def _moved(image: Array, mirror: Array, matrix: Array, shift: Array) -> Array:
    return affine_image(jnp.where(mirror, image[:, ::-1], image), matrix, shift)


def _relit(settings: Settings, key: jax.Array, image):
    keys = jax.random.split(key, 4)

    def factor(key: jax.Array, reach: float):
        return 1 + reach * jax.random.uniform(key, minval=-1.0)

    sigma = settings.blur * image.shape[1] / 64 * jax.random.uniform(keys[0])
    image = gaussian_blur(image, sigma)
    image = dm_pix.adjust_saturation(image, factor(keys[1], settings.saturation))
    image = dm_pix.adjust_contrast(image, factor(keys[2], settings.contrast))
    image = dm_pix.adjust_brightness(image, settings.brightness * jax.random.uniform(keys[3], minval=-1.0))
    return jnp.clip(image, 0, 1)


def gaussian_blur(
    image: Float[Array, "height width channels"], sigma: Float[Array, ""] | float
) -> Float[Array, "height width channels"]:
    """The image blurred by a Gaussian of `sigma` ≥ 0 pixels; weights beyond the border are shared out inside.

    As two matrix products, so a batch with a σ for each image costs what one σ costs: `jax.vmap` it.
    """
    rows, columns = (_blur_weights(size, sigma) for size in image.shape[:2])
    return jnp.einsum("ih,hwc,jw->ijc", rows, image, columns)


def _blur_weights(size: int, sigma: Float[Array, ""] | float) -> Float[Array, "{size} {size}"]:
    """What pixel j gives to pixel i, each row summing to 1."""
    place = jnp.arange(size, dtype=jnp.float32)
    distance = place[:, None] - place[None, :]
    weights = jnp.exp(-0.5 * (distance / jnp.maximum(sigma, 1e-3)) ** 2)
    return weights / weights.sum(1, keepdims=True)
