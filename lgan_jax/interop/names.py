"""From the parameters of a published model, by their original names, to the variables of a Flax module, checked.

A published model is PyTorch's: `weight` and `bias` of each layer, convolutions `(out, in, rows, columns)`, dense layers
`(out, in)`, batch normalization with `running_mean` and `running_var`. Here kernels are `(rows, columns, in, out)` and
`(in, out)`.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

import flax.errors
import flax.linen as nn
import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np

Tensors = Mapping[str, np.ndarray]  # original name → values
Path = tuple[str, ...]  # of an array in a module's variables

_WRAPPERS = ("state_dict", "model", "model_state_dict", "lm_encoder", "lm_decoder", "gen", "dis")  # hold a state dict
_PARALLEL = "module."  # before every name that PyTorch's DataParallel saved
_LEAVES = {"kernel": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var"}  # others have one name
_COUNTER = ".num_batches_tracked"  # batch normalization keeps it; nothing uses it
_SHOWN = 3  # names of one kind in an error
_MOST = 8192  # channels, features or points of any network here
_NO_NETWORK = (
    ValueError,
    TypeError,
    ArithmeticError,
    AssertionError,
    IndexError,
    NotImplementedError,
    flax.errors.FlaxError,
)


class Network(NamedTuple):
    """A module, and the published variables that it can be applied with."""

    module: nn.Module
    variables: dict[str, Any]


class Parameter(NamedTuple):
    """A parameter that a module needs: its original name and shape, and the shape that the module gives it."""

    name: str
    shape: tuple[int, ...]
    ours: tuple[int, ...]


def unwrapped(source: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The parameters of a state dict, without the keys and prefixes that training scripts put around it.

    Raises `ValueError` for what is no state dict of numbers.
    """
    while wrapper := _wrapper(source):
        source = source[wrapper]
    tensors = {name: _numbers(name, value) for name, value in source.items()}
    while tensors and all(name.startswith(_PARALLEL) for name in tensors):
        tensors = {name.removeprefix(_PARALLEL): values for name, values in tensors.items()}
    return tensors


def usual(tensors: Tensors, *candidates: tuple[str, int]) -> int:
    """The length that most of these parameters have along the axis given with each; one of a wrong shape is outvoted.

    Raises `ValueError` where none of them is there, or the vote is a draw.
    """
    there = [(name, axis) for name, axis in candidates if name in tensors and axis < tensors[name].ndim]
    if not there:
        raise ValueError(f"missing: {_listed([name for name, _ in candidates])}")
    ranked = collections.Counter(tensors[name].shape[axis] for name, axis in there).most_common(2)
    if len(ranked) == 2 and ranked[0][1] == ranked[1][1]:
        shapes = " and ".join(f"{name} {tensors[name].shape}" for name, _ in there)
        raise ValueError(f"misshapen: {shapes} do not fit together")
    length = ranked[0][0]
    if not 0 < length <= _MOST:
        raise ValueError(f"misshapen: {there[0][0]} {tensors[there[0][0]].shape}; no network here is of that size")
    return length


def parameters(
    module: nn.Module,
    example: tuple[int, ...] | list[tuple[int, ...]],
    original: Callable[[Path], str],
    pointwise: Callable[[str], bool] = lambda layer: False,
) -> dict[Path, Parameter]:
    """The parameters that `module` needs for an input of the shape `example`, or for inputs of several shapes.

    Args:
      module: whose variables these are.
      example: shape, or a list of them.
      original: from the path of a layer in the module to its published name.
      pointwise: whether the dense layer of a published name was a 1×1 convolution there.

    Raises `ValueError` where the sizes of `module` make no network.
    """
    shapes = example if isinstance(example, list) else [example]
    inputs = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    try:
        abstract = jax.eval_shape(module.init, jax.random.key(0), *inputs)
    except _NO_NETWORK as error:  # the sizes are a file's
        raise ValueError(f"misshapen: its sizes make no {type(module).__name__}") from error
    needed = {}
    for path, leaf in flax.traverse_util.flatten_dict(abstract).items():
        layer, shape = original(path[1:-1]), leaf.shape
        if path[-1] == "kernel":
            shape = (shape[-1], shape[-2], *shape[:-2])
            if pointwise(layer):
                shape = (*shape, 1, 1)
        needed[path] = Parameter(f"{layer}.{_LEAVES.get(path[-1], path[-1])}", shape, leaf.shape)
    return needed


def check(needed: Iterable[Parameter], tensors: Tensors) -> None:
    """Raises `ValueError`, one line, that names parameters that are missing, left over, misshapen or not finite."""
    shapes = {one.name: one.shape for one in needed}
    counters = {name.rpartition(".")[0] + _COUNTER for name in shapes if name.endswith("running_var")}
    there = [name for name in shapes if name in tensors]
    faults = {
        "missing": [name for name in shapes if name not in tensors],
        "not part of it": [name for name in tensors if name not in shapes and name not in counters],
        "misshapen": [
            f"{name} {tensors[name].shape}, expected {shapes[name]}"
            for name in there
            if tensors[name].shape != shapes[name]
        ],
        "not finite": [name for name in there if not np.isfinite(tensors[name]).all()],
    }
    if any(faults.values()):
        raise ValueError("; ".join(f"{what}: {_listed(found)}" for what, found in faults.items() if found))


def read(needed: Mapping[Path, Parameter], tensors: Tensors) -> dict[str, Any]:
    """Parameters as a module's variables, float32. Raises as `check` does."""
    check(needed.values(), tensors)
    return variables(needed, tensors)


def variables(needed: Mapping[Path, Parameter], tensors: Tensors) -> dict[str, Any]:
    """Parameters that `check` has passed, as a module's variables: nested dicts of float32 arrays."""
    arrays = {path: _as_ours(tensors[one.name], one.ours, path[-1] == "kernel") for path, one in needed.items()}
    return flax.traverse_util.unflatten_dict(arrays)


def _as_ours(values: np.ndarray, shape: tuple[int, ...], kernel: bool) -> np.ndarray:
    values = np.asarray(values, np.float32)
    if kernel:
        values = np.moveaxis(values.reshape(values.shape[: len(shape)]), (0, 1), (-1, -2))
    return np.asarray(values, order="C")  # which keeps a number one


def _wrapper(source: Mapping[str, Any]) -> str | None:
    """The key under which the state dict lies, if it does not lie here."""
    nested = [name for name, value in source.items() if isinstance(value, Mapping)]
    if len(nested) == 1:
        return nested[0]
    return next((name for name in _WRAPPERS if name in nested), None)


def _numbers(name: str, value: Any) -> np.ndarray:
    values = np.asarray(None if isinstance(value, Mapping) else value)
    if not (jnp.issubdtype(values.dtype, jnp.floating) or jnp.issubdtype(values.dtype, jnp.integer)):
        raise ValueError(f"{name} is no array of numbers; give a state dict, names and their arrays")
    return values


def _listed(names: Collection[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(f"{name:.120}" for name in itertools.islice(names, _SHOWN)) + more
