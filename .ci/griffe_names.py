"""For the site: an attribute list may describe several at once, as `width, skips: of the networks`.

The parser of docstrings takes one name an entry, so each such entry becomes one of its first name, and the others refer
to it.
"""

import re

import griffe

_TOGETHER = re.compile(r"^( +)(\w+), (\w+(?:, \w+)*): (.*(?:\n\1 .*)*)", re.MULTILINE)


def _apart(found: re.Match) -> str:
    indent, first, others, text = found.groups()
    return "\n".join([f"{indent}{first}: {text}", *(f"{indent}{name}: see `{first}`." for name in others.split(", "))])


class SeparateNames(griffe.Extension):
    """Gives every name an entry of its own."""

    def on_instance(self, *, obj: griffe.Object, **_: object) -> None:
        """Changes the docstring of `obj`, before it is parsed."""
        if obj.docstring:
            obj.docstring.value = _TOGETHER.sub(_apart, obj.docstring.value)
