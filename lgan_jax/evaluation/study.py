"""Studies that take long, such as augmentation: their results are stored beside the report, and shown again later."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from lgan_jax import files

T = TypeVar("T", bound="Result")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """The result of a study; each study adds its own fields.

    Attributes:
      file: its file in the folder of the report.
      weights: which weights of the model it is of.
      fingerprint: of the data.
    """

    file: ClassVar[str]
    weights: str
    fingerprint: str

    def as_json(self) -> dict[str, Any]:
        """The content of the file: the fields at least."""
        return dataclasses.asdict(self)

    @classmethod
    def fields_of(cls, stored: Mapping[str, Any]) -> dict[str, Any]:
        """The fields, from the content of the file, where the keys of mappings are text and tuples are lists."""
        return {field.name: stored[field.name] for field in dataclasses.fields(cls)}


def run_or_read(
    kind: type[T], out: Path, weights: str, fingerprint: str, run: Callable[[], T] | None
) -> tuple[T | None, list[str]]:
    """Runs a study and stores its result; without `run`, reads the result that an earlier evaluation stored.

    A stored result of other weights or data is not returned; a warning says so. Raises `ValueError` where the file
    cannot be read, `OSError` where it cannot be written.

    Args:
      kind: of the result.
      out: the folder of the report, created if missing.
      weights: which weights of the model are evaluated.
      fingerprint: of the data.
      run: the study; None to read.
    """
    path = out / kind.file
    if run is not None:
        result = run()
        files.make_folder(out)
        files.write_text(path, json.dumps(result.as_json(), indent=2) + "\n")
        return result, []
    if not path.exists():
        return None, []
    try:
        result = kind(**kind.fields_of(json.loads(path.read_text())))
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read ({error!r}): delete it, or give --augmentation again") from None
    if (result.weights, result.fingerprint) != (weights, fingerprint):
        return None, [f"{kind.file} is of other weights or data, and not shown here: give --augmentation again."]
    return result, []
