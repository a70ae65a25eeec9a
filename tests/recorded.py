"""Settings that note which of their fields are read."""

import dataclasses
import sys


def recording(settings, reads):
    """A copy of a dataclass whose fields, and those of dataclasses in it, are added to `reads` as (class, name).

    What a dataclass does to itself, checking or copying, does not count.
    """
    kind, names = type(settings), {field.name for field in dataclasses.fields(settings)}

    class Recorded(kind):
        def __getattribute__(self, name):
            if name in names:
                caller = sys._getframe(1).f_code
                if caller.co_name != "__post_init__" and not caller.co_filename.endswith("dataclasses.py"):
                    reads.add((kind, name))
            return super().__getattribute__(name)

        def __eq__(self, other):
            return settings == getattr(other, "recorded_from", other)

        __hash__ = None

    copy = object.__new__(Recorded)
    for name in names:
        value = getattr(settings, name)
        object.__setattr__(copy, name, recording(value, reads) if dataclasses.is_dataclass(value) else value)
    object.__setattr__(copy, "recorded_from", settings)
    return copy


def fields_of(*kinds):
    """(class, name) of every field of dataclasses, and of those that they hold."""
    found = set()
    for kind in kinds:
        for field in dataclasses.fields(kind):
            found.add((kind, field.name))
            default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
            if dataclasses.is_dataclass(default):
                found |= fields_of(type(default))
    return found
