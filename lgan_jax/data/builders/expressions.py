"""Tables of expression labels, `image,expression`, and expressions in the names of photos."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path

from lgan_jax.action_units import EXPRESSIONS, expression
from lgan_jax.data.builders import base

COLUMNS = ("image", "expression")
_WORDS = {name: name for name in EXPRESSIONS} | {
    "angry": "anger",
    "disgusted": "disgust",
    "afraid": "fear",
    "fearful": "fear",
    "happy": "happiness",
    "smile": "happiness",
    "smiling": "happiness",
    "sad": "sadness",
    "surprised": "surprise",
}


def named(stem: str) -> str:
    """The expression that the words of a file's name tell, as "smiling_2"; empty for none, or several."""
    found = {_WORDS[word] for word in re.findall(r"[a-z]+", stem.lower()) if word in _WORDS}
    return found.pop() if len(found) == 1 else ""


def table_text(labels: Mapping[str, str]) -> str:
    """A table of the expression of each image, by the file's name."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *labels.items()])
    return text.getvalue()


def read_table(path: Path) -> dict[str, int]:
    """The index in `EXPRESSIONS` of each image's expression, by the file's name.

    Raises `ValueError`, one line, for a file without these columns, or another expression.
    """
    try:
        rows = list(csv.reader(base.read_lines(path)))
        if not rows or tuple(rows[0]) != COLUMNS:
            raise ValueError(f"the first line must be {','.join(COLUMNS)}")
        return {image: expression(label) for image, label in filter(None, rows[1:])}
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path}: {error}") from None
