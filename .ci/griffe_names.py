"""For the site: attributes that a docstring describes together (`width, skips: of the networks`) stay one entry.

The parser takes what follows the first space before the colon for a type; a space that does not break keeps the names.
"""

import re

import griffe

_TOGETHER = re.compile(r"^(\s+)(\w+(?:, \w+)+): ", re.MULTILINE)


class JoinedNames(griffe.Extension):
    """Joins the names of each such entry."""

    def on_instance(self, *, obj: griffe.Object, **_: object) -> None:
        """Changes the docstring of `obj`, before it is parsed."""
        if obj.docstring:
            obj.docstring.value = _TOGETHER.sub(
                lambda found: f"{found[1]}{found[2].replace(' ', chr(0xA0))}: ", obj.docstring.value
            )
