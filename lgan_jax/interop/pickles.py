"""Pickles of unknown origin as inert trees: nothing that they name is imported, nothing that they call is called.

A pickle is a program for a small machine. This one knows the opcodes that files of weights need. It makes numbers,
text, bytes, tuples, lists (of sets too), dictionaries, and three records: `Name`, what the pickle would import; `Call`,
what it would make by calling a name; `Persistent`, what lies outside of the pickle. What those mean is up to the
readers of each format. An opcode that is not known, and a name that the reader does not allow, is refused.
"""

from __future__ import annotations

import dataclasses
import io
import pickletools
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

_MOST_OPCODES = 2_000_000  # some seconds; a large network's weights take 100,000
_MOST_BITS = 128  # of a whole number; PyTorch begins its files with one of 77
_LONGEST_KEY = 1000  # characters
_DEEPEST, _MOST_MEMBERS = 64, 100_000  # of modules in each other, and of what is in them
_MARK = object()
_VALUES = {  # the opcode's argument is the value
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
_FIXED = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "MARK": _MARK}
_EMPTY = {"EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": list}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_NOTHING = {"PROTO", "FRAME", "STOP"}
_KEYS = (str, int, float, bytes, type(None))


class RefusedError(ValueError):
    """A pickle asks for something that it is refused; the message names it."""

    def __init__(self, what: str):
        super().__init__(
            f"it asks for {' '.join(what.split()):.80}, which is no part of a file of weights: nothing of it is run"
        )


class Name(NamedTuple):
    """A name that a pickle would import."""

    module: str
    name: str


class Persistent(NamedTuple):
    """What lies outside of a pickle, by whatever the pickle knows it."""

    key: Any


@dataclasses.dataclass(eq=False)
class Call:
    """An object that a pickle would create by calling a name.

    Attributes:
      name: what would be called.
      arguments: with these.
      state: what would become its attributes; None where nothing would.
      items: what would become its items.
    """

    name: Name
    arguments: tuple[Any, ...]
    state: Any = None
    items: dict[Any, Any] = dataclasses.field(default_factory=dict)


def load(file: io.BytesIO, allowed: Callable[[Name], bool]) -> Any:
    """The tree of the next pickle in a file, which is read up to the pickle's end.

    Raises `RefusedError` for a name that is not `allowed`, or anything else that files of weights do not do;
    `ValueError` for a pickle that is damaged or cut off. Both are one line.
    """
    machine = _Machine(allowed)
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
            if count > _MOST_OPCODES:
                raise RefusedError("more steps than any file of weights takes")
            machine.step(opcode.name, argument)
        return machine.stack.pop()
    except RefusedError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"the pickle is cut off or damaged ({' '.join(str(error).split())})") from None


def fields(value: Any) -> Mapping[Any, Any] | None:
    """A dictionary, or the items of an unbuilt one, such as an `OrderedDict`; None for anything else."""
    if isinstance(value, Call):
        return {**_pairs(value.arguments), **value.items}
    return value if isinstance(value, dict) else None


def walk(
    root: Any, look: Callable[[Any], tuple[Collection[Any], Mapping[Any, Any]]]
) -> Iterator[tuple[tuple[str, ...], Any, Collection[Any]]]:
    """Path, node, and members of each node of a tree of modules; `look` gives a node's members and its inner nodes.

    Raises `ValueError` for a tree without end: nodes may be shared, and may hold themselves.
    """
    waiting, left = [((), root)], _MOST_MEMBERS
    while waiting:
        path, node = waiting.pop()
        members, inner = look(node)
        left -= 1 + len(members)
        if left < 0 or len(path) > _DEEPEST:
            raise ValueError("its modules are nested without end")
        yield path, node, members
        waiting += [((*path, str(name)), each) for name, each in reversed(inner.items())]


def _pairs(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    """The pairs that an `OrderedDict` of Python 2 contains."""
    pairs = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], list) else []
    return {pair[0]: pair[1] for pair in pairs if isinstance(pair, list | tuple) and _is_pair(pair)}


def _is_pair(pair: Any) -> bool:
    return len(pair) == 2 and _is_key(pair[0])


def _is_key(value: Any) -> bool:
    return isinstance(value, _KEYS) and not (isinstance(value, str | bytes) and len(value) > _LONGEST_KEY)


