"""A run without anybody's frames: `python -m lgan_jax.apps.strip_references`; `--help` says the rest."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lgan_jax import cli, files, locks

_PROGRAM = "strip_references"
_DESCRIPTION = """\
Writes a run without the frames that it holds of the people it was trained on, to hand on.

A LandmarkGAN run whose generator has the form "reference" keeps frames of everybody in its checkpoints. The copy has
the networks and what is common to all faces; it has nobody's frames, names, landmarks or statistics, no report, logs
or sample images. It knows nobody: reenact and edit need --reference, and lgan_jax.load(OUT) a call of with_person. The
networks were trained on these people all the same."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the flags, writes the run, returns the exit status."""
    parser = cli.Parser("lgan_jax.apps.strip_references", _DESCRIPTION)
    parser.add_argument(
        "--workdir", required=True, metavar="RUN", type=Path, help="folder of a trained LandmarkGAN run"
    )
    parser.add_argument("--out", required=True, metavar="OUT", type=Path, help="folder to write; it must not exist yet")
    given = parser.parse_args(arguments)
    people = strip(given.workdir, given.out)
    print(f"{given.out} holds no frames; {given.workdir} still holds those of {', '.join(people)}")
    return 0


def strip(workdir: Path, out: Path) -> tuple[str, ...]:
    """Writes the run `out`, whole or not at all; returns the names of those whose frames were left out.

    Raises `FileExistsError` where `out` exists, and `ValueError`, one line, for a run that holds no frames, or whose
    networks know people by name.
    """
    from lgan_jax import experiment  # after the flags: --help need not wait for JAX
    from lgan_jax.data import kept
    from lgan_jax.interop.run import save_phase
    from lgan_jax.training import workdir as folders

    if out.exists():
        raise FileExistsError(f"--out {out} exists; choose another name")
    if not out.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {out.parent} for --out {out.name}")
    stored = folders.read_run(workdir)
    if folders.is_stripped(stored):
        raise ValueError(f"--workdir {workdir} was stripped already: it holds nobody's frames")
    described = experiment.Experiment.read(stored["config"])
    if not described.holds_frames:
        raise ValueError(f"--workdir {workdir} holds nobody's frames: its networks know people by their weights alone")
    known = experiment.training_landmarks(workdir)
    finished = described.restored(experiment.information(stored), workdir)
    if "generator" not in finished:
        raise ValueError(f"--workdir {workdir} has not reached its generator phase yet: it holds nobody's frames")
    record = {**_anonymous(stored), **folders.STRIPPED, folders.HOLDS: []}
    generator = finished["generator"]
    finished["generator"] = generator._replace(state=generator.method.without_people(generator.state, blank=1))
    with locks.held(out, f"--out {out}"), files.Replacement(out, folder=True) as new, new.named():
        folders.open_run(new.part, record)
        for name, phase in finished.items():
            save_phase(new.part, name, phase, record)
        kept.write_mean(new.part, list(known.values()))
        new.commit()
    return tuple(known)


def _anonymous(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Config and data of the run's record, without names of people and of their folder."""
    config = {**stored["config"], "detector_run": ""}
    config["data"] = {**config["data"], "dir": "", "cache": ""}
    name = stored["data"]["name"].partition(":")[0]
    config["data"].pop("held_out_subjects", None)  # names; the default takes its place
    return {"config": config, "data": {**stored["data"], "name": name, "identities": []}}


if __name__ == "__main__":
    sys.exit(cli.run(main, _PROGRAM))
