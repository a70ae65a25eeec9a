"""StyleGAN2's layers (Karras et al., CVPR 2020): parameters are stored at unit scale and scaled on use.

So all parameters have an equalized learning rate, times a layer's own multiplier.
"""

from __future__ import annotations

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.ops.convolution import convolve
from lgan_jax.ops.resample import halved, upfirdn

SLOPE = 0.2  # of every leaky ReLU
_UNIT = nn.initializers.normal(1.0)

Maps = Float[Array, "batch height width channels"]


def activated(
    x: Float[Array, "*shape channels"], gain: float = 1.0, clamp: float | None = None
) -> Float[Array, "*shape channels"]:
    """LeakyReLU(0.2) times √2 and `gain`, and no further from 0 than `clamp` times `gain`."""
    return clamped(nn.leaky_relu(x, SLOPE) * (math.sqrt(2) * gain), clamp, gain)


def clamped(
    x: Float[Array, "*shape channels"], clamp: float | None, gain: float = 1.0
) -> Float[Array, "*shape channels"]:
    """No further from 0 than `clamp` times `gain`, where there is such a limit."""
    return x if clamp is None else jnp.clip(x, -clamp * gain, clamp * gain)


def normalized(x: Float[Array, "batch features"]) -> Float[Array, "batch features"]:
    """Each vector divided by the root of the mean of its squares."""
    return x * jax.lax.rsqrt(jnp.mean(x**2, -1, keepdims=True) + 1e-8)


class EqualDense(nn.Module):
    """A dense layer: x·W·m/√n + m·b.

    Attributes:
      features: of the output.
      multiplier: m, of the learning rate; parameters are stored 1/m times as large.
      bias: what b starts as.
    """

    features: int
    multiplier: float = 1.0
    bias: float = 0.0

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs"]) -> Float[Array, "batch features"]:
        inputs = x.shape[-1]
        kernel = self.param("kernel", nn.initializers.normal(1 / self.multiplier), (inputs, self.features))
        bias = self.param("bias", nn.initializers.constant(self.bias), (self.features,))
        return x @ (kernel * (self.multiplier / math.sqrt(inputs))) + self.multiplier * bias[None]


class EqualConv(nn.Module):
    """A convolution with zeros around, scaled by 1/√(fan-in); with `halve`, of smoothed maps and of stride 2.

    Attributes:
      features: channels of the output.
      size: of the kernel, 1 or 3.
      halve: whether height and width are halved.
      use_bias: whether a bias is added.
      dtype: what to compute in.
    """

    features: int
    size: int = 3
    halve: bool = False
    use_bias: bool = True
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Maps) -> Float[Array, "batch rows columns features"]:
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel = self.param("kernel", _UNIT, shape) / math.sqrt(math.prod(shape[:3]))
        bias = self.param("bias", nn.initializers.zeros, (self.features,)) if self.use_bias else None
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        if not self.halve:
            x = convolve(x, kernel, padding=((self.size // 2, self.size // 2),) * 2)
        elif self.size == 1:
            x = convolve(halved(x), kernel)
        else:
            x = convolve(upfirdn(x, pads=(2, 2)), kernel, stride=2)
        return x if bias is None else x + bias.reshape(1, 1, 1, -1)
