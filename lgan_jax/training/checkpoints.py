"""Checkpoints of a phase: the whole state and the data's position, saved together, asynchronously and atomically.

They are stored in `checkpoints/<phase>/<step>/` of the run's folder, with checksums that are verified before a restore.
The state is saved once, not once per device.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grain
import jax
import numpy as np
import orbax.checkpoint as ocp

from lgan_jax import files
from lgan_jax.core import Finished
from lgan_jax.training import parallel
from lgan_jax.training.phase_run import PhaseRun
from lgan_jax.training.train_state import TrainState, by_path
from lgan_jax.training.workdir import about, check_format, read_experiment, read_run

_ITEMS = ("state", "data", "record")  # items of a checkpoint, a folder each
# System messages for a file that cannot be written.
_DISK = ("No space left", "Disk quota", "File too large", "Read-only file system", "Permission denied", "I/O error")


class NotSavedError(OSError):
    """Raised when a file of the run could not be written; names the file, the reason and the last good checkpoint."""


class Checkpoints:
    """The checkpoints of one phase; a context manager that waits for the last save on exit.

    Every method that writes raises `NotSavedError` (an `OSError`) where the disk is full or cannot be written;
    earlier checkpoints stay intact. `keep`: number of newest checkpoints to retain; `read_only` changes nothing in the
    folder. Raises `ValueError` if all checkpoints are damaged.

    Attributes:
      skipped: a line for each damaged checkpoint after the newest intact one: its fault, and where it was moved to.
    """

    def __init__(self, workdir: str | os.PathLike, phase: str, keep: int | None = None, read_only: bool = False):
        self.folder = folder_of(workdir, phase)
        self.phase = phase
        self._keep = keep
        if not read_only and parallel.is_first():
            files.make_folder(self.folder)
        self._saving = self._unsettled = None  # the step being saved, and the step not confirmed on disk yet
        self._newest, damaged = newest_whole(self.folder)
        if damaged and self._newest is None:
            faults = "; ".join(f"step {step:,}: {fault}" for step, fault in damaged.items())
            raise ValueError(f"no checkpoint in {self.folder} is intact ({faults}); delete it to start {phase} over")
        self.skipped = self._set_aside(damaged, read_only)
        self._manager = ocp.CheckpointManager(
            self.folder,
            item_handlers={
                "state": ocp.StandardCheckpointHandler(),
                "data": grain.checkpoint.CheckpointHandler(),
                "record": ocp.JsonCheckpointHandler(),
            },
            options=ocp.CheckpointManagerOptions(
                create=not read_only,
                cleanup_tmp_directories=not read_only,
                async_options=ocp.AsyncOptions(post_finalization_callback=self._seal),
            ),
        )

    def __enter__(self) -> Checkpoints:
        self._quiet = contextlib.ExitStack()
        self._quiet.enter_context(_quiet_threads())
        return self

    def __exit__(self, kind, error, _) -> None:
        with self._quiet:
            try:
                with self.explained(f"step {self._newest}"):
                    self._settle()
                    self._manager.close()
            except NotSavedError:
                if error is None:  # a propagating error has its own message
                    raise

    @property
    def newest(self) -> int | None:
        """The newest step that was saved intact, or is being saved."""
        return self._newest

    def save(self, step: int, state: TrainState, data: Iterator, record: Mapping[str, Any]) -> None:
        """Starts saving `state` (host arrays that must not change any more) and the position of `data`."""
        if step == self._newest:
            return
        if int(state.step) != step:
            raise ValueError(f"{self.phase}: train_step left the state's `step` at {state.step} after step {step}")
        with self.explained(f"step {step}"):
            self._settle()
            self._saving = self._unsettled = step
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(state),
                    data=grain.checkpoint.CheckpointSave(data),
                    record=ocp.args.JsonSave({"phase": self.phase, "step": step, **about(), **record}),
                ),
            )
        self._newest = step

    def wait(self) -> None:
        """Waits until everything is on disk."""
        with self.explained(f"step {self._newest}"):
            self._settle()

    def _seal(self) -> None:
        """Adds checksums to a saved checkpoint and flushes it before its final rename."""
        if parallel.is_first():
            for unfinished in self.folder.glob(f"{self._saving}.*tmp*"):
                for item in _ITEMS:
                    files.seal(unfinished / item)

    def _settle(self) -> None:
        """Waits until the last save is on disk, and only then removes older checkpoints."""
        saved, self._unsettled = self._unsettled, None
        self._manager.wait_until_finished()
        self._manager.check_for_errors()
        # A failed save leaves no such folder; if Orbax has not raised its error yet, it does on close.
        if saved is not None and parallel.is_first() and (self.folder / str(saved)).is_dir():
            files.sync(self.folder / str(saved))
            files.sync_entries(self.folder)
            for step in _steps(self.folder)[: -self._keep] if self._keep else ():
                shutil.rmtree(self.folder / str(step))

    def _set_aside(self, damaged: Mapping[int, str], read_only: bool) -> list[str]:
        """Moves damaged checkpoints aside, unless read-only; returns a line for each."""
        lines = []
        if not read_only:
            parallel.barrier(f"checkpoints of {self.phase} checked")
        for step, fault in damaged.items():
            aside = self.folder.parents[1] / "damaged" / f"{self.phase}-{step}"
            if not read_only and parallel.is_first():
                files.make_folder(aside.parent)
                shutil.rmtree(aside, ignore_errors=True)
                (self.folder / str(step)).rename(aside)
            where = "skipped" if read_only else f"moved to {aside}"
            lines.append(f"the checkpoint of step {step:,} of {self.phase} is damaged ({fault}) and was {where}")
        return lines

    def restore(self, abstract: TrainState, data: Iterator | None = None) -> TrainState:
        """The newest state, as host arrays of the abstract state's shapes and dtypes; sets `data` to its position.

        Raises `ValueError` if the checkpoint has another format, tree or number of processes.
        """
        where = self.folder / str(self._newest)
        record = self._manager.restore(self._newest, args=ocp.args.Composite(record=ocp.args.JsonRestore())).record
        check_format(record, where)
        self._check(abstract, where)
        items = {"state": ocp.args.StandardRestore(jax.tree.map(lambda x: np.empty(x.shape, x.dtype), abstract))}
        if data is not None:
            items["data"] = grain.checkpoint.CheckpointRestore(data)
            count = len(list((where / "data").glob("process_*.json")))
            if count != jax.process_count():
                raise ValueError(
                    f"{where} was saved by {count} processes; resume it with as many, not {jax.process_count()}"
                )
        return self._manager.restore(self._newest, args=ocp.args.Composite(**items)).state

    def _check(self, abstract: TrainState, where: Path) -> None:
        """Checks shapes and dtypes; restoring would silently cast another dtype."""
        saved = _described(self._manager.item_metadata(self._newest).state.tree)
        expected = _described(abstract)
        for name in sorted(saved.keys() | expected.keys()):
            if saved.get(name) != expected.get(name):
                raise ValueError(
                    f"{where} does not fit this version's phase {self.phase}: {name} is "
                    f"{saved.get(name, 'missing')} there, {expected.get(name, 'missing')} here"
                )

    def newest_line(self) -> str:
        """A line that names the last good checkpoint."""
        step = newest_step(self.folder)
        return "nothing has been saved yet" if step is None else f"the last good checkpoint is step {step}"

    def _is_ours(self, path: str | os.PathLike) -> bool:
        return Path(path).resolve().is_relative_to(self.folder.parents[1])

    @contextlib.contextmanager
    def explained(self, what: str):
        """Converts an error of a full or read-only disk, from Orbax or our own files, to `NotSavedError`."""
        try:
            yield
        except Exception as error:
            reason = next((reason for reason in _DISK if reason in str(error)), None)
            elsewhere = isinstance(error, OSError) and error.filename and not self._is_ours(error.filename)
            if reason is None or elsewhere or isinstance(error, NotSavedError):
                raise
            raise NotSavedError(
                f"could not save {what} in {self.folder}: {reason}; free space there and run the same command again; "
                f"{self.newest_line()}"
            ) from error


def _described(tree: Any) -> dict[str, str]:
    """Path → shape and dtype of every array of a tree; the same for a state and for Orbax's metadata."""
    return {name: f"{np.dtype(leaf.dtype)}{list(leaf.shape)}" for name, leaf in by_path(tree).items()}


def folder_of(workdir: str | os.PathLike, phase: str) -> Path:
    """The folder of a phase's checkpoints, one folder per step."""
    return (Path(workdir) / "checkpoints" / phase).resolve()


def newest_step(folder: Path) -> int | None:
    """The newest completely saved step in a phase's folder; does not verify checksums."""
    return max(_steps(folder), default=None)


def _steps(folder: Path) -> list[int]:
    """All completely saved steps in a phase's folder. Unfinished saves have longer names."""
    return sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdigit()) if folder.is_dir() else []


def newest_whole(folder: Path) -> tuple[int | None, dict[int, str]]:
    """The newest intact step, and the faults of later steps."""
    damaged: dict[int, str] = {}
    for step in reversed(_steps(folder)):
        fault = _damage(folder / str(step))
        if fault is None:
            return step, damaged
        damaged[step] = fault
    return None, damaged


def _damage(checkpoint: Path) -> str | None:
    """The fault of a checkpoint, or None."""
    for item in _ITEMS:
        sealed = files.is_sealed(checkpoint / item)
        fault = files.damage(checkpoint / item) if sealed else "it has no checksums"
        if fault is not None:
            return f"{item}: {fault}"
    return None


def finished_section(workdir: str | os.PathLike, phase: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The config's section of a run's finished phase, so that another run can reuse its weights.

    Raises `ValueError`, one line, where the run has no such phase, has not finished it, or its record of the data
    differs from `data` in one of the fields there.
    """
    stored = read_experiment(workdir)
    if phase not in stored["config"]["phases"]:
        raise ValueError(f"{workdir} has no {phase} phase")
    theirs = stored["data"]
    if differing := [f"{name} {theirs[name]}, not {value}" for name, value in data.items() if theirs[name] != value]:
        raise ValueError(f"the {phase} of {workdir} is for {', '.join(differing)}")
    section = stored["config"][phase]
    if newest_step(folder_of(Path(workdir), phase)) != section["steps"]:
        raise ValueError(f"the {phase} of {workdir} is not finished; train it to its end first")
    return section


def restore_finished(phases: Sequence[PhaseRun], workdir: str | os.PathLike) -> dict[str, Finished]:
    """The newest state of every phase of a run that has a checkpoint, in order, as JAX's arrays.

    The last phase may be unfinished: its state's `step` tells how far it has trained. Neither `batches` nor
    `sample_batch` of a phase is used, and of `eval_batches` only shapes.

    Raises `FileNotFoundError` where there is no run or no checkpoint yet, `ValueError` for another format.
    """
    read_run(workdir)
    restored: dict[str, Finished] = {}
    for phase in phases:
        if newest_step(folder_of(workdir, phase.name)) is None:
            break
        built = phase.build(restored)
        with Checkpoints(workdir, phase.name, read_only=True) as checkpoints:
            for line in checkpoints.skipped:
                print(f"NOTE: {line}", file=sys.stderr)
            state = checkpoints.restore(phase.abstract_state(built.init))
        restored[phase.name] = Finished(built, jax.device_put(state))
    if not restored:
        raise FileNotFoundError(f"there is no checkpoint in {Path(workdir) / 'checkpoints'} yet; train first")
    return restored


@contextlib.contextmanager
def _quiet_threads():
    """Suppresses printed errors of a failed save in Orbax's threads; the error is raised to the caller as well."""

    def is_not_orbax(record: logging.LogRecord) -> bool:
        return "orbax" not in record.pathname

    def hook(unraisable) -> None:
        if str(unraisable.exc_value) != "Event loop is closed":  # a second file of the same save
            previous(unraisable)

    previous, sys.unraisablehook = sys.unraisablehook, hook
    logging.getLogger("absl").addFilter(is_not_orbax)
    try:
        yield
    finally:
        logging.getLogger("absl").removeFilter(is_not_orbax)
        sys.unraisablehook = previous
