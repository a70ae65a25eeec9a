"""Dense warp fields from two landmark sets: thin-plate splines (Bookstein, TPAMI 1989).

Positions (x, y) are in [0, 1] from edge to edge, pixel centers at (i + 0.5) / size.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lgan_jax.ops.warp import pixel_centers, sample, warp

SMOOTHING = 1e-2  # of the landmarks; where two almost coincide, a spline through both exactly would fold
_BORDER_SMOOTHING = 1.0
_STRIDE = 4  # pixels between two nodes of the grid that the spline is evaluated on
_EPSILON = 1e-9
# The corners and the middles of the image's sides, which stay where they are (loosely: see _BORDER_SMOOTHING).
_BORDER = np.array([(x, y) for x in (0, 0.5, 1) for y in (0, 0.5, 1) if (x, y) != (0.5, 0.5)], np.float32)


def thin_plate_flow(
    target: Float[Array, "batch n 2"],
    sources: Float[Array, "batch references n 2"],
    height: int,
    width: int,
    smoothing: float = SMOOTHING,
) -> Float[Array, "batch references {height} {width} 2"]:
    """Warp fields that move images with landmarks `sources` so that their landmarks lie at `target`.

    A flow is for `ops.warp.warp`: each pixel's offset to the place in the source image that it shows, in image widths
    and heights. It is the smoothing thin-plate spline through the offsets of the landmarks and of eight points on the
    image's border, which tend to stay. Differentiable in both landmark sets. The spline is evaluated on a grid of
    every fourth pixel and interpolated linearly between (0.0001 of SSIM on real frames).

    Args:
      target: landmarks of the warped images.
      sources: landmarks of the images to warp, several for each target: they share one factorization.
      height: of the images in pixels.
      width: likewise.
      smoothing: λ of the spline; 0 interpolates the landmarks exactly.
    """
    rows, columns = max(1, height // _STRIDE), max(1, width // _STRIDE)
    grid = pixel_centers(rows, columns).reshape(-1, 2)
    # One system after the other: a batched solver call inside a larger program can wait for ever on few cores.
    coarse = jax.lax.map(lambda pair: _spline(*pair, grid, smoothing), (target, sources))
    coarse = jnp.moveaxis(coarse.reshape(*sources.shape[:2], rows, columns, 2), -1, 2)
    return jnp.moveaxis(jax.image.resize(coarse, (*coarse.shape[:3], height, width), "linear"), 2, -1)


def warp_to_landmarks(
    images: Float[Array, "batch references height width channels"],
    flow: Float[Array, "batch references height width 2"],
) -> Float[Array, "batch references height width channels"]:
    """Images resampled along flows, bilinear; the border's color beyond the border."""
    height, width = images.shape[2:4]
    positions = pixel_centers(height, width)[None, None] + flow
    return jax.vmap(jax.vmap(sample))(images, positions)


def blended_warps(
    images: Float[Array, "batch references height width channels"],
    flow: Float[Array, "batch references height width 2"],
    weights: Float[Array, "batch references"],
    *others: Float[Array, "batch references"],
) -> tuple[Float[Array, "batch height width channels"], ...]:
    """Weighted sums over the references of what `warp_to_landmarks` gives, one for each set of weights.

    It computes in planes, one a channel: index arithmetic is shared by the channels, and a CPU takes half of the time.
    """
    planes = jnp.moveaxis(images, -1, 0)[..., None]
    warped = jax.vmap(jax.vmap(warp, 1, 1), (0, None))(planes, flow)[..., 0]
    sums = (jnp.einsum("bk,cbkhw->bchw", each, warped) for each in (weights, *others))
    return tuple(jnp.moveaxis(each, 1, -1) for each in sums)


def _spline(
    target: Float[Array, "n 2"],
    sources: Float[Array, "references n 2"],
    grid: Float[Array, "points 2"],
    smoothing: float,
) -> Float[Array, "references points 2"]:
    """The offsets sources − target, interpolated at `grid` by f(p) = Σ wᵢ U(‖p − cᵢ‖) + a + A·p, U(r) = r² log r."""
    count, border = len(target), jnp.asarray(_BORDER)
    centers = jnp.concatenate([target, border])
    offsets = jnp.concatenate([sources - target[None], jnp.zeros((len(sources), len(border), 2))], 1)
    weight = jnp.concatenate([jnp.full((count,), smoothing), jnp.full((len(border),), _BORDER_SMOOTHING)])
    affine = jnp.concatenate([jnp.ones((len(centers), 1)), centers], 1)
    system = jnp.block([[_bending(centers, centers) + jnp.diag(weight), affine], [affine.T, jnp.zeros((3, 3))]])
    right = jnp.moveaxis(offsets, 0, 1).reshape(len(centers), -1)
    solution = jnp.linalg.solve(system, jnp.concatenate([right, jnp.zeros((3, right.shape[1]))]))
    points = jnp.concatenate([_bending(grid, centers), jnp.ones((len(grid), 1)), grid], 1)
    return jnp.moveaxis((points @ solution).reshape(len(grid), len(sources), 2), 1, 0)


def _bending(points: Float[Array, "p 2"], centers: Float[Array, "c 2"]) -> Float[Array, "p c"]:
    """U(r) = r² log r of all distances."""
    squared = jnp.sum((points[:, None] - centers[None]) ** 2, -1)
    return 0.5 * squared * jnp.log(squared + _EPSILON)
