"""From an `ml_collections` config to typed, checked, frozen settings.

Every part of the library declares its settings as a frozen dataclass; `read` fills one from a mapping and refuses
what does not belong there, so that a misspelt field is an error and no field can be set without being read.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def read(settings: type[T], values: Mapping[str, Any], where: str = "config") -> T:
    """Makes `settings` (a dataclass) from `values`; nested dataclasses are read from nested mappings.

    `where` is the dotted place of `values` in the config, for messages.
    Raises `ValueError` for an unknown field (with the nearest known one), a missing field, or a wrong type.
    """
    fields = {field.name: field for field in dataclasses.fields(settings)}
    hints = typing.get_type_hints(settings)
    for name in values:
        if name not in fields:
            raise ValueError(f"{where} has no field {name!r}{_nearest(name, fields)}")
    made = {}
    for name, field in fields.items():
        if name in values:
            made[name] = _value(hints[name], values[name], f"{where}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ValueError(f"{where}.{name} is not set and has no default")
    try:
        return settings(**made)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def defaults(settings: type) -> dict[str, Any]:
    """The fields of `settings` that have a default, nested dataclasses as nested dicts."""
    return completed(settings, {})


def completed(settings: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with the other fields of `settings` (a dataclass) that have a default, nested ones too.

    What a nested section does not say is as in the default of its field; but of a dataclass that is `WHOLE`, such as an
    optimizer's settings, as in that dataclass: a section replaces another whole. Unknown fields stay, for `read` to
    refuse.
    """
    made = {}
    for field in dataclasses.fields(settings):
        if field.default_factory is not dataclasses.MISSING:
            made[field.name] = field.default_factory()
        elif field.default is not dataclasses.MISSING:
            made[field.name] = field.default
    return _completed(made, values)


def _completed(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """`base`, whose values may be dataclasses, with `values` in their place."""
    both = {**base, **values}
    for name, default in base.items():
        if not dataclasses.is_dataclass(default):
            continue
        if name not in values:
            both[name] = dataclasses.asdict(default)
        elif isinstance(values[name], Mapping):
            whole = getattr(type(default), "WHOLE", False)
            fields = vars(type(default)()) if whole else vars(default)
            both[name] = _completed(fields, values[name])
    return both


def within(settings: Any, low: float | int, high: float | int, *names: str) -> None:
    """Raises `ValueError` for a field of `settings` that is no number from `low` to `high`; for `__post_init__`."""
    for name in names:
        if not low <= getattr(settings, name) <= high:
            bounds = f"at least {low:g}" if high == math.inf else f"between {low:g} and {high:g}"
            raise ValueError(f"{name} is {getattr(settings, name)}; it must be {bounds}")


def _nearest(name: str, known) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; its fields are {', '.join(sorted(known))}"


def _value(hint: Any, value: Any, where: str) -> Any:
    """`value` as the type that `hint` names, or a `ValueError` that says where it is not."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise ValueError(f"{where} must hold fields of its own, not {value!r}")
        return read(hint, value, where)
    if origin is typing.Literal:
        if value not in arguments:
            raise ValueError(f"{where} is {value!r}; it must be one of {', '.join(map(repr, arguments))}")
        return value
    if origin is types.UnionType:  # only `X | None`
        return None if value is None else _value(arguments[0], value, where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{where} must be a list, not {value!r}")
        return tuple(_value(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    return _plain(hint, value, where)


def _plain(hint: type, value: Any, where: str) -> Any:
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise ValueError(f"{where} must be {hint.__name__}, not {value!r}")
    return value