class _Machine:
    """The stack and the memory of a pickle while it is read."""

    def __init__(self, allowed: Callable[[Name], bool]):
        self.stack: list[Any] = []
        self._memory: dict[int, Any] = {}
        self._allowed = allowed

    def step(self, opcode: str, argument: Any) -> None:
        """Executes one opcode."""
        if opcode in _VALUES:
            if isinstance(argument, int) and argument.bit_length() > _MOST_BITS:
                raise RefusedError(f"a whole number of {argument.bit_length():,} bits")
            self.stack.append(argument)
        elif opcode in _FIXED:
            self.stack.append(_FIXED[opcode])
        elif opcode in _EMPTY:
            self.stack.append(_EMPTY[opcode]())
        elif opcode in _TUPLES:
            self.stack.append(tuple(self.pop(_TUPLES[opcode])))
        elif opcode in _ACTIONS:
            _ACTIONS[opcode](self, argument)
        elif opcode not in _NOTHING:
            raise RefusedError(f"the opcode {opcode}")

    def pop(self, count: int) -> list[Any]:
        """Takes the last values off the stack. Raises `IndexError` where there are fewer."""
        if len(self.stack) < count:
            raise IndexError("the stack is empty")
        values = self.stack[-count:]
        del self.stack[-count:]
        return values

    def since_mark(self) -> list[Any]:
        """What was pushed since the last mark; it and the mark are taken off."""
        place = len(self.stack) - 1
        while self.stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise IndexError("a mark is missing")
        values = self.stack[place + 1 :]
        del self.stack[place:]
        return values

    def remember(self, place: int | None) -> None:
        """Memoizes the last value, at the next index by default."""
        self._memory[len(self._memory) if place is None else place] = self.stack[-1]

    def recall(self, place: int) -> None:
        """Pushes a memoized value."""
        self.stack.append(self._memory[place])

    def name(self, argument: str | None) -> None:
        """Pushes a name: the argument's, module and name with a space between, or the last two values'."""
        found = Name(*(self.pop(2) if argument is None else argument.split(" ", 1)))
        if not all(isinstance(part, str) for part in found) or not self._allowed(found):
            raise RefusedError(".".join(part if isinstance(part, str) else "?" for part in found))
        self.stack.append(found)

    def make(self, _: None) -> None:
        """Pushes the call of a name with arguments."""
        called, arguments = self.pop(2)
        if not isinstance(called, Name) or not isinstance(arguments, tuple):
            raise RefusedError("a call of an object, not of a name")
        self.stack.append(Call(called, arguments))

    def build(self, _: None) -> None:
        """Records the state of an object."""
        called, state = self.pop(2)
        if not isinstance(called, Call):
            raise RefusedError("attributes of something that has none")
        called.state = state
        self.stack.append(called)

    def items(self, pairs: list[Any]) -> None:
        """Adds items to a dictionary, or to an object that is one; keys and values alternate."""
        target = self.stack[-1]
        into = target.items if isinstance(target, Call) else target
        if not isinstance(into, dict) or not all(map(_is_key, pairs[::2])):
            raise RefusedError("items of something that has none")
        into.update(zip(pairs[::2], pairs[1::2], strict=True))

    def append(self, values: list[Any]) -> None:
        """Appends to a list or a set."""
        if not isinstance(self.stack[-1], list):
            raise RefusedError("values in something that takes none")
        self.stack[-1].extend(values)


def _dictionary(machine: _Machine, _: None) -> None:
    pairs = machine.since_mark()
    machine.stack.append({})
    machine.items(pairs)


_ACTIONS: Mapping[str, Callable[[_Machine, Any], Any]] = {
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine.remember),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine.recall),
    **dict.fromkeys(("GLOBAL", "STACK_GLOBAL"), _Machine.name),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), _Machine.make),
    "BUILD": _Machine.build,
    "SETITEM": lambda machine, _: machine.items(machine.pop(2)),
    "SETITEMS": lambda machine, _: machine.items(machine.since_mark()),
    "APPEND": lambda machine, _: machine.append(machine.pop(1)),
    **dict.fromkeys(("APPENDS", "ADDITEMS"), lambda machine, _: machine.append(machine.since_mark())),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.since_mark())),
    **dict.fromkeys(("LIST", "FROZENSET"), lambda machine, _: machine.stack.append(machine.since_mark())),
    "DICT": _dictionary,
    "BINPERSID": lambda machine, _: machine.stack.append(Persistent(machine.stack.pop())),
    "POP": lambda machine, _: machine.pop(1),
    "POP_MARK": lambda machine, _: machine.since_mark(),
    "DUP": lambda machine, _: machine.stack.append(machine.stack[-1]),
}
