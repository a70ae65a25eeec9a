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
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def read(settings: type[T], values: Mapping[str, Any], where: str = "config") -> T:
    """Makes `settings` (a dataclass) from `values`; nested dataclasses are read from nested mappings.

    `where` is the dotted place of `values` in the config, for messages.
    Raises `ValueError` for an unknown field (with the nearest known one), a missing field, or a wrong type.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{where} must hold fields of its own, not {values!r}")
    fields = {field.name: field for field in dataclasses.fields(settings)}
    hints = typing.get_type_hints(settings)
    for name in values:
        if name not in fields:
            kind = f", which is {tag!r}," if (tag := _tag(settings)) else ""
            raise ValueError(f"{where}{kind} has no field {name!r}{_nearest(name, fields)}")
    given = {}
    for name, field in fields.items():
        if name in values:
            given[name] = _value(hints[name], values[name], f"{where}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ValueError(f"{where}.{name} is not set and has no default")
    try:
        return settings(**given)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def kinds(hint: Any) -> dict[str, type]:
    """The dataclasses of a tagged union, by the one value that their field `name` can have; else none.

    A config's section of such a type says by its `name` which of them it is. It has the fields of that kind and no
    others, and what it does not say is that kind's own default: a section replaces another whole.
    """
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return {tag: option for option in options if (tag := _tag(option))}


def _tag(option: Any) -> str | None:
    if not dataclasses.is_dataclass(option):
        return None
    names = typing.get_args(typing.get_type_hints(option).get("name"))
    return names[0] if len(names) == 1 else None


def kinds_at(settings: type, values: Mapping[str, Any], place: Sequence[str]) -> dict[str, type]:
    """The `kinds` of the section at `place` in `values`, which are of `settings`; none where it is no such section."""
    hint: Any = settings
    for part in place:
        hint = kinds(hint).get(values.get("name"), hint)
        hints = typing.get_type_hints(hint) if dataclasses.is_dataclass(hint) else {}
        hint, values = hints.get(part), values[part]
    return kinds(hint)


def completed(settings: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with the other fields of `settings` (a dataclass) that have a default, nested ones too.

    What a nested section does not say is as in the default of its field, or, of a tagged union, as `kinds` says.
    Unknown fields and kinds stay, for `read` to refuse.
    """
    given = {}
    for field in dataclasses.fields(settings):
        if field.default_factory is not dataclasses.MISSING:
            given[field.name] = field.default_factory()
        elif field.default is not dataclasses.MISSING:
            given[field.name] = field.default
    return _completed(settings, given, values)


def _completed(settings: type, base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """`base`, which are fields of `settings` and may be dataclasses, with `values` in their place."""
    both, hints = {**base, **values}, typing.get_type_hints(settings)
    for name, default in base.items():
        if not dataclasses.is_dataclass(default):
            continue
        if name not in values:
            both[name] = dataclasses.asdict(default)
        elif isinstance(values[name], Mapping):
            if tagged := kinds(hints[name]):
                kind = tagged.get(values[name].get("name"))
                both[name] = completed(kind, values[name]) if kind else values[name]
            else:
                both[name] = _completed(type(default), vars(default), values[name])
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
    if dataclasses.is_dataclass(hint) or kinds(hint):
        return _section(hint, value, where)
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


def _section(hint: Any, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} must hold fields of its own, not {value!r}")
    tagged = kinds(hint)
    if tagged and (name := value.get("name")) not in tagged:
        is_what = f"is {name!r}" if "name" in value else "is not set"
        raise ValueError(f"{where}.name {is_what}; it must be one of {', '.join(map(repr, tagged))}")
    return read(tagged[name] if tagged else hint, value, where)


def _plain(hint: type, value: Any, where: str) -> Any:
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise ValueError(f"{where} must be {hint.__name__}, not {value!r}")
    return value
