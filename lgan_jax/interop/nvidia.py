"""The arrays of NVIDIA's pickles of StyleGAN networks, without running or importing anything that they name.

There are two forms. PyTorch's (`torch_utils.persistence`) holds for every network the text of its program, which
NVIDIA's own loader runs, and its modules with their parameters; TensorFlow's (`dnnlib.tflib`) holds networks with lists
of names and NumPy arrays. Both are read as inert trees (see `pickles`); whatever else a file asks for is refused.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lgan_jax import untrusted
from lgan_jax.interop import files, nvidia_tf, torchfiles
from lgan_jax.interop.pickles import Call, Name, RefusedError, fields, load, walk

CLAMP = "conv_clamp"  # among the arrays: the limit of what layers put out, where the network has one
_START = b"\x80"
_TORCH = bytes.fromhex("8a0a6cfc9c46f9206aa85019")  # the number after the first opcode of PyTorch's own pickles
_IN_TUPLE = {"G": 0, "D": 1, "G_ema": 2}  # of TensorFlow's form
_NETWORK = Name("dnnlib.tflib.network", "Network")  # TensorFlow's: static_kwargs, variables and components
_MODULE = Name("torch_utils.persistence", "_reconstruct_persistent_obj")  # PyTorch's: its argument's "state"
_STORED = Name("torch.storage", "_load_from_bytes")  # a storage, as a file of the older form
_ARRAY, _TYPE, _SCALAR = Name("numpy", "_reconstruct"), Name("numpy", "dtype"), Name("numpy", "scalar")
_CONTAINERS = {Name("dnnlib.util", "EasyDict"), Name("builtins", "set"), Name("numpy", "ndarray")}
_KNOWN = {
    *(_NETWORK, _MODULE, _STORED, _ARRAY, _TYPE, _SCALAR, *_CONTAINERS),
    *(Name("torch", name) for name in ("float16", "float32", "float64")),
}
_NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMBERS = re.compile("f[248]|[iu][1248]|b1")  # NumPy's names of types
_ORDERS = ("<", ">", "=", "|")  # of bytes


def is_pickle(path: Path) -> bool:
    """Whether a file is a pickle, but not PyTorch's own format."""
    with untrusted.opened(path) as file:
        start = file.read(2 + len(_TORCH))
    return start.startswith(_START) and start[2:] != _TORCH


def read(path: Path, network: str) -> dict[str, np.ndarray]:
    """The parameters and buffers of "G", "D" or "G_ema" by the names of its state dict, and `CLAMP`.

    Raises `ValueError` for a file that is cut off or damaged, that asks for anything but arrays, containers and
    NVIDIA's networks, or that has no such network.
    """
    data = untrusted.read_bytes(path, files.MOST_BYTES)
    try:
        found = _chosen(load(io.BytesIO(data), _allowed), network)
        arrays = _Arrays(untrusted.most_unpacked(len(data)))
        return nvidia_tf.read(found, arrays.of) if found.name == _NETWORK else _state(found, arrays)
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from None


def _plain(name: Name) -> Name:
    """NumPy's names in one spelling for all its versions."""
    return Name("numpy", name.name) if name.module in _NUMPY else name


def _allowed(name: Name) -> bool:
    return _plain(name) in _KNOWN or torchfiles.allowed(name)


class _Arrays:
    """Builds the arrays that a pickle describes as tensors or NumPy arrays; at most `most` bytes together."""

    def __init__(self, most: int):
        self._tensors = torchfiles.Tensors(self._storage, most)
        self._storages: dict[int, np.ndarray] = {}

    def of(self, value: Any) -> Any:
        """An array or a number; None for anything else. Raises `ValueError` for one that cannot be."""
        if not isinstance(value, Call):
            return value if isinstance(value, int | float) else None
        name = _plain(value.name)
        if name == _ARRAY:
            return self._tensors.counted(_array(value))
        return _scalar(value) if name == _SCALAR else self._tensors.array(value)

    def _storage(self, value: Any) -> np.ndarray:
        """A storage, which such a pickle holds as a file of PyTorch's older form."""
        if not isinstance(value, Call) or value.name != _STORED or not isinstance(value.arguments[0], bytes):
            raise ValueError("a tensor has no storage")
        if id(value) not in self._storages:
            tree, storage = torchfiles.older(value.arguments[0])
            self._storages[id(value)] = storage(tree)
        return self._storages[id(value)]


