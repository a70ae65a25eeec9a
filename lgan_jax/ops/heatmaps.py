"""Heatmaps of landmarks.

Positions (x, y) are in [0, 1] from edge to edge, pixel centers at (i + 0.5) / size; σ is in pixels.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lgan_jax.landmarks import Scheme


def gaussian_curves(positions: Float[Array, "*batch n"], size: int, sigma: float) -> Float[Array, "*batch {size} n"]:
    """Gaussians exp(−d² / 2σ²) at distance d pixels along one axis of `size` pixels, one for each position."""
    centers = jnp.arange(size, dtype=jnp.float32) + 0.5
    centers = centers.reshape((1,) * (positions.ndim - 1) + (size, 1))
    return jnp.exp(-0.5 * ((centers - size * positions[..., None, :]) / sigma) ** 2)


def gaussians(
    landmarks: Float[Array, "*batch n 2"], height: int, width: int, sigma: float
) -> Float[Array, "*batch {height} {width} n"]:
    """One map a landmark: exp(−d² / 2σ²) at distance d pixels, so 1 on the landmark itself."""
    rows, columns = gaussian_curves(landmarks[..., 1], height, sigma), gaussian_curves(landmarks[..., 0], width, sigma)
    return rows[..., :, None, :] * columns[..., None, :, :]


def group_heatmaps(
    landmarks: Float[Array, "batch n 2"], scheme: Scheme, size: int
) -> Float[Array, "batch {size} {size} groups"]:
    """One map for each of the scheme's groups of landmarks: the sum of their Gaussians of 1 pixel (see `gaussians`)."""
    rows, columns = gaussian_curves(landmarks[..., 1], size, 1.0), gaussian_curves(landmarks[..., 0], size, 1.0)
    groups = [np.array(group) for group in scheme.groups.values()]
    return jnp.stack([jnp.einsum("bhn,bwn->bhw", rows[..., g], columns[..., g]) for g in groups], -1)


def convolved_gaussians(
    landmarks: Float[Array, "batch n 2"],
    kernel: Float[Array, "size size n features"],
    sides: tuple[int, int],
    sigma: float,
    stride: int = 1,
    padding: int = 0,
    mirrored: bool = False,
) -> Float[Array, "batch rows columns features"]:
    """The convolution of `gaussians(landmarks, *sides, sigma)`, without building the maps.

    A map is a column times a row, so a convolution over both directions is two over one: with a 7×7 kernel a seventh of
    the work (8 times 68 landmarks at 64×64 pixels to 12 features, with the kernel's gradient: 200 ms of two cores
    directly). `padding` is on every side, with zeros or `mirrored`.
    """
    size, dtype = kernel.shape[0], kernel.dtype

    def windows(axis: int) -> Float[Array, "batch places size n"]:
        side = sides[1 - axis]
        curve = gaussian_curves(landmarks[..., axis], side, sigma).astype(dtype)
        curve = jnp.pad(curve, ((0, 0), (padding, padding), (0, 0)), mode="reflect" if mirrored else "constant")
        places = np.arange(0, side + 2 * padding - size + 1, stride)[:, None] + np.arange(size)
        return curve[:, places]

    columns = jnp.einsum("byrn,rcnf->bcnyf", windows(1), kernel)
    return jnp.einsum("bcnyf,bxcn->byxf", columns, windows(0))


def with_dots(
    image: Float[Array, "*batch height width 3"],
    landmarks: Float[Array, "*batch n 2"],
    color: tuple[float, float, float] = (-1.0, 1.0, -1.0),
) -> Float[Array, "*batch height width 3"]:
    """Images in [-1, 1] with a soft dot of `color` on every landmark, a 150th of the image's width in σ."""
    height, width = image.shape[-3:-1]
    cover = gaussians(landmarks, height, width, max(0.5, width / 150)).max(-1)[..., None]
    paint = jnp.asarray(color, image.dtype).reshape((1,) * (image.ndim - 1) + (3,))
    return image * (1 - cover) + paint * cover


def peaks(
    heatmaps: Float[Array, "*batch height width n"],
) -> tuple[Float[Array, "*batch n 2"], Float[Array, "*batch n"]]:
    """Where each map is highest, and how high.

    A quarter of a pixel towards the higher neighbor on each axis, where neither coordinate of the highest pixel is on
    the border of the map; else its center. So face-alignment reads its maps; not rounded, as it does in the end.
    """
    height, width, n = heatmaps.shape[-3:]
    maps = jnp.moveaxis(heatmaps, -1, -3).reshape(-1, height, width)
    index = maps.reshape(len(maps), -1).argmax(1)
    every, row, column = jnp.arange(len(maps)), index // width, index % width
    inside = (row > 0) & (row < height - 1) & (column > 0) & (column < width - 1)
    places = []
    for line, at in ((maps[every, row], column), (maps[every, :, column], row)):
        size = line.shape[1]
        before, after = (line[every, (at + i).clip(0, size - 1)] for i in (-1, 1))
        places.append((at + 0.5 + 0.25 * inside * jnp.sign(after - before)) / size)
    lead = heatmaps.shape[:-3]
    return jnp.stack(places, -1).reshape(*lead, n, 2), maps.max((1, 2)).reshape(*lead, n)
