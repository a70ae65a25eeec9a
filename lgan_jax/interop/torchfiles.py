"""The tensors of PyTorch's files, without PyTorch: `torch.save`'s of both forms, and `torch.jit.save`'s archives.

A file is a pickle that names tensors, and the bytes of their storages: in the newer form and in TorchScript's members
of a zip archive, in the older one behind the pickle. The pickle is read as an inert tree (see `pickles`); offsets,
shapes and strides are checked against the storages before there is an array.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import ml_dtypes
import numpy as np

from lgan_jax import untrusted
from lgan_jax.interop.pickles import Call, Name, Persistent, fields, load, walk

STORAGES: Mapping[str, np.dtype] = {
    "DoubleStorage": np.dtype(np.float64),
    "FloatStorage": np.dtype(np.float32),
    "HalfStorage": np.dtype(np.float16),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "LongStorage": np.dtype(np.int64),
    "IntStorage": np.dtype(np.int32),
    "ShortStorage": np.dtype(np.int16),
    "CharStorage": np.dtype(np.int8),
    "ByteStorage": np.dtype(np.uint8),
    "BoolStorage": np.dtype(np.bool_),
}
MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of the older form
_VERSION = 1001  # of the older form
_DICTIONARY = Name("collections", "OrderedDict")
_TENSORS = {Name("torch._utils", name) for name in ("_rebuild_tensor_v2", "_rebuild_tensor")}
_PARAMETERS = {Name("torch._utils", name) for name in ("_rebuild_parameter", "_rebuild_parameter_with_state")}
_PLAIN = {*_TENSORS, *_PARAMETERS, _DICTIONARY, Name("torch", "Size"), Name("torch", "device")}
_DATA = "data.pkl"
_DEEPEST = 64  # dictionaries in each other

Storage = Callable[[Any], np.ndarray]  # of what a tensor's call names as its storage


def allowed(name: Name) -> bool:
    """Whether a tensor, or a container of tensors, may ask for a name."""
    return name in _PLAIN or (name.module == "torch" and name.name in STORAGES)


class Tensors:
    """Builds the arrays that a pickle describes as tensors.

    Args:
      storage: gives the flat array of a storage.
      most: bytes that all arrays together may have; several may lie in one storage.
    """

    def __init__(self, storage: Storage, most: int):
        self._storage, self._left = storage, most

    def array(self, value: Any) -> np.ndarray | None:
        """The array of a tensor or a parameter; None for anything else.

        Raises `ValueError` for a tensor that leaves its storage, or where there are more bytes than may be.
        """
        if isinstance(value, Call) and value.name in _PARAMETERS and value.arguments:
            value = value.arguments[0]
        if not isinstance(value, Call) or value.name not in _TENSORS:
            return None
        key, offset, shape, strides, *_ = (*value.arguments, *[None] * 4)
        return self.counted(strided(self._storage(key), offset, shape, strides))

    def counted(self, array: np.ndarray) -> np.ndarray:
        """The array itself. Raises `ValueError` where there are more bytes than may be."""
        self._left -= array.nbytes
        if self._left < 0:
            raise ValueError("its tensors are far larger together than the file")
        return array


def strided(storage: np.ndarray, offset: Any, shape: Any, strides: Any) -> np.ndarray:
    """A view of a flat storage; offset and strides count its elements. Raises `ValueError` where it would leave it.

    A tensor of more elements than its storage has, by strides of 0, is refused too.
    """
    count = untrusted.elements(shape)
    steps = strides if isinstance(strides, tuple) else ()
    if len(steps) != len(shape) or not all(type(step) is int and step >= 0 for step in (offset, *steps)):
        raise ValueError("a tensor's offset or strides are no whole numbers from 0 on")
    if not count:
        return np.zeros(shape, storage.dtype)
    last = offset + sum((length - 1) * step for length, step in zip(shape, steps, strict=True))
    if last >= storage.size or count > storage.size:
        raise ValueError(f"a tensor of the shape {shape} does not lie in its storage of {storage.size:,} elements")
    size = storage.itemsize
    return np.ndarray(shape, storage.dtype, storage, offset * size, tuple(size * step for step in steps))


def older(data: bytes) -> tuple[Any, Storage]:
    """The tree of a file of the older form, and its storages.

    It is a number, a version, facts about the machine, the tree, the storages' keys; then of each storage its number of
    elements and its bytes. Raises `ValueError` for what is none, or is cut off.
    """
    file = io.BytesIO(data)
    magic, version, machine = (load(file, allowed) for _ in range(3))
    if (magic, version) != (MAGIC, _VERSION) or not isinstance(machine, dict) or not machine.get("little_endian", True):
        raise ValueError("it is no file of PyTorch's, or one of a machine with another order of bytes")
    tree, keys = load(file, allowed), load(file, allowed)
    kinds = {name: dtype for name, dtype, _ in map(_stored, _persistent(tree))}
    places: dict[str, np.ndarray] = {}
    for key in keys if isinstance(keys, list) else []:
        if not isinstance(key, str) or key not in kinds:
            raise ValueError("it holds a storage of no tensor")
        count = int.from_bytes(file.read(8), "little")
        content = memoryview(data)[file.tell() :][: count * kinds[key].itemsize]
        places[key] = untrusted.shaped(content, kinds[key], (count,))
        file.seek(len(content), io.SEEK_CUR)

    def storage(key: Any) -> np.ndarray:
        name, dtype, _ = _stored(key)
        if name not in places:
            raise ValueError(f"the storage {name!r:.40} is missing")
        return _of_type(places[name], dtype)

    return tree, storage


def read_older(data: bytes) -> dict[str, Any]:
    """The arrays of a file of the older form, as `read`. Raises `ValueError` as `older`."""
    tree, storage = older(data)
    return _dictionary(tree, Tensors(storage, untrusted.most_unpacked(len(data))))


def read(archive: untrusted.Archive) -> dict[str, Any]:
    """The arrays of an archive by their names, nested where it nests them; what is no tensor or number is None.

    Raises `ValueError`, one line without the path, where the archive is damaged, or holds what a state dict, or a saved
    TorchScript module, does not.
    """
    found = [name for name in archive.names if name.endswith(f"/{_DATA}") and name.count("/") == 1]
    if not found:
        raise ValueError(f"it has no {_DATA}")
    folder = found[0].removesuffix(_DATA)
    if f"{folder}byteorder" in archive.names and archive.read(f"{folder}byteorder") != b"little":
        raise ValueError("it is of a machine with another order of bytes")
    places: dict[str, np.ndarray] = {}

    def storage(key: Any) -> np.ndarray:
        name, dtype, count = _stored(key)
        if name not in places:
            places[name] = untrusted.shaped(archive.read(f"{folder}data/{name}"), dtype, (count,))
        return _of_type(places[name], dtype)

    tree = load(io.BytesIO(archive.read(found[0])), _allowed_in_archive)
    tensors = Tensors(storage, archive.most)
    return _modules(tree, tensors) if _is_module(tree) else _dictionary(tree, tensors)


def _stored(key: Any) -> tuple[str, np.dtype, int]:
    """A storage's key, type and number of elements. Raises `ValueError` for another object."""
    of = key.key if isinstance(key, Persistent) else None
    of = of if isinstance(of, tuple) and len(of) >= 5 else (None,) * 5
    kind, name, count = of[1], of[2], of[4]
    if of[0] != "storage" or not isinstance(kind, Name) or kind.name not in STORAGES:
        raise ValueError("it holds something else than tensors of numbers")
    if not isinstance(name, str) or type(count) is not int or count < 0:
        raise ValueError("a storage has no key or length")
    return name, STORAGES[kind.name], count


