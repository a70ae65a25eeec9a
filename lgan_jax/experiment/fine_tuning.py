"""Fine-tuning: the run that a new run starts from (`init_from` of a config)."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from lgan_jax import data, landmarks
from lgan_jax.core import Finished
from lgan_jax.data import training_landmarks as landmark_store
from lgan_jax.experiment.loading import restored, training_landmarks
from lgan_jax.experiment.settings import Experiment
from lgan_jax.landmarks import Scheme
from lgan_jax.media.files import given
from lgan_jax.training import start_weights, workdir


class Source:
    """The run that a new run starts from: the newest states of its phases, and which of their arrays fit."""

    def __init__(self, run: str, phases: tuple[str, ...], method: str) -> None:
        """Reads the run in the folder `run`; `phases` are those of the new run that may start from it.

        Raises `FileNotFoundError` where there is no run or no checkpoint, `ValueError`, one line, for a run of another
        method or format.
        """
        self.run, self.folder = run, given(run)
        self.stored = workdir.read_experiment(self.folder)
        if (theirs := self.stored["config"]["method"]) != method:
            raise ValueError(f"init_from: {run} is a run of {theirs}, not of {method}")
        experiment = Experiment.read(self.stored["config"])
        self.info, finished = restored(experiment, self.folder, self.stored)
        self.finished = {name: finished[name] for name in phases if name in finished}
        self._absent = [name for name in phases if name not in finished]
        self._fits: dict[str, start_weights.Fit] = {}

    def fit(self, phases: Mapping[str, Finished]) -> None:
        """Compares the run with the new run's phases. Raises `ValueError`, one line, where nothing fits."""
        fits = {name: start_weights.fit(theirs, phases[name]) for name, theirs in self.finished.items()}
        if not any(each.shared or each.per_identity for each in fits.values()):
            raise ValueError(
                f"init_from: nothing in {self.run} fits: no trained array of a phase of the same name has the name and "
                "shape of one here; compare the settings of the networks (--print_config, and config in its run.json)"
            )
        self._fits = fits

    def described(self, faces: data.FaceData) -> dict[str, Any]:
        """The field of the new run's manifest: the run, its data, the steps of its phases, and notes for the report."""
        about = self.stored["data"]
        steps = {name: int(finished.state.step) for name, finished in self.finished.items()}
        which = ", ".join(f"{name} of step {step:,}" for name, step in steps.items())
        notes = [f"fine-tuning: starts from {self.run} ({about['name']}, {about['fingerprint']}): {which}"]
        notes += [line for name, each in self._fits.items() for line in each.lines(name)]
        notes += [f"{name} starts from random weights: {self.run} has not trained this phase" for name in self._absent]
        if any(each.per_identity for each in self._fits.values()):
            pairs = zip(faces.info.identities, self._nearest(faces), strict=True)
            notes.append("identities: " + ", ".join(f"{name} from {self.info.identities[i]}" for name, i in pairs))
        return {"run": self.run, "data": about["name"], "fingerprint": about["fingerprint"], "steps": steps} | {
            "notes": notes
        }

    def write(self, folder: pathlib.Path, faces: data.FaceData) -> None:
        """Writes the start weights into the new run's folder, which needs this run no longer."""
        stacked = any(each.per_identity for each in self._fits.values())
        nearest = self._nearest(faces) if stacked else np.zeros(0, int)
        fitting = {
            name: start_weights.selected(self.finished[name], each, nearest) for name, each in self._fits.items()
        }
        start_weights.write(folder, fitting)

    def _nearest(self, faces: data.FaceData) -> Int[np.ndarray, " new"]:
        """For each identity of the new data, the index of the run's identity with the nearest mean landmarks."""
        new = [landmark_store.landmarks(faces, i) for i in range(len(faces.info.identities))]
        known = list(training_landmarks(self.folder).values())
        ours, theirs = _mean_faces(new, faces.info.scheme), _mean_faces(known, self.info.scheme)
        return np.linalg.norm(ours[:, None] - theirs[None], axis=-1).mean(-1).argmin(1)


def check_folder(experiment: Experiment, folder: pathlib.Path) -> None:
    """Raises `ValueError`, one line, where the run in `folder` is to start from itself."""
    other = experiment.settings.init_from
    if other and given(other).resolve() == folder.expanduser().resolve():
        raise ValueError(f"init_from: {other} is the folder of the new run itself; choose another --workdir")


def source(experiment: Experiment, folder: pathlib.Path) -> Source | None:
    """The run that the new run in `folder` starts from; None without one, or if its weights are in `folder` already.

    Raises as `Source`.
    """
    settings = experiment.settings
    if not settings.init_from or start_weights.are_there(folder):
        return None
    phases = tuple(name for name in settings.phases if not (name == "detector" and settings.detector_run))
    return Source(settings.init_from, phases, settings.method)


def _mean_faces(of_each: list[np.ndarray], scheme: Scheme) -> Float[np.ndarray, "identities 49 2"]:
    return np.stack([landmarks.to_inner49(points, scheme).mean(0) for points in of_each])
