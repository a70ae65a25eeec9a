"""Adaptive discriminator augmentation (ADA): random transformations of the images that a discriminator sees.

Source: Karras et al., "Training generative adversarial networks with limited data", NeurIPS 2020, appendix B, its
pipeline "bgc": pixel blitting, geometric and color transformations, each applied with probability p. Real and generated
images are transformed alike, so that the discriminator cannot memorize few training images; below p ≈ 0.8 the generator
still learns the distribution of images that are not transformed. Differentiable in the images.

Deviation: one bilinear resampling with mirrored borders does all blits and geometric transformations, where the
published code resamples at twice the resolution with a wavelet's low-pass filter.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lgan_jax.ops.warp import affine_image

_TRANSLATION = 0.125  # largest integer translation, and σ of the fractional one, in image sides
_SCALE = 0.2 * math.log(2)  # σ of the logarithm of a scale
_BRIGHTNESS = 0.2  # σ, for images in [-1, 1]
_CONTRAST = 0.5 * math.log(2)  # σ of the logarithm
_SATURATION = math.log(2)  # σ of the logarithm
_GRAY = np.full(3, 1 / math.sqrt(3), np.float32)  # the luma axis


def augmented(
    key: jax.Array, image: Float[Array, "size size 3"], probability: Float[Array, ""] | float
) -> Float[Array, "size size 3"]:
    """One image in [-1, 1], transformed; the result may leave [-1, 1]. At probability 0 it is the image itself.

    Args:
      key: a random key; `jax.vmap` over one for each image of a batch.
      image: RGB, square.
      probability: p, of each transformation.
    """
    place, look = jax.random.split(key)
    with jax.default_matmul_precision("highest"):
        moved = affine_image(image, *random_affine(place, probability, image.shape[0]), mirror_borders=True)
        return _recolored(moved, look, probability)


def random_affine(
    key: jax.Array, probability: Float[Array, ""] | float, size: int
) -> tuple[Float[Array, "2 2"], Float[Array, " 2"]]:
    """Matrix and shift, for `affine_image`, of all blits and geometric transformations of an image of `size` pixels.

    In the published order: mirroring, rotation by multiples of 90°, translation by whole pixels, isotropic scaling,
    rotation, anisotropic scaling, rotation, fractional translation.
    """
    keys = iter(jax.random.split(key, 16))

    def chosen(value: Array, neutral: float, p: Array | float = probability) -> Array:
        return jnp.where(jax.random.uniform(next(keys), (1,) * value.ndim) < p, value, neutral)

    half = 1 - jnp.sqrt(1 - probability)  # two rotations by it are one with `probability`
    side = chosen(jnp.sign(jax.random.normal(next(keys))), 1.0)
    quarters = chosen(jax.random.randint(next(keys), (), 0, 4).astype(jnp.float32), 0.0)
    whole = jnp.round(size * chosen(_TRANSLATION * jax.random.uniform(next(keys), (2,), minval=-1.0), 0.0)) / size
    scale, stretch = (jnp.exp(chosen(_SCALE * jax.random.normal(next(keys)), 0.0)) for _ in range(2))
    angles = [chosen(math.pi * jax.random.uniform(next(keys), minval=-1.0), 0.0, half) for _ in range(2)]
    shift = chosen(_TRANSLATION * jax.random.normal(next(keys), (2,)), 0.0)
    quarter = jnp.round(_rotation(0.5 * math.pi * quarters))  # whole numbers: pixels stay on pixels
    after = _rotation(angles[1]) @ jnp.diag(jnp.stack([stretch, 1 / stretch])) @ (scale * _rotation(angles[0]))
    return after @ quarter @ jnp.diag(jnp.stack([side, jnp.ones(())])), after @ whole + shift


def _recolored(image: Array, key: jax.Array, probability: Array | float) -> Array:
    """Random brightness, contrast, luma inversion, hue and saturation, one matrix on (r, g, b, 1)."""
    keys = iter(jax.random.split(key, 10))

    def chosen(value: Array, neutral: float) -> Array:
        return jnp.where(jax.random.uniform(next(keys)) < probability, value, neutral)

    luma = jnp.outer(_GRAY, _GRAY)
    brightness = chosen(_BRIGHTNESS * jax.random.normal(next(keys)), 0.0)
    contrast = jnp.exp(chosen(_CONTRAST * jax.random.normal(next(keys)), 0.0))
    inversion = chosen(jax.random.bernoulli(next(keys)).astype(jnp.float32), 0.0)
    hue = chosen(math.pi * jax.random.uniform(next(keys), minval=-1.0), 0.0)
    saturation = jnp.exp(chosen(_SATURATION * jax.random.normal(next(keys)), 0.0))
    matrix = (jnp.eye(3) - 2 * inversion * luma) * contrast
    matrix = (luma + saturation * (jnp.eye(3) - luma)) @ _about_gray(hue) @ matrix
    offset = (jnp.eye(3) - 2 * inversion * luma) @ (brightness * contrast * jnp.ones(3))
    return image @ matrix.T + offset.reshape(1, 1, 3)


def _about_gray(angle: Array) -> Float[Array, "3 3"]:
    """The rotation about the luma axis (Rodrigues)."""
    x, y, z = _GRAY
    cross = jnp.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return jnp.cos(angle) * jnp.eye(3) + jnp.sin(angle) * cross + (1 - jnp.cos(angle)) * jnp.outer(_GRAY, _GRAY)


def _rotation(angle: Array) -> Float[Array, "2 2"]:
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return jnp.stack([jnp.stack([cos, -sin]), jnp.stack([sin, cos])])
