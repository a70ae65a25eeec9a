"""The arrays of NVIDIA's pickles of StyleGAN networks, without running or importing anything that they name.

There are two forms. PyTorch's (`torch_utils.persistence`) holds for every network the text of its program, which
NVIDIA's own loader runs, and its modules with their parameters; TensorFlow's (`dnnlib.tflib`) holds networks with lists
of names and NumPy arrays. Both are read with stand-ins for what belongs there; whatever else a file asks for is
refused.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lgan_jax.interop import nvidia_tf, torchscript

CLAMP = "conv_clamp"  # among the arrays: the limit of what layers put out, where the network has one
_START = b"\x80"
_TORCH = bytes.fromhex("8a0a6cfc9c46f9206aa85019")  # the number after the first opcode of PyTorch's own pickles
_IN_TUPLE = {"G": 0, "D": 1, "G_ema": 2}  # of TensorFlow's form
_FAULTS = (
    *(pickle.UnpicklingError, EOFError, KeyError, IndexError, AttributeError, TypeError, ValueError),
    *(RecursionError, UnicodeDecodeError, OverflowError, MemoryError),
)


def is_pickle(path: Path) -> bool:
    """Whether a file is a pickle, but none that PyTorch made itself."""
    with path.open("rb") as file:
        start = file.read(2 + len(_TORCH))
    return start.startswith(_START) and start[2:] != _TORCH


def read(path: Path, network: str) -> dict[str, np.ndarray]:
    """The parameters and buffers of "G", "D" or "G_ema" by the names of its state dict, and `CLAMP`.

    Raises `ValueError` for a file that is cut off or damaged, that asks for anything but arrays, containers and
    NVIDIA's networks, or that has no such network.
    """
    loaded = _unpickled(path)
    try:
        found = _chosen(loaded, network)
        return nvidia_tf.read(found) if isinstance(found, _Network) else _persistent_state(found)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    except (KeyError, AttributeError, TypeError, IndexError):
        raise ValueError(f"{path} is a pickle, but not of NVIDIA's networks") from None


class _RefusedError(Exception):
    """A pickle asks for something that does not belong into it."""


def _unpickled(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return _Unpickler(file).load()
    except _RefusedError as error:
        raise ValueError(
            f"{path} asks for {error}, which is neither an array nor part of NVIDIA's networks: nothing of it is run"
        ) from None
    except _FAULTS as error:
        raise ValueError(f"{path} is cut off or damaged ({error}); fetch it again") from None


class _Fields(dict):
    """Stands in for an object of any class: its attributes, and its items where it is a dictionary."""

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.update(state)


class _Network(_Fields):
    """TensorFlow's: `version`, `static_kwargs`, `variables` and `components`."""


class _Module(_Fields):
    """PyTorch's: `_parameters`, `_buffers` and `_modules`, among others."""


class _Array:
    """Stands in for a NumPy array while its shape, type and bytes are read."""

    values: np.ndarray

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, data = state
        if not isinstance(data, bytes):
            raise _RefusedError("an array of objects")
        self.values = np.frombuffer(data, dtype.numpy()).reshape(shape, order="F" if fortran else "C")


class _Type:
    """Stands in for a NumPy type of numbers."""

    def __init__(self, code: str, *_: Any) -> None:
        self._code, self._order = code, "|"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._order = state[1]

    def numpy(self) -> np.dtype:
        """The type. Raises `_RefusedError` for one of anything but numbers."""
        if self._code[:1] not in ("b", "i", "u", "f"):
            raise _RefusedError(f"an array of the type {self._code!r}")
        return np.dtype(self._code).newbyteorder(self._order)


class _Unpickler(pickle.Unpickler):
    """Makes stand-ins, containers and arrays only."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            module = "numpy"
        if (module, name) in _KNOWN:
            return _KNOWN[module, name]
        if module == "torch" and name in torchscript.STORAGES:
            return name
        raise _RefusedError(f"{module}.{name}")


class _StorageUnpickler(_Unpickler):
    """Of what PyTorch writes for one storage: `stored` are the arrays that are to be filled, by their keys."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.stored: dict[str, np.ndarray] = {}

    def persistent_load(self, pid: Any) -> np.ndarray:
        _, kind, key, _, count, _ = pid
        return self.stored.setdefault(key, np.empty(count, torchscript.STORAGES[kind]))


def _storage(data: bytes) -> np.ndarray:
    """One storage: a number, a version, facts about the machine, the storage, the keys, its length, its bytes."""
    file = io.BytesIO(data)
    for _ in range(3):
        _Unpickler(file).load()
    reading = _StorageUnpickler(file)
    storage = reading.load()
    for key in _Unpickler(file).load():
        into = reading.stored[key]
        content = file.read(8 + into.nbytes)[8:]
        into[...] = np.frombuffer(content, into.dtype)
    return storage


def _persistent(meta: Mapping[str, Any]) -> _Module:
    return _Module(meta["state"])


def _scalar(dtype: _Type, data: bytes) -> Any:
    return np.frombuffer(data, dtype.numpy())[0]


def _parameter(data: np.ndarray, *_: Any) -> np.ndarray:
    return data


def _started(*_: Any) -> _Array:
    return _Array()


_KNOWN: Mapping[tuple[str, str], Callable[..., Any] | str] = {
    ("collections", "OrderedDict"): dict,
    ("builtins", "set"): set,
    ("dnnlib.util", "EasyDict"): _Fields,
    ("dnnlib.tflib.network", "Network"): _Network,
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): _persistent,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_tensor_v2"): torchscript.strided,
    ("torch.storage", "_load_from_bytes"): _storage,
    ("torch", "Size"): tuple,
    **{("torch", name): name for name in ("float16", "float32", "float64")},
    ("numpy", "_reconstruct"): _started,
    ("numpy", "scalar"): _scalar,
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): _Type,
}


def _chosen(loaded: Any, network: str) -> Any:
    """The network that is wanted, of those that are there. Raises `ValueError` where it is not."""
    if isinstance(loaded, tuple) and len(loaded) == len(_IN_TUPLE):
        loaded = {name: loaded[place] for name, place in _IN_TUPLE.items()}
    if isinstance(loaded, _Network | _Module):
        return loaded
    if not isinstance(loaded, Mapping) or not isinstance(loaded.get(network), _Network | _Module):
        raise ValueError(f"it holds no network {network} of NVIDIA's")
    return loaded[network]


def _persistent_state(module: _Module) -> dict[str, np.ndarray]:
    state = dict(_tensors(module, ()))
    limits = [each[CLAMP] for each in _modules(module) if each.get(CLAMP) is not None]
    return state | ({CLAMP: np.float32(limits[0])} if limits else {})


def _modules(module: _Module) -> Iterator[_Module]:
    yield module
    for inner in module["_modules"].values():
        if inner is not None:
            yield from _modules(inner)


def _tensors(module: _Module, path: tuple[str, ...]) -> Iterator[tuple[str, np.ndarray]]:
    for name, values in (*module["_parameters"].items(), *module["_buffers"].items()):
        if values is not None:
            yield ".".join((*path, name)), values
    for name, inner in module["_modules"].items():
        if inner is not None:
            yield from _tensors(inner, (*path, name))
