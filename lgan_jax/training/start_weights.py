"""Fine-tuning: the weights of another run's phase that fit a new phase, and their copy in the new run's folder.

A phase starts from the trained networks of the phase of its name, EMA where there is one, and from the variables that
belong to them (`Phase.network_variables`). An array fits by path, shape and dtype. One of `Phase.per_identity` fits
with any number of identities: each identity of the new run starts from one of the other run. A mean over identities is
no choice: stacked networks are trained from different initial weights, so the mean of their weights is no network.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from lgan_jax import files, untrusted
from lgan_jax.core import Finished
from lgan_jax.training import parallel
from lgan_jax.training.train_state import by_path

FOLDER = "start"  # in a run's folder: its start weights, a file for each phase
_NAMED = 3  # arrays in a line


class Fit(NamedTuple):
    """Which arrays of a phase start from another run, by path.

    Attributes:
      shared: arrays that are copied.
      per_identity: arrays of which each identity gets one identity's part.
      afresh: arrays without counterpart.
    """

    shared: tuple[str, ...]
    per_identity: tuple[str, ...]
    afresh: tuple[str, ...]

    def lines(self, phase: str) -> list[str]:
        """A line for each network with arrays that do not fit."""
        fitting = [*self.shared, *self.per_identity]
        lines = []
        for network in dict.fromkeys(path.partition(".")[0] for path in self.afresh):
            missing, found = ([path for path in paths if _within(path, network)] for paths in (self.afresh, fitting))
            names = ", ".join(path.removeprefix(f"{network}.") for path in missing[:_NAMED])
            more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
            which = f"all weights fit but {names}{more}, which start" if found else "nothing fits; it starts"
            lines.append(f"{network} of {phase}: {which} from random weights")
        return lines


def fit(theirs: Finished, ours: Finished) -> Fit:
    """Compares the other run's phase with the new phase; the states may be abstract."""
    there = _weights(theirs)
    kinds: dict[str, list[str]] = {name: [] for name in Fit._fields}
    for path, array in _weights(ours).items():
        other = there.get(path)
        own = any(_within(path, whole) for whole in ours.phase.per_identity)
        if other is None or other.dtype != array.dtype or other.shape[int(own) :] != array.shape[int(own) :]:
            kinds["afresh"].append(path)
        else:
            kinds["per_identity" if own else "shared"].append(path)
    return Fit(**{name: tuple(paths) for name, paths in kinds.items()})


def selected(theirs: Finished, fitting: Fit, identities: Int[np.ndarray, " new"]) -> dict[str, np.ndarray]:
    """The arrays that fit, by path; `identities` are indices of the other run's, one for each of the new run."""
    weights = _weights(theirs)
    shared = {path: np.asarray(weights[path]) for path in fitting.shared}
    return shared | {path: np.asarray(weights[path])[identities] for path in fitting.per_identity}


def write(folder: Path, phases: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Writes the start weights of each phase into the run's folder, atomically; the other run is not needed any more.

    All processes call it. Raises `OSError` where the disk is full.
    """
    if parallel.is_first():
        with files.Replacement(folder / FOLDER, folder=True) as new, new.named():
            for name, arrays in phases.items():
                with (new.part / f"{name}.npz").open("wb") as file:
                    np.savez(file, **arrays)
            files.seal(new.part)
            new.commit()
    parallel.barrier("start weights written")


def are_there(folder: Path) -> bool:
    """Whether a run's folder has start weights."""
    return (folder / FOLDER).is_dir()


def read(folder: Path, phase: str) -> dict[str, np.ndarray]:
    """The start weights of a phase by path; none for a phase that starts afresh.

    Raises `ValueError`, one line, for damaged files.
    """
    start = folder / FOLDER
    path = start / f"{phase}.npz"
    if not path.exists():
        return {}
    if fault := files.damage(start):
        raise ValueError(f"the start weights in {start} are damaged ({fault}); start over in another --workdir")
    return untrusted.read_npz(path)


def _weights(finished: Finished) -> dict[str, Any]:
    """The trained networks of a state and the variables that belong to them, by path; EMA where there is one."""
    phase, state = finished
    values = {**state.variables, **state.params, **state.ema}
    return by_path({name: values[name] for name in (*state.optimizers, *phase.network_variables)})


def _within(path: str, whole: str) -> bool:
    return f"{path}.".startswith(f"{whole}.")