def _array(call: Call) -> np.ndarray:
    """A NumPy array of numbers: its state is a version, the shape, the type, whether columns come first, the bytes."""
    _, shape, dtype, fortran, data, *_ = (*(call.state if isinstance(call.state, tuple) else ()), *[None] * 5)
    if not isinstance(data, bytes):
        raise RefusedError("an array of objects")
    return untrusted.shaped(data, _dtype(dtype), shape, "F" if fortran else "C")


def _scalar(call: Call) -> Any:
    dtype, data, *_ = (*call.arguments, None, None)
    if not isinstance(data, bytes):
        raise RefusedError("an object in the place of a number")
    return untrusted.shaped(data, _dtype(dtype), ())[()]


def _dtype(call: Any) -> np.dtype:
    """A NumPy type of numbers: called with its name, such as "f4"; second in its state is the order of the bytes."""
    code = call.arguments[0] if isinstance(call, Call) and _plain(call.name) == _TYPE and call.arguments else None
    state = call.state if isinstance(code, str) and isinstance(call.state, tuple) else (3, "|")
    if not isinstance(code, str) or not _NUMBERS.fullmatch(code) or len(state) < 2 or state[1] not in _ORDERS:
        raise RefusedError("an array of something else than numbers")
    return np.dtype(code).newbyteorder(state[1])


def _chosen(loaded: Any, network: str) -> Call:
    """The requested network of a pickle. Raises `ValueError` where there is none."""
    if isinstance(loaded, tuple) and len(loaded) == len(_IN_TUPLE):
        loaded = {name: loaded[place] for name, place in _IN_TUPLE.items()}
    found = loaded if _is_network(loaded) else (fields(loaded) or {}).get(network)
    if not _is_network(found):
        raise ValueError(f"it holds no network {network} of NVIDIA's")
    return found


def _is_network(value: Any) -> bool:
    return isinstance(value, Call) and value.name in (_NETWORK, _MODULE)


def _state(root: Call, arrays: _Arrays) -> dict[str, np.ndarray]:
    """The state dict of PyTorch's form."""
    state: dict[str, np.ndarray] = {}
    limit = None
    for path, module, members in walk(root, _look):
        limit = _attributes(module).get(CLAMP) if limit is None else limit
        for name, value in members.items():
            if (array := arrays.of(value)) is not None:
                state[".".join((*path, str(name)))] = array
    if not isinstance(limit, int | float | None):
        raise ValueError(f"its {CLAMP} is no number")
    return state if limit is None else state | {CLAMP: np.float32(limit)}


def _look(module: Any) -> tuple[Mapping[Any, Any], Mapping[Any, Any]]:
    """The parameters and buffers of a module, and its modules."""
    state = _attributes(module)
    inner = {name: each for name, each in _members(state, "_modules").items() if each is not None}
    return {**_members(state, "_parameters"), **_members(state, "_buffers")}, inner


def _attributes(module: Any) -> Mapping[Any, Any]:
    meta = fields(module.arguments[0]) if isinstance(module, Call) and len(module.arguments) == 1 else None
    state = fields((meta or {}).get("state"))
    if state is None:
        raise ValueError("it is a pickle, but not of NVIDIA's networks")
    return state


def _members(members: Mapping[Any, Any], kind: str) -> Mapping[Any, Any]:
    found = fields(members.get(kind))
    if found is None:
        raise ValueError(f"a module has no {kind}")
    return found
