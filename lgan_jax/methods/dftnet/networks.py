"""The networks of DFT-Net and its baseline GANimation: two generators that edit a face, and a discriminator for both.

Sizes that the paper does not specify follow GANimation's published code (Pumarola et al., ECCV 2018), on which it
builds. Where this library found other than the papers' form to train better, `Form` has both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.nn.layers import Conv, TransposedConv
from lgan_jax.ops.warp import warp

_SLOPE = 0.01  # negative slope of the discriminator's LeakyReLU
_HALVINGS = 6
SMALLEST = 2**_HALVINGS  # pixels; the image size must be a multiple of it
_REACH = 0.5  # flow in image widths for a head output of 1: the sampling grid of Eq. 3's reference is 2 wide

Image = Float[Array, "batch height width 3"]
Units = Float[Array, "batch units"]


@dataclasses.dataclass(frozen=True)
class Form:
    """How the generators are built: the defaults are this library's form, `PAPER` is the papers'.

    Attributes:
      conditioning: "planes": y_t is an input of constant planes (Eq. 1). The instance normalisation that follows
        subtracts each channel's mean, so that planes act through the image's border alone. "modulation": the action
        units scale and shift the channels after the normalisations, also in the decoders.
      texture: "plain": B of Eq. 4 is the head's tanh. "residual": the head changes the source's colors, before the
        tanh; "aligned": those of the warped source. All heads of these two are initialised with zeros, so that the
        source is unchanged at first.
      attention_bias: added before the attention's sigmoid; 4 puts nearly all weight on the warped source at first.
      head_scale: factor of the heads' outputs; 0.1 limits the effect of an update of their 7×7 kernels on the flow.
      upsampling: "transposed": 4×4 transposed convolutions; "even": the same without checkerboard artifacts.
      initial_std: standard deviation of the initial weights, also of the discriminator's; 0 for Kaiming's.
    """

    conditioning: Literal["planes", "modulation"] = "modulation"
    texture: Literal["plain", "residual", "aligned"] = "residual"
    attention_bias: float = 4.0
    head_scale: float = 0.1
    upsampling: Literal["transposed", "even"] = "even"
    initial_std: float = 0.0

    def __post_init__(self) -> None:
        if not self.head_scale > 0:
            raise ValueError(f"head_scale is {self.head_scale:g}; it must be above 0")
        if not self.initial_std >= 0:
            raise ValueError(f"initial_std is {self.initial_std:g}; it must be at least 0")


PAPER = Form("planes", "plain", 0.0, 1.0, "transposed", 0.02)  # of DFT-Net, and of GANimation's published code


class Edited(NamedTuple):
    """A generated face and its components; images are float32 in [-1, 1].

    Attributes:
      image: X̂_t `(batch, H, W, 3)` of Eq. 5.
      flow: Φ `(batch, H, W, 2)`, offsets (x, y) from the identity grid in image widths and heights.
      attention: A `(batch, H, W, 1)` in [0, 1], the weight of `aligned`; `texture` has the weight 1 − A.
      aligned: X_a `(batch, H, W, 3)` of Eq. 3, the source warped by the flow.
      texture: B `(batch, H, W, 3)` of Eq. 4.
    """

    image: Any
    flow: Any
    attention: Any
    aligned: Any
    texture: Any


class Encoder(nn.Module):
    """Encoder E of Eq. 1: the code at quarter resolution, and the features at full and half resolution."""

    width: int
    blocks: int
    form: Form
    dtype: Any = None

    @nn.compact
    def __call__(self, image: Image, units: Units) -> tuple[Array, tuple[Array, Array]]:
        def layer(x: Array, features: int, kernel_size: int, strides: int, name: str) -> Array:
            padding = "same" if strides == 1 else 1
            x = _conv(features, kernel_size, name, self.dtype, strides=strides, padding=padding)(x)
            return nn.relu(_normalised(x, units, name, self.form, self.dtype))

        if self.form.conditioning == "planes":
            planes = jnp.broadcast_to(units[:, None, None], (*image.shape[:3], units.shape[-1]))
            image = jnp.concatenate([image, planes], -1)
        full = layer(image, self.width, 7, 1, "stem")
        half = layer(full, 2 * self.width, 4, 2, "down_0")
        x = layer(half, 4 * self.width, 4, 2, "down_1")
        for i in range(self.blocks):
            y = layer(x, 4 * self.width, 3, 1, f"residual_{i}_0")
            y = _conv(4 * self.width, 3, f"residual_{i}_1", self.dtype)(y)
            x = x + _norm(f"residual_{i}_1_norm", self.dtype)(y)
        return x, (full, half)


class Decoder(nn.Module):
    """Decoder from the code to full resolution; `skips` are the encoder's features, concatenated at each resolution."""

    width: int
    form: Form
    dtype: Any = None

    @nn.compact
    def __call__(self, code: Array, units: Units, skips: tuple[Array, ...] = ()) -> Array:
        x, even = code, self.form.upsampling == "even"
        for i in (1, 0):
            x = TransposedConv(2**i * self.width, even, self.dtype, name=f"up_{i}")(x)
            x = nn.relu(_normalised(x, units, f"up_{i}", self.form, self.dtype))
            x = jnp.concatenate([x, skips[i]], -1) if skips else x
        return x


