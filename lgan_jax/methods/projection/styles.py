"""Statistics of a mapping network's styles: mean, spread, and a measure of how unusual a style is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32

from lgan_jax.methods.projection.layers import SLOPE

_LEAST = 1e-4  # variance of a direction, of the largest one's, below which it counts as that

Styles = Float32[np.ndarray, "n features"]


class Spread(NamedTuple):
    """How a sample of styles is spread.

    Attributes:
      mean: of the styles.
      std: root of their mean squared distance from it, over all features.
      measure: what `unusual` needs: center and directions of the styles before the last leaky ReLU.
    """

    mean: Float32[np.ndarray, " features"]
    std: float
    measure: Mapping[str, Float32[np.ndarray, ...]]


def spread(styles: Styles) -> Spread:
    """The spread of a sample; `unusual` needs more styles than a style has features."""
    mean = styles.mean(0, dtype=np.float64)
    std = float(np.sqrt(((styles - mean) ** 2).sum(1).mean()))
    before = np.where(styles < 0, styles / SLOPE, styles).astype(np.float64)
    center = before.mean(0)
    variances, directions = np.linalg.eigh((before - center).T @ (before - center) / len(before))
    scales = np.sqrt(np.maximum(variances, max(_LEAST * variances[-1], np.finfo(np.float32).tiny)))
    measure = {"center": np.float32(center), "directions": np.float32(directions / scales)}
    return Spread(np.float32(mean), std, measure)


def unusual(style: Float[Array, "n *places features"], measure: Mapping[str, Array]) -> Float[Array, " n"]:
    """How far styles are from those of the sample: about 1 for these, over all features (and places).

    The mean square of their coordinates in the sample's principal directions, each standardized, before the
    last leaky ReLU, where styles are about normally distributed. Source: Zhu et al., "Improved StyleGAN Embedding:
    Where are the Good Latents?" (2020), section 3.
    """
    before = jnp.where(style < 0, style / SLOPE, style).reshape(-1, style.shape[-1])
    apart = ((before - measure["center"][None]) @ measure["directions"]) ** 2
    return apart.reshape(len(style), -1).mean(1)
