"""Arrays that users give: shape, type and range, checked where they enter; one `ValueError` that names the range.

| what | range | what else is taken |
| --- | --- | --- |
| images | [-1, 1], floating point | a rounding error of 0.001 outside, which is clipped |
| landmarks | [0, 1] across the image | up to one image width outside, from -1 to 2 (`REACH`): a chin below the crop |
| action units | [0, 1] | a rounding error of 0.001 outside, which is clipped |

So pixels, bytes and values that are not finite are refused. Functions work on the host, with concrete values: call them
outside of `jax.jit`.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

REACH = 1.0  # image widths that landmarks may lie outside
FAR = 10.0  # the same of landmarks that a network generated, which may not be trained well
_ROUNDING = 1e-3  # of a network in half precision

Shape = tuple[int | None, ...]  # None: any number


def array(what: str, values: ArrayLike, shape: Shape, leading: bool = False, wanted: str = "") -> np.ndarray:
    """`values` as a finite float32 array of `shape`; with `leading`, any axes before those of `shape`.

    `wanted` ends the sentence about values that are not finite. Raises `ValueError` for these, for values that are no
    real numbers, and for another shape.
    """
    values = _numbers(what, values)
    own = values.shape[max(0, values.ndim - len(shape)) :] if leading else values.shape
    if len(own) != len(shape) or any(size not in (None, has) for size, has in zip(shape, own)):
        raise ValueError(f"{what} have the shape {values.shape}; expected {_written(shape, leading)}")
    values = values.astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError(f"{what} hold values that are not finite{wanted}")
    return values


def ranged(what: str, values: ArrayLike, shape: Shape, low: float, high: float, leading: bool = False) -> np.ndarray:
    """As `array`, of values from `low` to `high`; those outside by a rounding error are clipped."""
    values = array(what, values, shape, leading, f"; they must be in [{low:g}, {high:g}]")
    lowest, highest = _extremes(values, low)
    if lowest < low - _ROUNDING or highest > high + _ROUNDING:
        raise ValueError(f"{what} must be in [{low:g}, {high:g}]; these are from {lowest:.4g} to {highest:.4g}")
    return np.clip(values, low, high)


def images(values: ArrayLike, *shape: int | None, leading: bool = False, what: str = "images") -> np.ndarray:
    """Images of `shape` in [-1, 1], float32; with `leading`, any axes before those of `shape`.

    Raises `ValueError` for another shape, for integers, and for values outside [-1, 1].
    """
    kind = _numbers(what, values).dtype
    if not jnp.issubdtype(kind, np.floating):
        raise ValueError(f"{what} are {kind}; expected floating-point numbers in [-1, 1]: of bytes, x / 127.5 - 1")
    return ranged(what, values, shape, -1.0, 1.0, leading)


def landmarks(
    values: ArrayLike, *shape: int | None, scheme: str = "", leading: bool = False, reach: float = REACH
) -> np.ndarray:
    """Landmarks of `shape`, which ends in (count, 2), in [0, 1] across the image, float32; see `images`.

    They may lie up to `reach` image widths outside. `scheme` is the name of theirs, for messages. Raises `ValueError`
    for another shape, and for pixels.
    """
    values = array(f"{scheme} landmarks".strip(), values, shape, leading)
    lowest, highest = _extremes(values, 0.0)
    if lowest < -reach or highest > 1 + reach:
        raise ValueError(
            f"landmarks must be fractions of the image, in [0, 1]; these are from {lowest:.4g} to {highest:.4g} "
            "(lgan_jax.coordinates.from_pixels converts pixels)"
        )
    return values


def indices(what: str, values: ArrayLike, shape: Shape, names: Sequence[str]) -> np.ndarray:
    """Indices of `shape` into `names`, int32. Raises `ValueError` for another shape, and for what are none."""
    values = np.asarray(values)
    whole = jnp.issubdtype(values.dtype, np.integer)
    if values.shape != shape or not whole or ((values < 0) | (values >= len(names))).any():
        raise ValueError(
            f"{what} are {values.tolist()}; expected {_written(shape)} whole numbers from 0 to {len(names) - 1}, of "
            f"{', '.join(names)}"
        )
    return values.astype(np.int32)


def _numbers(what: str, values: ArrayLike) -> np.ndarray:
    values = np.asarray(values)
    if not (jnp.issubdtype(values.dtype, np.floating) or jnp.issubdtype(values.dtype, np.integer)):
        raise ValueError(f"{what} are {values.dtype}; expected real numbers")
    return values


def _extremes(values: np.ndarray, of_none: float) -> tuple[float, float]:
    """The least and the greatest; where there is none, `of_none`."""
    return (float(values.min()), float(values.max())) if values.size else (of_none, of_none)


def _written(shape: Shape, leading: bool = False) -> str:
    sizes = ["..."] if leading else []
    sizes += ["B" if size is None and i == 0 else "any" if size is None else str(size) for i, size in enumerate(shape)]
    return f"({', '.join(sizes)})"
