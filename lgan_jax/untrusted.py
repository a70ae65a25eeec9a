"""Files of unknown origin, read within limits: whole files, zip archives, NumPy's arrays.

What a file says of itself is checked before memory is taken for it: its size, what its members unpack to, and the type,
shape and length of arrays. Nothing is unpickled.
"""

from __future__ import annotations

import io
import json
import math
import os
import stat
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

PLAIN = 256 * 2**20  # bytes that any file may unpack to
_RECORD = 64 * 2**20  # bytes of a JSON file
_RATIO = 10  # times its own size that a larger file may unpack to
_COMPRESSION = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_NUMBERS = "fiub"  # NumPy's kinds of floats, integers and booleans
_MOST_AXES, _MOST_LENGTH = 32, 2**31  # of an array
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_FAULTS = (
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, KeyError, ValueError),
    *(OverflowError, UnicodeError),
)


def opened(path: str | os.PathLike) -> io.BufferedReader:
    """A file, open to be read. Raises `ValueError`, one line, for a pipe or a device, `OSError` as `open`."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise ValueError(f"{path} is no file, but a pipe or a device")
    return open(path, "rb")


def read_bytes(path: str | os.PathLike, most: int) -> bytes:
    """The bytes of a file. Raises `ValueError`, one line, where it has more than `most`, or as `opened`."""
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise ValueError(f"{path} has {size / 2**20:,.0f} MB, more than the {most / 2**20:,.0f} that are read")
        return file.read()


def read_record(path: str | os.PathLike, fields: Mapping[str, type]) -> dict[str, Any]:
    """A JSON file that holds an object with at least `fields`, each of its type.

    Raises `ValueError`, one line that names the file, for anything else; `OSError` where it cannot be read.
    """
    try:
        record = json.loads(read_bytes(path, _RECORD))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    check_fields(record, fields, str(path))
    return record


def check_fields(record: Any, fields: Mapping[str, type], what: str) -> None:
    """Raises `ValueError` where `record` is no dictionary, or lacks one of `fields`, or has one of another type."""
    for name, kind in fields.items():
        if not isinstance(record, dict) or not isinstance(record.get(name), kind):
            raise ValueError(f"{what} cannot be read: its field {name!r} is missing or damaged")


def most_unpacked(size: int) -> int:
    """How many bytes a file of `size` bytes may unpack to."""
    return max(PLAIN, _RATIO * size)


class Archive:
    """A zip archive whose members are read whole, with limits; a context manager.

    Raises `ValueError`, one line without the path, for an archive that is damaged, encrypted, compressed otherwise than
    zip's usual way, or unpacks to more than `most_unpacked` of its size; `OSError` where it cannot be read.

    Attributes:
      names: of the members.
      most: bytes that all that is read of it may come to.
    """

    def __init__(self, path: str | os.PathLike):
        self.most = most_unpacked(Path(path).stat().st_size)
        try:
            self._zip = zipfile.ZipFile(path)
        except _FAULTS as error:
            raise ValueError(f"it is no whole zip archive: {error}") from None
        try:
            self.names = self._checked()
        except ValueError:
            self._zip.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: Any) -> None:
        self._zip.close()

    def read(self, name: str) -> bytes:
        """The bytes of a member. Raises `ValueError` where there is no such member, or it is damaged."""
        try:
            return self._zip.read(name)
        except _FAULTS as error:
            raise ValueError(f"its member {name!r:.80} cannot be read: {error}") from None

    def _checked(self) -> tuple[str, ...]:
        members = self._zip.infolist()
        for member in members:
            if member.flag_bits & _ENCRYPTED or member.compress_type not in _COMPRESSION:
                raise ValueError(f"its member {member.filename!r:.80} is encrypted, or compressed in an unusual way")
        if (unpacked := sum(member.file_size for member in members)) > self.most:
            raise ValueError(f"it unpacks to {unpacked:,} bytes, more than the {self.most:,} that are read")
        return tuple(dict.fromkeys(member.filename for member in members))


def read_npz(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` file of numbers, by their names; they are read-only.

    Raises `ValueError`, one line that names the file, for a damaged file or one that holds anything but numbers;
    `OSError` where it cannot be read.
    """
    try:
        with Archive(path) as archive:
            return arrays(archive)
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {' '.join(str(error).split()):.300}") from None


def arrays(archive: Archive) -> dict[str, np.ndarray]:
    """The arrays of numbers in an `.npz` archive, by their names. Raises `ValueError`, one line without the path."""
    return {name.removesuffix(".npy"): _array(archive.read(name)) for name in archive.names}


def elements(shape: Any) -> int:
    """How many elements an array of this shape has. Raises `ValueError` for what is no shape."""
    if not isinstance(shape, tuple) or len(shape) > _MOST_AXES:
        raise ValueError("the shape of an array is no short tuple")
    if not all(type(length) is int and 0 <= length < _MOST_LENGTH for length in shape):
        raise ValueError("the shape of an array has lengths that cannot be")
    return math.prod(shape)


def shaped(data: bytes | memoryview, dtype: np.dtype, shape: Any, order: Literal["C", "F"] = "C") -> np.ndarray:
    """An array over bytes, read-only. Raises `ValueError` unless they are exactly as many as its shape takes."""
    if elements(shape) * dtype.itemsize != len(data):
        raise ValueError(f"an array of the shape {shape} does not have {len(data):,} bytes")
    if not len(data):
        return np.zeros(shape, dtype)
    return np.frombuffer(data, dtype).reshape(shape, order=order)


def _array(data: bytes) -> np.ndarray:
    """The array of a `.npy` file of numbers."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"arrays of version {version} are not read")
    try:
        shape, fortran, dtype = _HEADERS[version](file)
    except (SyntaxError, tokenize.TokenError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(f"the header of an array is damaged: {error}") from None
    if dtype.kind not in _NUMBERS or dtype.hasobject or dtype.subdtype:
        raise ValueError(f"it holds an array of the type {dtype}, no numbers")
    return shaped(memoryview(data)[file.tell() :], dtype, shape, "F" if fortran else "C")
