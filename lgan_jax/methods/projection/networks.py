"""StyleGAN2's generator (Karras et al., CVPR 2020): mapping network, and synthesis network with skip connections.

Images are square, of 4·2ⁿ pixels. Every position of the synthesis network that takes a style has its own: styles are
`(batch, places, features)`, two places a size, and none but the first two at 4 pixels. A block's last place, toRGB,
shares its style with the first convolution of the next.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict
from jaxtyping import Array, Float, Int

from lgan_jax.methods.projection.layers import EqualDense, activated, clamped, normalized
from lgan_jax.ops.modulated import modulated_convolve
from lgan_jax.ops.resample import doubled

SMALLEST = 4  # pixels on a side of the first block's maps
REDUCED = jnp.bfloat16  # what blocks of high resolution can compute in
_STRENGTH = "noise_strength"  # a convolution's parameter: what its noise map is multiplied by

Maps = Float[Array, "batch _ _ _"]
Styles = Float[Array, "batch places _"]
Style = Float[Array, "batch _"]
Noise = Sequence[Float[Array, "_ _ _"]]  # a map a convolution, `(batch, side, side)` or `(1, side, side)` for all
Image = Float[Array, "batch _ _ 3"]


def channels(size: int, base: int = 32768, most: int = 512) -> tuple[int, ...]:
    """Of the maps at 4, 8, … `size` pixels: `base` divided by the pixels, at most `most`.

    Raises `ValueError` where `size` is no power of two from 8 on.
    """
    if size < 2 * SMALLEST or size & (size - 1):
        raise ValueError(f"StyleGAN2 generates images of 8, 16, 32 … pixels, not of {size}")
    return tuple(min(base >> level, most) for level in range(2, size.bit_length()))


class Mapping(nn.Module):
    """Styles of latents and labels: dense layers with LeakyReLU.

    Variables: parameters `fc0` … and, with labels, `embed`; in `buffers`, `w_avg`, the mean style.

    Attributes:
      features: of a style.
      layers: number of dense layers.
      labels: number of classes; 0 for an unconditional network.
      multiplier: of the learning rate.
      averaged: whether the network has a mean style.
    """

    features: int = 512
    layers: int = 8
    labels: int = 0
    multiplier: float = 0.01
    averaged: bool = True

    @nn.compact
    def __call__(
        self,
        z: Float[Array, "batch latent"] | None,
        labels: Float[Array, "batch classes"] | None = None,
        truncation: float | Float[Array, ""] | Float[Array, " places"] = 1.0,
    ) -> Style | Styles:
        """`labels` are one-hot. `truncation` ψ is the share of the way from the mean style to the latent's own.

        With one ψ for each place there is a style for each place.
        Raises `ValueError` for labels that the network has no use for, or lacks.
        """
        if (labels is not None) != bool(self.labels):
            need = f"needs labels of {self.labels} classes" if self.labels else "has no classes"
            raise ValueError(f"this network {need}")
        parts = [] if z is None else [normalized(z.astype(jnp.float32))]
        if labels is not None:
            parts.append(normalized(EqualDense(self.features, name="embed")(labels.astype(jnp.float32))))
        x = jnp.concatenate(parts, -1)
        for i in range(self.layers):
            x = activated(EqualDense(self.features, self.multiplier, name=f"fc{i}")(x))
        if not self.averaged:
            return x
        mean = self.variable("buffers", "w_avg", jnp.zeros, (self.features,)).value[None]
        if jnp.ndim(truncation) == 0:
            return mean + truncation * (x - mean)
        return mean[None] + truncation[None, :, None] * (x - mean)[:, None]


class StyledConv(nn.Module):
    """A modulated 3×3 convolution, noise, bias, activation; with `up`, 2x upsampling.

    Its own noise map `noise_const` is in `buffers`; it is used where none is given.
    """

    features: int
    up: bool = False
    clamp: float | None = None

    @nn.compact
    def __call__(self, x: Maps, style: Style, noise: Float[Array, "_ _ _"] | None) -> Maps:
        side, inputs = x.shape[1] * (2 if self.up else 1), x.shape[-1]
        kernel = self.param("kernel", nn.initializers.normal(1.0), (3, 3, inputs, self.features))
        constant = self.variable("buffers", "noise_const", self._drawn, side)
        strength = self.param(_STRENGTH, nn.initializers.zeros, ())
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        scales = EqualDense(inputs, bias=1.0, name="affine")(style)
        outputs = modulated_convolve(x, kernel, scales, self.up)
        maps = (constant.value[None] if noise is None else noise)[..., None]
        outputs = outputs + (strength * maps).astype(x.dtype) + bias.reshape(1, 1, 1, -1).astype(x.dtype)
        return activated(outputs, clamp=self.clamp)

    def _drawn(self, side: int) -> Array:
        return jax.random.normal(self.make_rng("params"), (side, side))


class ToRGB(nn.Module):
    """A modulated 1×1 convolution to colors, not demodulated; float32."""

    clamp: float | None = None

    @nn.compact
    def __call__(self, x: Maps, style: Style) -> Image:
        inputs = x.shape[-1]
        kernel = self.param("kernel", nn.initializers.normal(1.0), (1, 1, inputs, 3))
        bias = self.param("bias", nn.initializers.zeros, (3,))
        scales = EqualDense(inputs, bias=1.0, name="affine")(style) / math.sqrt(inputs)
        outputs = modulated_convolve(x, kernel, scales, demodulate=False) + bias.reshape(1, 1, 1, 3).astype(x.dtype)
        return clamped(outputs, self.clamp).astype(jnp.float32)


class Block(nn.Module):
    """One resolution: two convolutions, the first with 2x upsampling, and colors added to the upsampled image.

    The first block has a learned map `const` `(features, 4, 4)` in place of the first convolution's output.
    """

    features: int
    dtype: Any = None
    clamp: float | None = None

    @nn.compact
    def __call__(
        self, x: Maps | None, image: Image | None, styles: Styles, noise: Sequence[Array | None]
    ) -> tuple[Maps, Image]:
        """`styles` and `noise` begin at the block's own."""
        *first, last = range(1 if x is None else 2)
        if x is None:
            shape = (self.features, SMALLEST, SMALLEST)
            const = self.param("const", nn.initializers.normal(1.0), shape).transpose(1, 2, 0)
            x = jnp.broadcast_to(const, (len(styles), *const.shape))
        x = x.astype(self.dtype or jnp.float32)
        for i in first:
            x = StyledConv(self.features, True, self.clamp, name="conv0")(x, styles[:, i], noise[i])
        x = StyledConv(self.features, False, self.clamp, name="conv1")(x, styles[:, last], noise[last])
        colors = ToRGB(self.clamp, name="torgb")(x, styles[:, last + 1])
        return x, colors if image is None else doubled(image) + colors


