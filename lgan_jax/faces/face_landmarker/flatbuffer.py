"""FlatBuffers, read with checks: every offset and length is compared with the buffer before it is followed.

A flatbuffer is a tree of tables, vectors and numbers that point to each other by offsets; what a file says may point
anywhere. Here a damaged or hostile file raises `ValueError`, one line without the path.

Source: the binary format as https://flatbuffers.dev/internals describes it; all numbers are little-endian.
"""

from __future__ import annotations

import struct

import numpy as np

_OFFSET = 4  # bytes of an offset, and of a vector's length


class Table:
    """A table of a flatbuffer. Fields are named by their number in the schema; absent ones have their default."""

    def __init__(self, data: bytes, position: int):
        """The table at `position`. Raises `ValueError` where it does not lie within `data`."""
        self._data, self._position = data, position
        self._vtable = position - _number(data, "<i", position)
        self._fields = (_number(data, "<H", self._vtable) - 4) // 2
        if self._fields < 0:
            raise ValueError("the file is damaged: a table of it has no whole list of fields")

    def number(self, field: int, kind: str = "i", default: int = 0) -> int:
        """A scalar; `kind` is its letter of Python's `struct`."""
        place = self._place(field)
        return default if place is None else _number(self._data, f"<{kind}", place)

    def table(self, field: int) -> Table | None:
        """A table that this one points to, or None."""
        place = self._place(field)
        return None if place is None else Table(self._data, _target(self._data, place))

    def tables(self, field: int) -> list[Table]:
        """A vector of tables; empty where it is absent."""
        return [Table(self._data, _target(self._data, int(start))) for start in self._starts(field)]

    def numbers(self, field: int, dtype: str) -> np.ndarray:
        """A vector of numbers of a NumPy type, read-only; empty where it is absent."""
        place = self._place(field)
        if place is None:
            return np.zeros(0, dtype)
        start, count = self._vector(place, np.dtype(dtype).itemsize)
        return np.frombuffer(self._data, dtype, count, start)

    def text(self, field: int) -> str:
        """A string; empty where it is absent."""
        return self.numbers(field, "u1").tobytes().decode("utf-8", "replace")

    def _starts(self, field: int) -> range:
        place = self._place(field)
        if place is None:
            return range(0)
        start, count = self._vector(place, _OFFSET)
        return range(start, start + _OFFSET * count, _OFFSET)

    def _vector(self, place: int, size: int) -> tuple[int, int]:
        """Where the elements of a vector start, each of `size` bytes, and how many there are."""
        start = _target(self._data, place)
        count = _number(self._data, "<I", start)
        if count * size > len(self._data) - start - _OFFSET:
            raise ValueError(f"the file is damaged: a vector of {count:,} elements reaches beyond its end")
        return start + _OFFSET, count

    def _place(self, field: int) -> int | None:
        if field >= self._fields:
            return None
        offset = _number(self._data, "<H", self._vtable + 4 + 2 * field)
        return self._position + offset if offset else None


def root(data: bytes, identifier: bytes) -> Table:
    """The table that a flatbuffer begins with. Raises `ValueError` where the file is not of that kind."""
    if data[4:8] != identifier:
        raise ValueError(f"it is no {identifier.decode()} flatbuffer")
    return Table(data, _target(data, 0))


def _number(data: bytes, kind: str, position: int) -> int:
    if not 0 <= position <= len(data) - struct.calcsize(kind):
        raise ValueError("the file is damaged: it points beyond its end")
    return struct.unpack_from(kind, data, position)[0]


def _target(data: bytes, place: int) -> int:
    """Where an offset at `place` points to."""
    return place + _number(data, "<I", place)