class EditingGenerator(nn.Module):
    """A network that edits faces to action units.

    Attributes:
      width: channels at the image's resolution; 2 and 4 times as many at half and a quarter of the resolution.
      blocks: residual blocks of the encoder.
      form: see `Form`.
      dtype: dtype of computations; the heads, the warp and the outputs are float32.
    """

    width: int = 64
    blocks: int = 6
    form: Form = Form()
    dtype: Any = None


class DFTNetGenerator(EditingGenerator):
    """G of DFT-Net: one encoder, a flow decoder, and a texture decoder with skip connections; Eq. 1 to 5."""

    @nn.compact
    def __call__(self, image: Image, units: Units) -> Edited:
        image = image.astype(jnp.float32)
        code, skips = Encoder(self.width, self.blocks, self.form, self.dtype, name="encoder")(image, units)
        flow_features = Decoder(self.width, self.form, self.dtype, name="flow_decoder")(code, units)
        texture_features = Decoder(self.width, self.form, self.dtype, name="texture_decoder")(code, units, skips)
        # one convolution is faster than two
        flow, attention = jnp.split(_head(flow_features, 3, "flow_attention", self.form), [2], -1)
        flow, attention = _REACH * flow, nn.sigmoid(attention + self.form.attention_bias)
        aligned = warp(image, flow)
        texture = _texture(image, aligned, texture_features, self.form)
        return Edited((1 - attention) * texture + attention * aligned, flow, attention, aligned, texture)


class GANimation(EditingGenerator):
    """G of GANimation: one decoder for color and attention. Its flow is zero, so `aligned` is the source."""

    @nn.compact
    def __call__(self, image: Image, units: Units) -> Edited:
        image = image.astype(jnp.float32)
        code, _ = Encoder(self.width, self.blocks, self.form, self.dtype, name="encoder")(image, units)
        x = Decoder(self.width, self.form, self.dtype, name="decoder")(code, units)
        attention = nn.sigmoid(_head(x, 1, "attention", self.form) + self.form.attention_bias)
        texture = _texture(image, image, x, self.form)
        flow = jnp.zeros((*image.shape[:3], 2))
        return Edited((1 - attention) * texture + attention * image, flow, attention, image, texture)


class Discriminator(nn.Module):
    """D: six 4×4 convolutions of stride 2 with LeakyReLU(0.01), then D_A and D_C.

    Returns D_A's map `(batch, H/64, W/64)`, higher for real faces, and D_C's estimated action units `(batch, units)`.

    Attributes:
      width: channels of the first convolution; each further convolution doubles them.
      units: number of action units.
      dtype: dtype of computations; both outputs are float32.
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


def with_initial_heads(params: Mapping[str, Any], form: Form) -> dict[str, Any]:
    """A generator's initial parameters, with zeros for the flow's head, and for all heads where `Form` says so."""
    zeros = {"flow_attention": 2} if form.texture == "plain" else {"flow_attention": 3, "attention": 1, "texture": 3}
    heads = {
        name: {"kernel": params[name]["kernel"].at[..., :count].set(0)}
        for name, count in zeros.items()
        if name in params
    }
    return {**params, **heads}


def _texture(image: Image, aligned: Image, features: Array, form: Form) -> Image:
    change = _head(features, 3, "texture", form)
    if form.texture == "plain":
        return nn.tanh(change)
    return recolored(image if form.texture == "residual" else aligned, change)


def recolored(image: Image, change: Image) -> Image:
    """A texture in [-1, 1] from its head's output: 0 gives the image, up to tanh's range.

    Values outside [-1, 1] are clipped, as arctanh is NaN from 1.02 on.
    """
    return nn.tanh(change + jnp.arctanh(0.98 * jnp.clip(image, -1, 1)))


def _conv(features: int, kernel_size: Any, name: str, dtype: Any, **options: Any) -> Conv:
    options = {"use_bias": False, **options}
    return Conv(features, kernel_size, dtype=dtype, name=name, **options)


def _normalised(x: Array, units: Units, name: str, form: Form, dtype: Any) -> Array:
    """Normalises channels; with "modulation" scales and shifts them by a linear function of the action units."""
    if form.conditioning == "planes":
        return _norm(f"{name}_norm", dtype)(x)
    dense = nn.Dense(2 * x.shape[-1], use_bias=False, dtype=dtype, name=f"{name}_units")
    scale, shift = jnp.split(dense(units)[:, None, None], 2, -1)
    return _norm(f"{name}_norm", dtype)(x) * (1 + scale) + shift


def _norm(name: str, dtype: Any) -> nn.InstanceNorm:
    return nn.InstanceNorm(epsilon=1e-5, dtype=dtype, name=name)


def _head(x: Array, features: int, name: str, form: Form) -> Array:
    return form.head_scale * _conv(features, 7, name, jnp.float32)(x)