class Synthesis(nn.Module):
    """Synthesis network: generates images from styles, float32, roughly in [-1, 1]: blocks `b4`, `b8` …

    Attributes:
      channels: of the maps at 4, 8, … pixels.
      reduced: number of blocks of the highest resolutions that compute in bfloat16.
      clamp: limit of the layers' outputs, if the network was trained with one.
    """

    channels: tuple[int, ...]
    reduced: int = 0
    clamp: float | None = None

    @nn.compact
    def __call__(self, styles: Styles, noise: Noise | None = None) -> Image:
        """`noise`: a map for each convolution, see `noise_sides`; by default the network's own.

        Raises `ValueError` where there are not as many styles or maps as places.
        """
        sides = noise_sides(self.channels)
        if styles.shape[1] != len(sides) + 1:
            raise ValueError(f"{styles.shape[1]} styles are given, but there are {len(sides) + 1} places for them")
        if noise is not None and [x.shape[-1] for x in noise] != list(sides):
            raise ValueError(f"noise maps must have sides of {', '.join(map(str, sides))} pixels, one a convolution")
        maps = list(noise) if noise is not None else [None] * len(sides)
        x = image = None
        for level, features in enumerate(self.channels):
            dtype = REDUCED if level >= len(self.channels) - self.reduced else None
            start = max(0, 2 * level - 1)
            block = Block(features, dtype, self.clamp, name=f"b{SMALLEST << level}")
            x, image = block(x, image, styles[:, start:], maps[start:])
        return image


class Generator(nn.Module):
    """StyleGAN2's generator: `Mapping`, the same style at every place, `Synthesis`.

    Attributes:
      channels: of the maps at 4, 8, … pixels; see `channels`.
      latent: length of z.
      style: features of a style.
      labels: number of classes; 0 for an unconditional network.
      layers: of the mapping network.
      reduced: number of blocks of the highest resolutions that compute in bfloat16.
      clamp: limit of the layers' outputs, if the network was trained with one.
    """

    channels: tuple[int, ...]
    latent: int = 512
    style: int = 512
    labels: int = 0
    layers: int = 8
    reduced: int = 0
    clamp: float | None = None

    def setup(self) -> None:
        """Its two networks."""
        self.mapping = Mapping(self.style, self.layers, self.labels)
        self.synthesis = Synthesis(self.channels, self.reduced, self.clamp)

    def __call__(
        self,
        z: Float[Array, "batch latent"],
        labels: Float[Array, "batch classes"] | None = None,
        truncation: float | Float[Array, ""] = 1.0,
        noise: Noise | None = None,
        truncation_cutoff: int | Int[Array, ""] | None = None,
    ) -> Image:
        """See `map` and `Synthesis`."""
        return self.draw(self.map(z, labels, truncation, truncation_cutoff), noise)

    def map(
        self,
        z: Float[Array, "batch latent"],
        labels: Float[Array, "batch classes"] | None = None,
        truncation: float | Float[Array, ""] = 1.0,
        truncation_cutoff: int | Int[Array, ""] | None = None,
    ) -> Style | Styles:
        """One style for each latent; with `truncation_cutoff` one for each place, of which so many are truncated.

        Those are the first, of the lowest resolutions: a small number changes pose and shape and leaves the colors.
        """
        if truncation_cutoff is None:
            return self.mapping(z, labels, truncation)
        return self.mapping(z, labels, jnp.where(jnp.arange(self.places) < truncation_cutoff, truncation, 1.0))

    def draw(self, styles: Style | Styles, noise: Noise | None = None) -> Image:
        """Generates the images of styles, one for all places or one for each."""
        if styles.ndim == 2:
            styles = jnp.repeat(styles[:, None], self.places, 1)
        return self.synthesis(styles, noise)

    @property
    def size(self) -> int:
        """The images' side in pixels."""
        return SMALLEST << (len(self.channels) - 1)

    @property
    def places(self) -> int:
        """Number of places that take a style."""
        return len(noise_sides(self.channels)) + 1


def noise_sides(channels: Sequence[int]) -> tuple[int, ...]:
    """The sides of a synthesis network's noise maps, in its order: 4, 8, 8, 16, 16 …"""
    return tuple(SMALLEST << (i + 1) // 2 for i in range(2 * len(channels) - 1))


def noisy(variables: Any) -> bool:
    """Whether the noise maps have an effect in a generator with these variables."""
    return any(np.any(x) for name, x in flatten_dict(variables["params"]).items() if name[-1] == _STRENGTH)
