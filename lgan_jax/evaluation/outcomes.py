"""What an experiment that takes long found, kept as JSON beside the report, so that later reports show it again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from lgan_jax import files

T = TypeVar("T", bound="Outcome")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an experiment found; each has its own fields besides.

    Attributes:
      file: its file in the folder of the report.
      weights: which weights of the model it is of.
      fingerprint: of the data.
    """

    file: ClassVar[str]
    weights: str
    fingerprint: str

    def as_json(self) -> dict[str, Any]:
        """What the file holds: the fields at least."""
        return dataclasses.asdict(self)

    @classmethod
    def fields_of(cls, stored: Mapping[str, Any]) -> dict[str, Any]:
        """The fields out of what the file holds, where the keys of mappings are text and tuples are lists."""
        return {field.name: stored[field.name] for field in dataclasses.fields(cls)}


def write(outcome: Outcome, out: Path) -> None:
    """Writes the file into the folder of the report, made if missing: the whole file or nothing."""
    files.make_folder(out)
    files.write_text(out / outcome.file, json.dumps(outcome.as_json(), indent=2) + "\n")


def read(kind: type[T], out: Path, weights: str, fingerprint: str) -> tuple[T | None, list[str]]:
    """What an earlier experiment found with the same weights and data, if there was one, and a warning if it differs.

    Raises `ValueError` where the file cannot be read.
    """
    path = out / kind.file
    if not path.exists():
        return None, []
    try:
        outcome = kind(**kind.fields_of(json.loads(path.read_text())))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{path} cannot be read ({error!r}): delete it, or give --augmentation again") from None
    if (outcome.weights, outcome.fingerprint) != (weights, fingerprint):
        return None, [f"{kind.file} is of other weights or data, and not shown here: give --augmentation again."]
    return outcome, []
