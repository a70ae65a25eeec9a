"""Writes a copy of a run without the frames of its training identities."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lgan_jax import experiment, files, locks
from lgan_jax.apps.strip_references.command import Options
from lgan_jax.data import training_landmarks
from lgan_jax.interop.run import save_phase
from lgan_jax.training import workdir as folders


def strip_references(options: Options) -> int:
    """Writes the copy; returns the exit status. Raises as `strip`."""
    people = strip(options.workdir, options.out)
    print(f"{options.out} holds no frames; {options.workdir} still holds those of {', '.join(people)}")
    return 0


def strip(workdir: Path, out: Path) -> tuple[str, ...]:
    """Writes the run `out`, whole or not at all; returns the names of the identities whose frames were left out.

    Raises `FileExistsError` where `out` exists, and `ValueError`, one line, for a run that holds no frames, or whose
    weights hold its identities.
    """
    if out.exists():
        raise FileExistsError(f"--out {out} exists; choose another name")
    if not out.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {out.parent} for --out {out.name}")
    stored = folders.read_run(workdir)
    if folders.is_stripped(stored):
        raise ValueError(f"--workdir {workdir} was stripped already: it holds no person's frames")
    described = experiment.Experiment.read(stored["config"])
    if not described.holds_frames:
        raise ValueError(f"--workdir {workdir} holds no person's frames: its weights hold the identities")
    known = experiment.training_landmarks(workdir)
    finished = described.restored(experiment.information(stored), workdir)
    if "generator" not in finished:
        raise ValueError(f"--workdir {workdir} has not reached its generator phase yet: it holds no person's frames")
    record = {**_anonymous(stored), **folders.STRIPPED, folders.HOLDS: []}
    generator = finished["generator"]
    finished["generator"] = generator._replace(state=generator.phase.without_people(generator.state, blank=1))
    with locks.held(out, f"--out {out}"), files.Replacement(out, folder=True) as new, new.named():
        folders.open_run(new.part, record)
        for name, phase in finished.items():
            save_phase(new.part, name, phase, record)
        training_landmarks.write_mean(new.part, list(known.values()))
        new.commit()
    return tuple(known)


def _anonymous(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Config and data of the run's record, without names of people and of their folder."""
    config = {**stored["config"], "detector_run": "", "init_from": ""}
    config["data"] = {**config["data"], "dir": "", "cache": ""}
    name = stored["data"]["name"].partition(":")[0]
    config["data"].pop("held_out_subjects", None)  # names; the default takes its place
    return {"config": config, "data": {**stored["data"], "name": name, "identities": []}}
