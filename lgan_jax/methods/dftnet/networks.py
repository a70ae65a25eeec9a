"""The networks of DFT-Net and of its baseline: two generators, which edit a face, and one discriminator for both.

Sizes that the paper leaves open follow GANimation (Pumarola et al., ECCV 2018), on which it builds. One thing differs
from both: y_t is not given as constant planes beside the picture, because the instance norm that follows subtracts the
mean of each channel, and with it all that a constant plane adds. What the units say scales and shifts channels after
the norms instead, in the decoders too.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.nn.convolution import Conv, Doubling
from lgan_jax.ops.warp import warp

_SLOPE = 0.01  # of the discriminator's LeakyReLU
_HALVINGS = 6
SMALLEST = 2**_HALVINGS  # pixels: the side of a picture must be a multiple of it
_GAIN = 0.1  # of the heads: a step of their 7×7 kernels, of hundreds of weights a pixel, must not throw pixels about
_REACH = 0.5  # picture widths of flow that 1 stands for
_MOSTLY = 4.0  # added before the attention's sigmoid: at first nearly all weight is on the warped source

Image = Float[Array, "batch height width 3"]
Units = Float[Array, "batch units"]


class Edited(NamedTuple):
    """A made face and what it is made of; pictures are float32 in [-1, 1].

    Attributes:
      image: X̂_t `(batch, H, W, 3)` of Eq. 5.
      flow: Φ `(batch, H, W, 2)`, offsets (x, y) from the identity grid in picture widths and heights.
      attention: A `(batch, H, W, 1)` in [0, 1], the weight of `aligned` against that of `texture`.
      aligned: X_a `(batch, H, W, 3)` of Eq. 3, the source warped by the flow.
      texture: B `(batch, H, W, 3)` of Eq. 4.
    """

    image: Any
    flow: Any
    attention: Any
    aligned: Any
    texture: Any


class Encoder(nn.Module):
    """E of Eq. 1: the code at a quarter of the picture's size, and the features at the full and at half the size."""

    width: int
    blocks: int
    dtype: Any = None

    @nn.compact
    def __call__(self, image: Image, units: Units) -> tuple[Array, tuple[Array, Array]]:
        def layer(x: Array, features: int, kernel_size: int, strides: int, name: str) -> Array:
            padding = "same" if strides == 1 else 1
            x = _conv(features, kernel_size, name, self.dtype, strides=strides, padding=padding)(x)
            return nn.relu(_told(x, units, name, self.dtype))

        full = layer(image, self.width, 7, 1, "stem")
        half = layer(full, 2 * self.width, 4, 2, "down_0")
        x = layer(half, 4 * self.width, 4, 2, "down_1")
        for i in range(self.blocks):
            y = layer(x, 4 * self.width, 3, 1, f"residual_{i}_0")
            y = _conv(4 * self.width, 3, f"residual_{i}_1", self.dtype)(y)
            x = x + _norm(f"residual_{i}_1_norm", self.dtype)(y)
        return x, (full, half)


class Decoder(nn.Module):
    """From the code back to the picture's size; `skips` are the encoder's features at those sizes, concatenated."""

    width: int
    dtype: Any = None

    @nn.compact
    def __call__(self, code: Array, units: Units, skips: tuple[Array, ...] = ()) -> Array:
        x = code
        for i in (1, 0):
            x = Doubling(2**i * self.width, dtype=self.dtype, name=f"up_{i}")(x)
            x = nn.relu(_told(x, units, f"up_{i}", self.dtype))
            x = jnp.concatenate([x, skips[i]], -1) if skips else x
        return x


