"""Writes TensorFlow Lite files: as many of the schema's fields as `lgan_jax.faces.face_landmarker.tflite` reads."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

_TYPES = {"float32": 0, "float16": 1, "int32": 2, "uint8": 3}
Fields = Mapping[
    int, Any
]  # field of a table → number, (number, letter of struct), array, text, table or list of tables


class Op(NamedTuple):
    """An operator: its code, tensors and options."""

    code: int
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: Fields = MappingProxyType({})


def flatbuffer(fields: Fields, identifier: bytes = b"TFL3") -> bytes:
    """A flatbuffer with this root table."""
    out = bytearray(8)
    out[4:8] = identifier
    _point(out, 0, _table(out, fields))
    return bytes(out)


def model(
    tensors: Sequence[tuple[Sequence[int], Any]],
    operators: Sequence[Op],
    inputs: Sequence[int],
    outputs: Sequence[int],
    version: int = 3,
) -> bytes:
    """A file of one graph. A tensor is its shape and its constant, None for one that is computed."""
    codes = sorted({op.code for op in operators})
    buffers: list[Fields] = [{}]
    tables = []
    for shape, constant in tensors:
        dtype = "float32" if constant is None else str(constant.dtype)
        tables.append(
            {0: np.array(shape, "<i4"), 1: (_TYPES[dtype], "b"), 2: (0 if constant is None else len(buffers), "I")}
        )
        if constant is not None:
            buffers.append({0: np.frombuffer(constant.tobytes(), "u1")})
    operations = [
        {0: (codes.index(op.code), "I"), 1: np.array(op.inputs, "<i4"), 2: np.array(op.outputs, "<i4"), 4: op.options}
        for op in operators
    ]
    graph = {0: tables, 1: np.array(inputs, "<i4"), 2: np.array(outputs, "<i4"), 3: operations}
    kinds = [{0: (min(code, 127), "b"), 3: (code, "i")} for code in codes]
    return flatbuffer({0: (version, "I"), 1: kinds, 2: [graph], 4: buffers})


def constant_network(shape: Sequence[int], *answers: np.ndarray) -> bytes:
    """A network that answers with constants, whatever its input of `shape` is."""
    tensors: list = [(shape, None), ((len(shape),), np.arange(len(shape), dtype=np.int32)), ((1,) * len(shape), None)]
    operators = [Op(40, (0, 1), (2,), {0: (1, "b")}), Op(18, (2, 3), (4,))]
    tensors += [((1,) * len(shape), np.zeros((1,) * len(shape), np.float32)), ((1,) * len(shape), None)]
    outputs = []
    for answer in answers:
        first = len(tensors)
        zero = (1,) * answer.ndim
        tensors += [
            (zero, None),
            ((answer.ndim,), np.array(zero, np.int32)),
            (answer.shape, answer),
            (answer.shape, None),
        ]
        operators += [Op(22, (4, first + 1), (first,)), Op(0, (first, first + 2), (first + 3,))]
        outputs.append(first + 3)
    return model(tensors, operators, (0,), outputs)


def _table(out: bytearray, fields: Fields) -> int:
    count = max(fields, default=-1) + 1
    vtable = len(out)
    out += bytes(4 + 2 * count)
    position = len(out)
    out += struct.pack("<i", position - vtable)
    later = []
    for field, value in fields.items():
        number, letter = value if isinstance(value, tuple) else (value, "i") if isinstance(value, int) else (0, "I")
        struct.pack_into("<H", out, vtable + 4 + 2 * field, len(out) - position)
        if not isinstance(value, tuple | int):
            later.append((len(out), value))
        out += struct.pack(f"<{letter}", number)
    struct.pack_into("<HH", out, vtable, 4 + 2 * count, len(out) - position)
    for place, value in later:
        _point(out, place, _child(out, value))
    return position


def _child(out: bytearray, value: Any) -> int:
    if isinstance(value, Mapping):
        return _table(out, value)
    start = len(out)
    if isinstance(value, list):
        out += struct.pack("<I", len(value)) + bytes(4 * len(value))
        for index, each in enumerate(value):
            _point(out, start + 4 + 4 * index, _table(out, each))
    else:
        data = value.encode() if isinstance(value, str) else value.tobytes()
        out += struct.pack("<I", len(value)) + data
    return start


def _point(out: bytearray, place: int, target: int) -> None:
    struct.pack_into("<I", out, place, target - place)
