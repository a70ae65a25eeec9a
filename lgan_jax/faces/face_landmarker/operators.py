"""The operators of TensorFlow Lite that the Face Landmarker's networks use, as pure JAX functions.

Maps are NHWC. Each function takes the operator's inputs in order, then its options; what decides shapes (axes, pads,
slices) is a NumPy array of integers, never traced. What an operator cannot do here raises `ValueError`, one line.

Source: TensorFlow Lite's schema (schema.fbs, version 3) and reference kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Options = Mapping[str, int]

_PADDING = {0: "SAME", 1: "VALID"}
_ACTIVATIONS: dict[int, Callable[[jax.Array], jax.Array]] = {0: lambda x: x, 1: jax.nn.relu, 3: jax.nn.relu6}


class Kind(NamedTuple):
    """An operator: its name, its function, and its options as name → (field of the schema's table, type, default)."""

    name: str
    function: Callable[..., jax.Array]
    options: Mapping[str, tuple[int, str, int]] = {}
    reshapes: bool = False  # whether the option `new_shape`, a vector in field 0, may take the second input's place


def _activated(x: jax.Array, options: Options) -> jax.Array:
    if (code := options["activation"]) not in _ACTIVATIONS:
        raise ValueError(f"the fused activation of code {code} is not known here")
    return _ACTIVATIONS[code](x)


def _padding(options: Options) -> str:
    if (code := options["padding"]) not in _PADDING:
        raise ValueError(f"there is no padding of code {code}")
    return _PADDING[code]


def _steps(options: Options, *names: str) -> tuple[int, ...]:
    steps = tuple(options[name] for name in names)
    if min(steps) < 1:
        raise ValueError(f"{names[0]} and its like must be positive, not {steps}")
    return steps


def _static(value: Any) -> np.ndarray:
    """A constant of the file that decides shapes."""
    if not isinstance(value, np.ndarray) or value.dtype.kind != "i":
        raise ValueError("a shape, axis or slice is computed, not a constant of the file")
    return value


def _convolved(x: jax.Array, kernel: jax.Array, bias: jax.Array | None, options: Options, groups: int, layout: str):
    y = jax.lax.conv_general_dilated(
        x,
        kernel,
        _steps(options, "stride_h", "stride_w"),
        _padding(options),
        rhs_dilation=_steps(options, "dilation_h", "dilation_w"),
        dimension_numbers=("NHWC", layout, "NHWC"),
        feature_group_count=groups,
        precision=jax.lax.Precision.HIGHEST,
    )
    return _activated(y if bias is None else _binary(jnp.add)(y, bias, {"activation": 0}), options)


def conv_2d(x: jax.Array, kernel: jax.Array, bias: jax.Array | None, options: Options) -> jax.Array:
    """Convolution with a kernel `(outputs, rows, columns, inputs)`."""
    return _convolved(x, kernel, bias, options, 1, "OHWI")


def depthwise_conv_2d(x: jax.Array, kernel: jax.Array, bias: jax.Array | None, options: Options) -> jax.Array:
    """Convolution of each channel by itself; the kernel is `(1, rows, columns, channels * multiplier)`."""
    return _convolved(x, kernel, bias, options, x.shape[-1], "IHWO")


def max_pool_2d(x: jax.Array, options: Options) -> jax.Array:
    """The maximum of each window."""
    window, steps = _steps(options, "rows", "columns"), _steps(options, "stride_h", "stride_w")
    y = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, *window, 1), (1, *steps, 1), _padding(options))
    return _activated(y, options)


def prelu(x: jax.Array, slope: jax.Array, _: Options) -> jax.Array:
    """x where it is positive, else slope · x."""
    return jnp.where(x > 0, x, _binary(jnp.multiply)(x, slope, {"activation": 0}))


