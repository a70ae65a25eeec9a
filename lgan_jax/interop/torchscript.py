"""The tensors of a TorchScript archive (`torch.jit.save`), without running or importing anything that it names.

Such a file is a zip of a program and of `data.pkl`, a pickle of nested modules whose attributes are tensors, numbers
and modules. The pickle is read with stand-ins for the few things that TorchScript writes there; whatever else it asks
for is refused.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

_DATA = "data.pkl"
STORAGES = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": jnp.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}
_FAULTS = (
    pickle.UnpicklingError,
    EOFError,
    KeyError,
    IndexError,
    AttributeError,
    TypeError,
    ValueError,
    RecursionError,
)


def is_archive(members: Sequence[str]) -> bool:
    """Whether a zip with these members is a TorchScript archive; PyTorch's own files have no constants."""
    return any(name.endswith("/constants.pkl") for name in members)


def read(path: Path) -> dict[str, np.ndarray]:
    """The tensors of an archive by the names that a state dict would give them.

    Raises `ValueError` where it is damaged, or holds what a saved module does not.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            member = next(name for name in archive.namelist() if name.endswith(f"/{_DATA}") and name.count("/") == 1)
            module = _Unpickler(archive, member).load()
            return dict(_tensors(module, ()))
    except (*_FAULTS, StopIteration, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no TorchScript archive of a network that can be read: {error}") from None


class _Module:
    """Stands in for every class of the archive's program."""

    members: Mapping[str, Any]

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.members = state


class _Unpickler(pickle.Unpickler):
    """Makes stand-ins, dicts, lists and arrays only."""

    def __init__(self, archive: zipfile.ZipFile, member: str) -> None:
        super().__init__(io.BytesIO(archive.read(member)))
        self._archive, self._folder = archive, member.removesuffix(_DATA)

    def find_class(self, module: str, name: str) -> Any:
        if module == "__torch__" or module.startswith("__torch__."):
            return _Module
        if module == "torch" and name in STORAGES:
            return np.dtype(STORAGES[name])
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return strided
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if module == "torch.jit._pickle" and name.startswith("build_"):
            return _same
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> np.ndarray:
        _, dtype, key, *_ = pid
        return np.frombuffer(self._archive.read(f"{self._folder}data/{key}"), dtype)


def strided(storage: np.ndarray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> np.ndarray:
    """A tensor, a view of a storage; strides count its elements. NumPy raises where the view would leave it."""
    size = storage.itemsize
    return np.ndarray(shape, storage.dtype, storage, offset * size, tuple(size * stride for stride in strides))


def _same(values: Any, *_: Any) -> Any:
    return values


def _tensors(module: _Module, path: tuple[str, ...]) -> Iterator[tuple[str, np.ndarray]]:
    for name, value in module.members.items():
        if isinstance(value, np.ndarray):
            yield ".".join((*path, name)), value
        elif isinstance(value, _Module):
            yield from _tensors(value, (*path, name))
