"""Layers of all networks, convolutions and batch normalisation: NHWC images, HWIO kernels.

For the initialisation of weights see `initialisers`.
"""

from __future__ import annotations

from typing import Any, Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.core import DATA_AXIS
from lgan_jax.nn.initialisers import kaiming_normal
from lgan_jax.ops.convolution import convolve, convolve_transposed, convolve_upsampled, spread


class Conv(nn.Module):
    """A two-dimensional convolution with PyTorch's placement of the padding.

    Parameters, always float32: `kernel` `(rows, columns, channels, features)`; with `use_bias`, `bias` `(features,)`.

    Attributes:
      features: channels of the output.
      kernel_size: rows and columns of the kernel; one number for both.
      strides: step in both directions.
      padding: "same" puts (k - 1) // 2 zeros before and k // 2 after, whatever the stride (with an odd kernel and
        stride 2 that is PyTorch's symmetric padding; XLA's own "SAME" would differ); "reflect" mirrors (k - 1) // 2
        pixels on every side; "valid" adds none; a number is that many zeros on every side.
      use_bias: whether a bias is added.
      dtype: what to compute in and to return; None means the common type of input and parameters.
    """

    features: int
    kernel_size: tuple[int, int] | int = (3, 3)
    strides: int = 1
    padding: Literal["same", "reflect", "valid"] | int = "same"
    use_bias: bool = True
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "batch height width channels"]) -> Float[Array, "batch rows columns features"]:
        size = (self.kernel_size,) * 2 if isinstance(self.kernel_size, int) else tuple(self.kernel_size)
        kernel = self.param("kernel", kaiming_normal, (*size, x.shape[-1], self.features), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32) if self.use_bias else None
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        if self.padding == "reflect":
            x = jnp.pad(x, ((0, 0), *(((k - 1) // 2,) * 2 for k in size), (0, 0)), mode="reflect")
        y = convolve(x, kernel, self.strides, self._zeros(size))
        return y if bias is None else y + bias.reshape(1, 1, 1, -1)

    def _zeros(self, size: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Zeros before and after the rows and the columns."""
        if isinstance(self.padding, int):
            return ((self.padding,) * 2,) * 2
        if self.padding == "same":
            rows, columns = (((k - 1) // 2, k // 2) for k in size)
            return rows, columns
        if self.padding in ("valid", "reflect"):
            return (0, 0), (0, 0)
        raise ValueError(f'padding is {self.padding!r}; it must be "same", "reflect", "valid" or a number of pixels')


class TransposedConv(nn.Module):
    """A 2x transposed convolution: stride 2, without bias.

    Its 3×3 kernel is spread to 4×4 by summing over 2×2 (with PyTorch's padding 1). So its even and odd positions have
    equal sums, and a constant map stays constant. With `even=False` the 4×4 kernel is unconstrained, as published
    networks have it; it causes checkerboard artifacts.

    Parameters, always float32: `kernel` `(3, 3, channels, features)`, unconstrained `(4, 4, channels, features)`.

    Attributes:
      features: channels of the output.
      even: whether the kernel is spread.
      dtype: what to compute in and to return; None means the common type of input and parameters.
    """

    features: int
    even: bool = True
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "batch height width channels"]) -> Float[Array, "batch rows columns features"]:
        side = 3 if self.even else 4
        kernel = self.param("kernel", kaiming_normal, (side, side, x.shape[-1], self.features), jnp.float32)
        kernel = spread(kernel) if self.even else kernel
        x, kernel = nn.dtypes.promote_dtype(x, kernel, dtype=self.dtype)
        return convolve_transposed(x, kernel)


class UpsampledConv(nn.Module):
    """2x nearest-neighbour upsampling and a 3×3 convolution with zero padding.

    Parameters, always float32: as in `Conv`.

    Attributes:
      features: channels of the output.
      dtype: what to compute in and to return; None means the common type of input and parameters.
    """

    features: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "batch height width channels"]) -> Float[Array, "batch rows columns features"]:
        kernel = self.param("kernel", kaiming_normal, (3, 3, x.shape[-1], self.features), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        return convolve_upsampled(x, kernel) + bias.reshape(1, 1, 1, -1)


def batch_norm(train: bool, dtype: Any = None, name: str | None = None) -> nn.BatchNorm:
    """PyTorch's batch normalisation, by the batch's statistics over `DATA_AXIS`; with `train=False` by running ones.

    Running statistics have the momentum 0.9.
    """
    return nn.BatchNorm(
        use_running_average=not train,
        momentum=0.9,
        epsilon=1e-5,
        dtype=dtype,
        axis_name=DATA_AXIS if train else None,
        name=name,
    )
