"""The differentiable spatial-to-numerical transform (Nibali et al. 2018, arXiv 1801.07372) and its losses.

A heatmap set is float32 `(*batch, height, width, n)`, each of the n maps summing to 1. Two frames (see `coordinates`):
  Nibali's: (x, y) with the center of column j = 1 … w at (2j − (w + 1)) / w, so −1 and 1 are the map's edges;
  the library's landmarks u in [0, 1] from edge to edge: u = (c + 1) / 2 of that.
Losses are for each landmark, `(*batch, n)`, in Nibali's frame, and `average` is their mean; σ is in pixels of the
heatmap. ε = 1e-24, inside logarithms and in the Gaussian's normalisation, is that of the public implementation; it
decides the value of a target off the map.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from lgan_jax.coordinates import from_dsnt, to_dsnt
from lgan_jax.ops.heatmaps import gaussians
from lgan_jax.ops.norms import safe_norm

Heatmaps = Float[Array, "*batch height width n"]
Points = Float[Array, "*batch n 2"]
PerPoint = Float[Array, "*batch n"]

_EPSILON = 1e-24


def spatial_softmax(logits: Heatmaps) -> Heatmaps:
    """Softmax over height and width, in float32."""
    return jax.nn.softmax(logits.astype(jnp.float32), axis=(-3, -2))


def pixel_coordinates(size: int) -> Float[Array, " {size}"]:
    """Centers of `size` pixels in Nibali's frame: (2j − (size + 1)) / size for j = 1 … size."""
    return (2 * jnp.arange(1, size + 1, dtype=jnp.float32) - (size + 1)) / size


def dsnt(heatmaps: Heatmaps) -> Points:
    """Each map's mean position (x, y) in Nibali's frame."""
    height, width = heatmaps.shape[-3:-1]
    x = jnp.einsum("...hwn,w->...n", heatmaps, pixel_coordinates(width))
    y = jnp.einsum("...hwn,h->...n", heatmaps, pixel_coordinates(height))
    return jnp.stack([x, y], -1)


# Between Nibali's frame and landmarks in [0, 1].
to_landmarks, from_landmarks = from_dsnt, to_dsnt


def euclidean_loss(coordinates: Points, target: Points) -> PerPoint:
    """Distance between two sets of points of the same frame; gradient 0 where they agree."""
    return safe_norm(coordinates - target)


def l1_loss(coordinates: Points, target: Points) -> PerPoint:
    """Absolute difference between two sets of points of the same frame, averaged over x and y."""
    return jnp.abs(coordinates - target).mean(-1)


def mse_loss(coordinates: Points, target: Points) -> PerPoint:
    """Squared difference between two sets of points of the same frame, averaged over x and y."""
    return ((coordinates - target) ** 2).mean(-1)


DISTANCES: dict[str, Callable[[Points, Points], PerPoint]] = {
    "euclidean": euclidean_loss,
    "l1": l1_loss,
    "mse": mse_loss,
}


def average(losses: PerPoint, mask: Bool[Array, "*batch n"] | None = None, axis: str | None = None) -> Float[Array, ""]:
    """The mean of losses, over the landmarks that `mask` counts; 0 where it counts none (dsntnn's `average_loss`).

    What the mask leaves out may be any number, NaN too. Under the mapped axis `axis` of devices, landmarks are counted
    on all of them: the mean over devices of what is returned is the mean over the landmarks of the whole batch.
    """
    if mask is None:
        return losses.mean()
    count = mask.sum().astype(jnp.float32)
    count = count if axis is None else jax.lax.pmean(count, axis)
    return jnp.sum(jnp.where(mask, losses, 0)) / jnp.where(count > 0, count, 1)


def js_regulariser(heatmaps: Heatmaps, target: Points, sigma: float) -> PerPoint:
    """Jensen–Shannon divergence between each map and the Gaussian of width σ at the target (Nibali's frame)."""
    gauss = _gauss(target, heatmaps, sigma)
    middle = (heatmaps + gauss) / 2
    return (_kl(heatmaps, middle) + _kl(gauss, middle)) / 2


def kl_regulariser(heatmaps: Heatmaps, target: Points, sigma: float) -> PerPoint:
    """Kullback–Leibler divergence of each map from the Gaussian of width σ at the target (Nibali's frame)."""
    return _kl(heatmaps, _gauss(target, heatmaps, sigma))


def variance_regulariser(heatmaps: Heatmaps, target: Points, sigma: float) -> PerPoint:
    """Squared difference between each map's variance and σ², both in pixels², of x plus of y; `target` plays no part.

    In pixels as dsntnn has it: in Nibali's frame, as in the paper's text, it is (size / 2)⁴ times smaller, a millionth
    at 64 pixels, and does nothing at λ = 1.
    """
    mean, total = dsnt(heatmaps), jnp.zeros(())
    for axis, pattern in ((0, "...hwn,...wn->...n"), (1, "...hwn,...hn->...n")):
        size = heatmaps.shape[-2 - axis]
        apart = _column(pixel_coordinates(size), heatmaps.ndim - 2) - mean[..., None, :, axis]
        variance = jnp.einsum(pattern, heatmaps, apart**2) * (size / 2) ** 2
        total = total + (variance - sigma**2) ** 2
    return total


REGULARISERS: dict[str, Callable[[Heatmaps, Points, float], PerPoint]] = {
    "js": js_regulariser,
    "kl": kl_regulariser,
    "variance": variance_regulariser,
}


def _column(values: Float[Array, " size"], rank: int) -> Float[Array, " ..."]:
    """Values along the last axis but one of an array of `rank` + 1 axes."""
    return values.reshape((1,) * (rank - 1) + (-1, 1))


def _gauss(target: Points, heatmaps: Heatmaps, sigma: float) -> Heatmaps:
    height, width = heatmaps.shape[-3:-1]
    maps = gaussians(to_landmarks(target), height, width, sigma)
    return maps / (maps.sum((-3, -2), keepdims=True) + _EPSILON)


def _kl(p: Heatmaps, q: Heatmaps) -> PerPoint:
    return jnp.sum(p * (jnp.log(p + _EPSILON) - jnp.log(q + _EPSILON)), axis=(-3, -2))
