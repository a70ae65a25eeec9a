"""`metrics.jsonl`: one JSON object a line, each with phase, step, kind (`train` or `eval`) and values.

Evaluations of several identities also have `identities`, the values of each.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lgan_jax.files import write_text
from lgan_jax.untrusted import check_fields


def read(path: Path) -> list[dict[str, Any]]:
    """All lines of the file; an incomplete last line of a killed run is ignored.

    Raises `ValueError`, which names the line, for a damaged line.
    """
    if not path.exists():
        return []
    return [_read(line, f"{path}, line {i}") for i, line in enumerate(_lines(path), 1)]


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(errors="replace").splitlines(keepends=True) if line.endswith("\n")]


def _read(text: str, where: str) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where} is damaged ({error}): remove it") from None
    check_fields(line, {"phase": str, "step": int, "kind": str, "values": dict}, where)
    return line


def rewind(path: Path, phase: str, step: int) -> None:
    """Removes a phase's lines after `step`, so that a resumed run logs nothing twice."""
    if path.exists():
        lines = [line for line in read(path) if line["phase"] != phase or line["step"] <= step]
        write_text(path, "".join(json.dumps(line) + "\n" for line in lines))


def append(path: Path, line: Mapping[str, Any]) -> None:
    """Appends one line. JSON has no NaN: non-finite numbers are written as null."""
    with path.open("a") as file:
        file.write(json.dumps(_finite(line)) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _finite(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {name: _finite(value) for name, value in tree.items()}
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree
