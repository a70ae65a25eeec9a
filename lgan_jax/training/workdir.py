"""The run's folder: its manifest `run.json`, and the check whether a run can be resumed."""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax

from lgan_jax import files, untrusted
from lgan_jax.training import parallel

FORMAT = 3  # of the run's folder and its checkpoints; increased when older versions cannot read them
_NAME = "run.json"
CHANGES = "changes"  # field of `run.json`: changes since the start of the run, a line each
STRIPPED = {"references": "stripped"}  # in the record of a run without reference frames
STARTED = "started_from"  # field of `run.json`: the run that this one was fine-tuned from
HOLDS = "holds_frames_of"  # field of `run.json`: identities whose frames are stored in the run's checkpoints
_ABOUT = ("format", "lgan_jax", "jax", "devices", CHANGES)  # fields that may differ when a run is resumed
_VERSIONS = {"format": int, "lgan_jax": str}
_PARTS: Mapping[str, Mapping[str, type]] = {  # required fields of an experiment's record
    "config": {"method": str, "phases": list},
    "data": {"name": str, "fingerprint": str, "scheme": str, "size": int, "identities": list},
}
_SHOWN = 4  # differing fields in a message


class Difference(NamedTuple):
    """A field, by its dotted path, in which two records differ; None where the field is missing."""

    place: str
    was: Any
    now: Any

    def __str__(self) -> str:
        if isinstance(self.was, dict) or isinstance(self.now, dict):
            return f"{self.place} {'is new' if self.was is None else 'is gone'}"
        return f"{self.place} was {self.was!r}, is {self.now!r}"


def open_run(
    workdir: str | os.PathLike,
    record: Mapping[str, Any],
    may_change: Callable[[Difference], bool] = lambda _: False,
    upgraded: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda stored: stored,
) -> Path:
    """Opens or creates a run's folder for training with this record. All processes call it.

    `record` (config and data) must be equal when a run is resumed, except for differences that `may_change` admits;
    `upgraded` first gives the stored one fields that did not exist when it was written. It is written to `run.json`
    with the versions of the folder's format, the library and JAX, the devices, and the changes since the start.

    Raises `ValueError` if the folder belongs to another record or another format, `FileExistsError` if it holds
    files but no run, and `OSError` where it cannot be written.
    """
    workdir = Path(workdir).expanduser()
    record = json.loads(json.dumps(record))
    if parallel.is_first():
        files.make_folder(workdir)
        if not (workdir / _NAME).exists():
            _start(workdir, record)
    parallel.barrier("run folder opened")
    stored = read_run(workdir)
    theirs = {k: v for k, v in stored.items() if k not in _ABOUT}
    changes = _changes(workdir, upgraded(theirs), record, may_change)
    if theirs != record:
        parallel.barrier("run folder read")
        if parallel.is_first():
            about = {k: stored[k] for k in _ABOUT if k in stored}
            if changes:
                about[CHANGES] = [*stored.get(CHANGES, []), *map(str, changes)]
            _write(workdir, {**about, **record})
        parallel.barrier("run folder changed")
    return workdir.resolve()


def check_run(
    workdir: str | os.PathLike,
    config: Mapping[str, Any],
    may_change: Callable[[Difference], bool],
    upgraded: Callable[[Mapping[str, Any]], Mapping[str, Any]],
) -> None:
    """Raises the errors of `open_run` for this config before the data are known. Writes nothing."""
    workdir = Path(workdir)
    if (workdir / _NAME).exists():
        stored = {"config": read_experiment(workdir)["config"]}
        _changes(workdir, upgraded(stored), json.loads(json.dumps({"config": config})), may_change)
    elif workdir.exists():
        _check_empty(workdir)


def _changes(
    workdir: Path, stored: Mapping[str, Any], record: Mapping[str, Any], may_change: Callable[[Difference], bool]
) -> list[Difference]:
    """The differences of two records. Raises `ValueError` for a difference that is not admitted."""
    changes = list(differences(stored, record))
    if refused := [str(change) for change in changes if not may_change(change)]:
        more = f"; and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else ""
        raise ValueError(
            f"{workdir} holds a run of another config: {'; '.join(refused[:_SHOWN])}{more}. "
            f"Choose another --workdir, or delete {workdir} to start over"
        )
    return changes


def read_run(workdir: str | os.PathLike) -> dict[str, Any]:
    """Reads the run manifest `run.json`: the record, format, versions and devices.

    Raises `FileNotFoundError` where there is no run, `ValueError` for another format or a damaged file.
    """
    path = Path(workdir).expanduser() / _NAME
    if not path.is_file():
        raise FileNotFoundError(f"there is no run in {workdir}: {path} does not exist; train.py writes it")
    try:
        stored = untrusted.read_record(path, _VERSIONS)
    except ValueError as error:
        raise ValueError(f"{error}; restore it or start in another --workdir") from None
    check_format(stored, path)
    return stored


def read_experiment(workdir: str | os.PathLike) -> dict[str, Any]:
    """As `read_run`, for the run of an experiment: also checks the fields of its config and data."""
    stored, where = read_run(workdir), str(Path(workdir) / _NAME)
    for part, fields in _PARTS.items():
        untrusted.check_fields(stored, {part: dict}, where)
        untrusted.check_fields(stored[part], fields, f"{part} in {where}")
    return stored


def is_stripped(stored: Mapping[str, Any]) -> bool:
    """Whether the reference frames were removed from a run, so that it has no identities."""
    return stored.items() >= STRIPPED.items()


def check_format(stored: Mapping[str, Any], where: str | os.PathLike) -> None:
    """Raises `ValueError` if `stored` has a format that this version does not read."""
    theirs, number = stored["lgan_jax"], stored["format"]
    if number != FORMAT:
        advice = "upgrade lgan_jax" if number > FORMAT else "open it with that version, or train it again"
        raise ValueError(
            f"{where} was written by lgan_jax {theirs} (format {number}); this version reads format {FORMAT}: {advice}"
        )


def about() -> dict[str, Any]:
    """Format and versions, as stored in `run.json` and with every checkpoint."""
    return {"format": FORMAT, "lgan_jax": importlib.metadata.version("lgan_jax"), "jax": jax.__version__}


def _check_empty(workdir: Path) -> None:
    strangers = sorted(entry.name for entry in workdir.iterdir() if not entry.name.startswith("."))
    if strangers:
        raise FileExistsError(
            f"{workdir} holds files that do not belong to a run ({', '.join(strangers[:3])}); choose another --workdir"
        )


def _start(workdir: Path, record: Mapping[str, Any]) -> None:
    _check_empty(workdir)
    devices = [f"{device.device_kind} {device.id}" for device in jax.devices()]
    _write(workdir, {**about(), "devices": devices, **record})


def _write(workdir: Path, stored: Mapping[str, Any]) -> None:
    files.write_text(workdir / _NAME, json.dumps(stored, indent=2) + "\n")


def differences(was: Any, now: Any, place: str = "") -> Iterator[Difference]:
    """Yields each field in which two records differ; `place` is the path of the records.

    A section that only one record has is one difference.
    """
    if not (isinstance(was, dict) and isinstance(now, dict)):
        if was != now:
            yield Difference(place, was, now)
        return
    for name in sorted(was.keys() | now.keys()):
        yield from differences(was.get(name), now.get(name), f"{place}.{name}" if place else name)