def _of_type(storage: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if storage.dtype != dtype:
        raise ValueError("a storage is said to hold numbers of two types")
    return storage


def _persistent(tree: Any) -> Iterator[Persistent]:
    """Every storage in a tree, each node visited once."""
    seen, waiting = set(), [tree]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Persistent):
            yield node
        elif isinstance(node, Call):
            waiting += [node.arguments, node.state, node.items]
        elif isinstance(node, dict):
            waiting += node.values()
        elif isinstance(node, list | tuple):
            waiting += node


def _allowed_in_archive(name: Name) -> bool:
    return allowed(name) or _in_program(name) or (name.module == "torch.jit._pickle" and name.name.startswith("build_"))


def _in_program(name: Name) -> bool:
    """Whether a name is of a class of a TorchScript archive's own program."""
    return name.module == "__torch__" or name.module.startswith("__torch__.")


def _is_module(value: Any) -> bool:
    return isinstance(value, Call) and _in_program(value.name)


def _modules(root: Call, tensors: Tensors) -> dict[str, np.ndarray]:
    """The tensors of nested modules by the names that a state dict would give them."""

    def look(module: Call) -> tuple[Mapping[Any, Any], Mapping[Any, Any]]:
        members = fields(module.state) or {}
        return members, {name: value for name, value in members.items() if _is_module(value)}

    arrays = (
        (".".join((*path, str(name))), tensors.array(value))
        for path, _, members in walk(root, look)
        for name, value in members.items()
    )
    return {name: array for name, array in arrays if array is not None}


def _dictionary(tree: Any, tensors: Tensors) -> dict[str, Any]:
    """A state dict's arrays, nested as they are."""
    known: dict[int, dict[str, Any]] = {}  # what several names share is converted once

    def converted(value: Any, depth: int) -> dict[str, Any]:
        if depth > _DEEPEST:
            raise ValueError("its dictionaries are nested without end")
        if id(value) not in known:
            known[id(value)] = {str(name): plain(inner, depth + 1) for name, inner in fields(value).items()}
        return known[id(value)]

    def plain(value: Any, depth: int) -> Any:
        if _is_dictionary(value):
            return converted(value, depth)
        return value if isinstance(value, str | int | float) else tensors.array(value)

    if not _is_dictionary(tree):
        raise ValueError("it holds no names with their tensors; save the network's state_dict()")
    return converted(tree, 0)


def _is_dictionary(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, Call) and value.name == _DICTIONARY)