class DFTNetGenerator(nn.Module):
    """G of DFT-Net: one encoder, a flow decoder, and a texture decoder with skip connections; Eq. 1 to 5.

    Attributes:
      width: channels at the picture's size; twice and four times as many at half and a quarter of it.
      blocks: residual blocks of the encoder.
      dtype: what to compute in; the heads, the warp and what comes out are float32.
    """

    width: int = 64
    blocks: int = 6
    dtype: Any = None

    @nn.compact
    def __call__(self, image: Image, units: Units) -> Edited:
        image = image.astype(jnp.float32)
        code, skips = Encoder(self.width, self.blocks, self.dtype, name="encoder")(image, units)
        shape = Decoder(self.width, self.dtype, name="flow_decoder")(code, units)
        look = Decoder(self.width, self.dtype, name="texture_decoder")(code, units, skips)
        flow, attention = jnp.split(_head(shape, 3, "flow_attention"), [2], -1)  # one convolution is faster than two
        flow, attention = _REACH * flow, nn.sigmoid(attention + _MOSTLY)
        aligned, texture = warp(image, flow), _coloured(image, _head(look, 3, "texture"))
        return Edited((1 - attention) * texture + attention * aligned, flow, attention, aligned, texture)


class GANimation(nn.Module):
    """G of GANimation: one decoder for colour and attention. Its flow is zero, and what it aligns is the source.

    Attributes: see `DFTNetGenerator`.
    """

    width: int = 64
    blocks: int = 6
    dtype: Any = None

    @nn.compact
    def __call__(self, image: Image, units: Units) -> Edited:
        image = image.astype(jnp.float32)
        code, _ = Encoder(self.width, self.blocks, self.dtype, name="encoder")(image, units)
        x = Decoder(self.width, self.dtype, name="decoder")(code, units)
        attention = nn.sigmoid(_head(x, 1, "attention") + _MOSTLY)
        texture = _coloured(image, _head(x, 3, "texture"))
        flow = jnp.zeros((*image.shape[:3], 2))
        return Edited((1 - attention) * texture + attention * image, flow, attention, image, texture)


class Discriminator(nn.Module):
    """D: six 4×4 convolutions of stride 2 with LeakyReLU(0.01), then D_A and D_C.

    Returns D_A's map `(batch, H/64, W/64)`, higher for real, and the action units that D_C sees `(batch, units)`.

    Attributes:
      width: channels of the first convolution, doubled by each that follows.
      units: how many action units.
      dtype: what to compute in; both answers are float32.
    """

    width: int = 64
    units: int = 17
    dtype: Any = None

    @nn.compact
    def __call__(self, image: Image) -> tuple[Float[Array, "batch rows columns"], Units]:
        x = image
        for i in range(_HALVINGS):
            conv = _conv(2**i * self.width, 4, f"conv_{i}", self.dtype, strides=2, padding=1, use_bias=True)
            x = nn.leaky_relu(conv(x), _SLOPE)
        critic = _conv(1, 3, "critic", jnp.float32)(x)[..., 0]
        units = _conv(self.units, x.shape[1:3], "action_units", jnp.float32, padding="valid")(x)
        return critic, units[:, 0, 0]


def _coloured(image: Image, change: Image) -> Image:
    """A texture in [-1, 1] from what its head says: at 0 the picture, but for what tanh cannot reach.

    What is outside [-1, 1] counts as on its border: from 1.02 on arctanh is NaN.
    """
    return nn.tanh(change + jnp.arctanh(0.98 * jnp.clip(image, -1, 1)))


def _conv(features: int, kernel_size: Any, name: str, dtype: Any, **options: Any) -> Conv:
    options = {"use_bias": False, **options}
    return Conv(features, kernel_size, dtype=dtype, name=name, **options)


def _told(x: Array, units: Units, name: str, dtype: Any) -> Array:
    """Channels normalised, then scaled and shifted by what the action units say."""
    dense = nn.Dense(2 * x.shape[-1], use_bias=False, dtype=dtype, name=f"{name}_units")
    scale, shift = jnp.split(dense(units)[:, None, None], 2, -1)
    return _norm(f"{name}_norm", dtype)(x) * (1 + scale) + shift


def _norm(name: str, dtype: Any) -> nn.InstanceNorm:
    return nn.InstanceNorm(epsilon=1e-5, dtype=dtype, name=name)


def _head(x: Array, features: int, name: str) -> Array:
    return _GAIN * _conv(features, 7, name, jnp.float32)(x)
