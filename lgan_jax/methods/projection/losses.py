"""Losses of landmark-guided projection: appearance, landmark heatmaps, and noise regularisation.

Every term has a value for each example of a batch. Source: the published tool, after Karras et al. (CVPR 2020, appendix
D) and Bulat & Tzimiropoulos (ICCV 2017). Images are in [-1, 1]. And the path lengths of the generator's training.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int

from lgan_jax.landmarks import Scheme
from lgan_jax.ops.norms import safe_norm

SIDE = 256  # pixels that VGG16 sees at most, and the landmark network always
_COARSEST = 8  # pixels on a side at which the pyramid of a noise map ends
_LIPS, _NOSE, _BRIDGE = 5.0, 1.0, 0.1
_WEIGHTS = {"outline": 0.05, "nose_bridge": _BRIDGE, "outer_lip": _LIPS, "inner_lip": _LIPS}  # of groups; others 1
_NAMES = {"jaw": ("outline",), "brows": ("right_brow", "left_brow"), "eyes": ("right_eye", "left_eye")}

Image = Float[Array, "batch _ _ 3"]
Maps = Float[Array, "batch height width points"]
Scalar = Float[Array, " batch"]


def landmark_weights(scheme: Scheme, changes: Mapping[str, float] | None = None) -> Float32[np.ndarray, " N"]:
    """One weight for each landmark: those of the published tool, but for the groups in `changes`.

    Groups have the scheme's names; "jaw", "brows" and "eyes" are known too. The tip of the nose, the last point of the
    bridge, counts to the lower nose. Raises `ValueError` for another group, and for a weight that is negative.
    """
    wanted = {name: _WEIGHTS.get(name, 1.0) for name in scheme.groups}
    for name, weight in (changes or {}).items():
        for group in _NAMES.get(name, (name,)):
            if group not in wanted:
                names = ", ".join((*_NAMES, *scheme.groups))
                raise ValueError(f"{scheme.name} has no group of landmarks {name!r}; the groups are {names}")
            if not (math.isfinite(weight) and weight >= 0):
                raise ValueError(f"the weight of {name} is {weight}; it must be a number from 0 on")
            wanted[group] = weight
    weights = np.ones(scheme.count, np.float32)
    for name, points in scheme.groups.items():
        weights[list(points)] = wanted[name]
    if "nose_bridge" in scheme.groups and "lower_nose" in scheme.groups:
        weights[scheme.groups["nose_bridge"][-1]] = wanted["lower_nose"]
    return weights


def reduced(image: Image) -> Image:
    """Downsamples images of more than 256 pixels a side (a power of two) to that by averaging areas."""
    side = image.shape[1]
    if side <= SIDE:
        return image
    times = side // SIDE
    return image.reshape(len(image), SIDE, times, SIDE, times, 3).mean((2, 4))


def for_landmarks(image: Image) -> Float[Array, "batch 256 256 3"]:
    """Preprocesses images for the landmark network.

    256 pixels a side, by repeating pixels, and scaled to [0, 1] by each image's own least and greatest value.
    """
    image = reduced(image)
    lowest, highest = (_at(image, f(image.reshape(len(image), -1), 1)) for f in (jnp.argmin, jnp.argmax))
    image = (image - lowest) / jnp.maximum(highest - lowest, 1e-12)
    times = SIDE // image.shape[1]
    return jnp.repeat(jnp.repeat(image, times, 1), times, 2)


def _at(image: Image, index: Int[Array, " batch"]) -> Float[Array, "batch 1 1 1"]:
    """Each image's value at an index.

    The gradient of `jnp.max` divides by how many values equal the maximum, which are none where XLA rounds the image
    another way when it computes it anew: NaN.
    """
    return jnp.take_along_axis(image.reshape(len(image), -1), index[:, None], 1).reshape(-1, 1, 1, 1)


def heatmap_distance(generated: Maps, target: Maps, weights: Float[Array, " points"]) -> Scalar:
    """‖w·(FAN(x) − FAN(x_landmarks))‖₂: one root over all maps and places; weights are squared with the difference.

    The published text writes Σ w·√(Δ²), each place's own root, which is a sum of absolute values; its code takes one
    root over the sum of all squares, and its weights in the loss, 0.05 to 0.1, are meant for that. So the gradient has
    the same length however near the maps are, where that of squares without a root would fade; at 0 it is 0.
    """
    return safe_norm((generated - target) * weights.reshape(1, 1, 1, -1), (1, 2, 3))


def noise_regularity(noise: Sequence[Float[Array, "batch _ _"]]) -> Scalar:
    """Noise regularisation: autocorrelation of noise maps at one pixel, over a pyramid down to 8 pixels; summed.

    Squares of the mean of the map times itself rolled by one, in both directions (Eq. 9 of Karras et al.). A map of 4
    pixels counts once.
    """
    total = jnp.zeros(len(noise[0]))
    for level in noise:
        while True:
            for axis in (1, 2):
                total += jnp.mean(level * jnp.roll(level, 1, axis), (1, 2)) ** 2
            if level.shape[1] <= _COARSEST:
                break
            half = level.shape[1] // 2
            level = level.reshape(len(level), half, 2, half, 2).mean((2, 4))
    return total


def normalized_noise(noise: Float[Array, "batch side side"]) -> Float[Array, "batch side side"]:
    """Maps with mean 0 and mean square 1."""
    noise = noise - noise.mean((1, 2), keepdims=True)
    return noise * jax.lax.rsqrt(jnp.mean(noise**2, (1, 2), keepdims=True))


def path_lengths(
    draw: Callable[[Float[Array, "batch places features"]], Image],
    styles: Float[Array, "batch places features"],
    direction: Image,
) -> Scalar:
    """‖Jᵀy‖₂ of each example, J the derivative of `draw`'s images by their styles (Karras et al. 2020, Eq. 4).

    y is `direction`, of normally distributed numbers, divided by the root of the number of pixels. The mean of the
    squares over places replaces one style's.
    """
    pixels = direction.shape[1] * direction.shape[2]
    (gradients,) = jax.vjp(draw, styles)[1](direction / math.sqrt(pixels))
    return safe_norm(gradients, (1, 2)) / math.sqrt(styles.shape[1])