def _binary(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """An elementwise function of two arrays that broadcast as NumPy's, then the fused activation."""

    def apply(a: jax.Array, b: jax.Array, options: Options) -> jax.Array:
        shape = np.broadcast_shapes(np.shape(a), np.shape(b))
        y = function(jnp.broadcast_to(a, shape), jnp.broadcast_to(b, shape))
        return _activated(y, options) if options else y

    return apply


def _unary(function: Callable[[jax.Array], jax.Array]) -> Callable[..., jax.Array]:
    return lambda x, _: function(x)


def _reduction(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    return lambda x, axes, options: function(
        x, axis=tuple(_static(axes).ravel().tolist()), keepdims=bool(options["keep_dims"])
    )


def reshape(x: jax.Array, shape: Any, _: Options) -> jax.Array:
    """The same elements in another shape."""
    return jnp.reshape(x, tuple(_static(shape).tolist()))


def transpose(x: jax.Array, axes: Any, _: Options) -> jax.Array:
    """The axes in another order."""
    return jnp.transpose(x, tuple(_static(axes).tolist()))


def pad(x: jax.Array, amounts: Any, _: Options) -> jax.Array:
    """Zeros before and after each axis."""
    return jnp.pad(x, _static(amounts).tolist())


def concatenation(*inputs: Any) -> jax.Array:
    """The arrays one after the other along an axis."""
    *arrays, options = inputs
    return _activated(jnp.concatenate(arrays, options["axis"]), options)


def strided_slice(x: jax.Array, begin: Any, end: Any, steps: Any, options: Options) -> jax.Array:
    """x[begin:end:step] along every axis; the masks say which ends are open and which axes are dropped."""
    if options["ellipsis_mask"] or options["new_axis_mask"]:
        raise ValueError("a slice with an ellipsis or a new axis is not known here")
    index: list[int | slice] = []
    for axis, (first, last, step) in enumerate(zip(*map(_static, (begin, end, steps)), strict=True)):
        if options["shrink_axis_mask"] >> axis & 1:
            index.append(int(first))
        else:
            start = None if options["begin_mask"] >> axis & 1 else int(first)
            index.append(slice(start, None if options["end_mask"] >> axis & 1 else int(last), int(step)))
    return x[tuple(index)]


_FUSED = {"activation": (0, "b", 0)}
_KEEP = {"keep_dims": (0, "b", 0)}
_STRIDES = {"padding": (0, "b", 0), "stride_w": (1, "i", 0), "stride_h": (2, "i", 0)}
_CONV = {**_STRIDES, "activation": (3, "b", 0), "dilation_w": (4, "i", 1), "dilation_h": (5, "i", 1)}
_DEPTHWISE = {**_STRIDES, "activation": (4, "b", 0), "dilation_w": (5, "i", 1), "dilation_h": (6, "i", 1)}
_POOL = {**_STRIDES, "columns": (3, "i", 0), "rows": (4, "i", 0), "activation": (5, "b", 0)}
_MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")

KINDS = {
    0: Kind("ADD", _binary(jnp.add), _FUSED),
    2: Kind("CONCATENATION", concatenation, {"axis": (0, "i", 0), "activation": (1, "b", 0)}),
    3: Kind("CONV_2D", conv_2d, _CONV),
    4: Kind("DEPTHWISE_CONV_2D", depthwise_conv_2d, _DEPTHWISE),
    6: Kind("DEQUANTIZE", _unary(lambda x: jnp.asarray(x, jnp.float32))),
    14: Kind("LOGISTIC", _unary(jax.nn.sigmoid)),
    17: Kind("MAX_POOL_2D", max_pool_2d, _POOL),
    18: Kind("MUL", _binary(jnp.multiply), _FUSED),
    19: Kind("RELU", _unary(jax.nn.relu)),
    22: Kind("RESHAPE", reshape, reshapes=True),
    34: Kind("PAD", pad),
    39: Kind("TRANSPOSE", transpose),
    40: Kind("MEAN", _reduction(jnp.mean), _KEEP),
    41: Kind("SUB", _binary(jnp.subtract), _FUSED),
    42: Kind("DIV", _binary(jnp.divide), _FUSED),
    45: Kind("STRIDED_SLICE", strided_slice, {name: (field, "i", 0) for field, name in enumerate(_MASKS)}),
    54: Kind("PRELU", prelu),
    59: Kind("NEG", _unary(jnp.negative)),
    74: Kind("SUM", _reduction(jnp.sum), _KEEP),
    75: Kind("SQRT", _unary(jnp.sqrt)),
    76: Kind("RSQRT", _unary(jax.lax.rsqrt)),
    99: Kind("SQUARED_DIFFERENCE", _binary(lambda a, b: (a - b) ** 2)),
}
