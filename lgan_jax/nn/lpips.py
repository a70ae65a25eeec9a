"""LPIPS (Zhang et al., CVPR 2018): a perceptual distance of images by VGG16's features, fitted to human judgements."""

from __future__ import annotations

import math

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.nn.vgg import VGG, VGG16
from lgan_jax.ops.norms import safe_norm

LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
PUBLISHED = "https://github.com/richzhang/PerceptualSimilarity/tree/master/lpips/weights/v0.1 (vgg.pth)"
_EPSILON = 1e-10  # added to the norm of a position's features, outside the root

Maps = Float[Array, "batch _ _ _"]
Features = list[Maps]


class LPIPS(nn.Module):
    """The features that LPIPS compares, of images in [-1, 1]; `distance` of two results is the LPIPS distance.

    For each of `LAYERS`: the features at every position divided by their norm, times the roots of the weights, divided
    by the root of the number of positions. Variables: `vgg`, and `lin0` … `lin4`.

    Attributes:
      width: channels of VGG's first block, 64 in the published network.
    """

    width: int = 64

    @nn.compact
    def __call__(self, image: Float[Array, "batch height width 3"]) -> Features:
        maps = VGG(VGG16, self.width, LAYERS[-1], LAYERS[:-1], name="vgg")(image)
        return [_Weighted(name=f"lin{i}")(x) for i, x in enumerate(maps)]


class _Weighted(nn.Module):
    """One layer's part."""

    @nn.compact
    def __call__(self, x: Maps) -> Maps:
        weights = self.param("kernel", nn.initializers.ones, (1, 1, x.shape[-1], 1))
        return directions(x) * jnp.sqrt(weights.reshape(1, 1, 1, -1))


def directions(x: Maps) -> Maps:
    """Features at every position divided by their norm, and by the root of the number of positions."""
    return x / (safe_norm(x, -1, keepdims=True) + _EPSILON) / math.sqrt(x.shape[1] * x.shape[2])


def distance(one: Features, other: Features) -> Float[Array, " batch"]:
    """LPIPS of each pair of images, at least 0. A batch of one broadcasts."""
    return sum(jnp.sum((a - b) ** 2, (1, 2, 3)) for a, b in zip(one, other, strict=True))
