"""TensorFlow Lite's networks, read into pure JAX functions without TensorFlow.

A file is a graph of tensors and operators. Nothing in it is trusted: offsets, sizes, indices and shapes are checked,
every operator's result is compared with the shape that the file declares, and a fault is a `ValueError`,
one line without the path.

Source: TensorFlow Lite's schema, version 3 (schema.fbs).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lgan_jax import untrusted
from lgan_jax.faces.face_landmarker.flatbuffer import Table, root
from lgan_jax.faces.face_landmarker.operators import KINDS, Kind

_VERSION = 3
_DTYPES = {0: "<f4", 1: "<f2", 2: "<i4"}  # the schema's codes of types: what constants may have
_MOST = 10_000  # tensors, operators and buffers of a graph
_MOST_ELEMENTS = 2**24  # of a tensor
_SHARED = 4  # times the file's size that its constants may come to: tensors may share a buffer


class Operation(NamedTuple):
    """An operator at its place in a graph: its kind, its options, and the tensors it reads (-1 for none) and makes."""

    kind: Kind
    options: Mapping[str, int]
    inputs: tuple[int, ...]
    output: int


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """A network as a pure function of its weights and inputs.

    Attributes:
      weights: constants of floating point, float32, by the number of their tensor.
      inputs: shapes of the inputs, with a leading axis of 1, as the file declares them.
      outputs: likewise.
    """

    weights: Mapping[str, np.ndarray]
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    _operations: Sequence[Operation]
    _integers: Mapping[int, np.ndarray]
    _shapes: Sequence[tuple[int, ...]]
    _ends: tuple[tuple[int, ...], tuple[int, ...]]

    def __call__(self, weights: Mapping[str, Any], *inputs: jax.Array) -> tuple[jax.Array, ...]:
        """The outputs. Traceable and differentiable; batches by `jax.vmap` over the inputs.

        Raises `ValueError` where an operator cannot run, or does not make what the file declares.
        """
        first, last = self._ends
        values: dict[int, Any] = {int(name): jnp.asarray(value) for name, value in weights.items()}
        values |= self._integers | dict(zip(first, inputs, strict=True))
        for place, operation in enumerate(self._operations):
            result = _run(operation, values, f"its operator {place} ({operation.kind.name})")
            if result.shape != self._shapes[operation.output]:
                declared = self._shapes[operation.output]
                raise ValueError(f"its operator {place} computes an array {result.shape}, where {declared} is declared")
            values[operation.output] = result
        if missing := [i for i in last if not isinstance(values.get(i), jax.Array)]:
            raise ValueError(f"its output {missing[0]} is computed by no operator")
        return tuple(values[i] for i in last)


def _run(operation: Operation, values: Mapping[int, Any], where: str) -> jax.Array:
    if missing := [i for i in operation.inputs if i >= 0 and i not in values]:
        raise ValueError(f"{where} reads tensor {missing[0]}, which nothing before it makes")
    try:
        return operation.kind.function(*(None if i < 0 else values[i] for i in operation.inputs), operation.options)
    except (ValueError, TypeError, IndexError, AttributeError, ZeroDivisionError, OverflowError) as error:
        raise ValueError(f"{where} cannot run: {' '.join(str(error).split()):.200}") from None


def read(data: bytes) -> Network:
    """The network of a `.tflite` file of one graph. Raises `ValueError`, one line without the path."""
    model = root(data, b"TFL3")
    if (version := model.number(0, "I")) != _VERSION:
        raise ValueError(f"it is of version {version} of TensorFlow Lite's format; {_VERSION} is read")
    graphs, buffers = model.tables(2), _limited(model.tables(4), "buffers")
    if len(graphs) != 1:
        raise ValueError(f"it has {len(graphs)} graphs, not one")
    tensors = _limited(graphs[0].tables(0), "tensors")
    shapes = [_shape(tensor) for tensor in tensors]
    constants = read_constants(tensors, shapes, buffers, _SHARED * len(data))
    kinds = [_kind(code) for code in _limited(model.tables(1), "kinds of operators")]
    operations = []
    for table in _limited(graphs[0].tables(3), "operators"):
        operation = _operation(table, kinds, len(tensors), constants)
        if operation.kind.name == "DEQUANTIZE" and operation.inputs[0] in constants:
            constants[operation.output] = constants[operation.inputs[0]].astype(np.float32)
        else:
            operations.append(operation)
    ends = tuple(_indices(graphs[0].numbers(field, "<i4"), len(tensors), 0) for field in (1, 2))
    return _network(operations, constants, shapes, ends)


def _network(operations: Sequence[Operation], constants: Mapping[int, np.ndarray], shapes: Sequence, ends: Any):
    read = {i for operation in operations for i in operation.inputs}
    network = Network(
        weights={str(i): value for i, value in constants.items() if value.dtype == np.float32 and i in read},
        inputs=tuple(shapes[i] for i in ends[0]),
        outputs=tuple(shapes[i] for i in ends[1]),
        _operations=tuple(operations),
        _integers={i: value for i, value in constants.items() if value.dtype.kind == "i"},
        _shapes=tuple(shapes),
        _ends=ends,
    )
    declared = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in network.inputs]
    jax.eval_shape(network, network.weights, *declared)  # checks every operator, and computes nothing
    return network


def read_constants(
    tensors: Sequence[Table], shapes: Sequence[tuple[int, ...]], buffers: Sequence[Table], most: int
) -> dict[int, np.ndarray]:
    """The tensors that have values in the file, by their number."""
    constants, total = {}, 0
    for number, (tensor, shape) in enumerate(zip(tensors, shapes, strict=True)):
        if (buffer := tensor.number(2, "I")) >= len(buffers):
            raise ValueError(f"its tensor {number} has its values in buffer {buffer} of {len(buffers)}")
        if len(data := buffers[buffer].numbers(0, "u1")):
            if (code := tensor.number(1, "b")) not in _DTYPES:
                raise ValueError(f"its tensor {number} has values of the type of code {code}, which is not read")
            if (total := total + len(data)) > most:
                raise ValueError(f"its tensors have more than {most:,} bytes of values")
            constants[number] = untrusted.shaped(data.data, np.dtype(_DTYPES[code]), shape)
    return constants


def _shape(tensor: Table) -> tuple[int, ...]:
    shape = tuple(tensor.numbers(0, "<i4").tolist())
    if untrusted.elements(shape) > _MOST_ELEMENTS:
        raise ValueError(f"it has a tensor of the shape {shape}, more than {_MOST_ELEMENTS:,} elements")
    return shape


def _kind(code: Table) -> Kind:
    number = max(code.number(0, "b"), code.number(3, "i"))
    if number not in KINDS:
        custom = code.text(1)
        raise ValueError(f"it has the operator {custom or number!r:.40}, which is not known here")
    return KINDS[number]


def _operation(table: Table, kinds: Sequence[Kind], tensors: int, constants: dict[int, np.ndarray]) -> Operation:
    if (place := table.number(0, "I")) >= len(kinds):
        raise ValueError(f"it has an operator of kind {place} of {len(kinds)}")
    kind = kinds[place]
    inputs = _indices(table.numbers(1, "<i4"), tensors, -1)
    outputs = _indices(table.numbers(2, "<i4"), tensors, 0)
    if not inputs or len(outputs) != 1 or outputs[0] in constants:
        raise ValueError(
            f"its operator {kind.name} has {len(inputs)} inputs and {len(outputs)} outputs, or a constant's"
        )
    options = table.table(4)
    if kind.reshapes and len(inputs) == 1 and options:
        inputs += (tensors + len(constants),)  # a number that no tensor has, new at each call
        constants[inputs[1]] = options.numbers(0, "<i4")
    read = {
        name: options.number(field, letter, default) if options else default
        for name, (field, letter, default) in kind.options.items()
    }
    return Operation(kind, read, inputs, outputs[0])


def _indices(numbers: np.ndarray, count: int, least: int) -> tuple[int, ...]:
    """Numbers of tensors. Raises `ValueError` where one is not between `least` and `count` - 1."""
    if len(numbers) > _MOST or any(not least <= number < count for number in numbers):
        raise ValueError(f"it names a tensor that is not one of its {count}")
    return tuple(numbers.tolist())


def _limited(tables: list[Table], what: str) -> list[Table]:
    if len(tables) > _MOST:
        raise ValueError(f"it has {len(tables):,} {what}, more than the {_MOST:,} that are read")
    return tables
