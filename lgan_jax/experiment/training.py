"""From a config to a trained and evaluated run."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lgan_jax import data, files
from lgan_jax.core import FaceInfo
from lgan_jax.data import training_landmarks as landmark_store
from lgan_jax.experiment import fine_tuning
from lgan_jax.experiment.evaluating import check_weights, evaluate
from lgan_jax.experiment.settings import Experiment, upgraded, with_defaults
from lgan_jax.media.files import given
from lgan_jax.training import checkpoints, loop, machine, parallel, workdir
from lgan_jax.training.interrupts import Stopped


def train(config: Mapping[str, Any], folder: pathlib.Path) -> int:
    """Trains what `config` describes in the run's folder `folder`, then evaluates it. Returns an exit status.

    Another call resumes; a finished run is evaluated again. See `_may_change` for the fields that may differ then.
    Raises `ValueError` or `OSError`, one line, for errors of the user, before the data set is built where possible.
    """
    machine.retain_freed_memory()
    config, experiment = _read(config)
    fine_tuning.check_folder(experiment, folder)
    with parallel.alone(folder):
        workdir.check_run(folder, _plain(config), _may_change(folder, experiment.settings.phases), _upgraded)
        return _train(config, experiment, folder)


def described(config: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting of the run that `config` describes, in nested sections. Raises as `train`."""
    _, experiment = _read(config)
    settings = {"evaluation": experiment.evaluation, **experiment.phases}
    return dataclasses.asdict(experiment.settings) | {name: dataclasses.asdict(each) for name, each in settings.items()}


def _read(config: Mapping[str, Any]) -> tuple[Mapping[str, Any], Experiment]:
    """The config, completed and with the detector section of `detector_run`, and the parsed experiment."""
    experiment = Experiment.read(config)
    if not (other := experiment.settings.detector_run):
        return with_defaults(config), experiment
    config = with_defaults({**config, "detector": _detector_section(given(other), config)})
    return config, Experiment.read(config)


def _train(config: Mapping[str, Any], experiment: Experiment, folder: pathlib.Path) -> int:
    pretrained = experiment.pretrained()
    check_weights(experiment)
    faces, record, run = _opened(config, experiment, folder, pretrained)
    if parallel.is_first():
        _write_landmarks(faces, run)
    try:
        phases = experiment.training_phases(faces, pretrained, run)
        loop.run(phases, folder, experiment.settings.loop, record, _notes(faces, experiment, run))
    except Stopped as stopped:
        print(stopped, file=sys.stderr)
        return stopped.status
    except FloatingPointError as error:
        print(f"stopped: {error}", file=sys.stderr)
        return 1
    if parallel.is_first():
        evaluate(folder, faces=faces)
    return 0


def _opened(
    config: Mapping[str, Any], experiment: Experiment, folder: pathlib.Path, pretrained: Mapping[str, Any]
) -> tuple[data.FaceData, dict[str, Any], pathlib.Path]:
    """The data set, the run's record and its folder, with all that the run takes from other runs in it."""
    source = fine_tuning.source(experiment, folder)

    def rehearse(info: FaceInfo) -> None:
        phases = experiment.rehearse(info, pretrained)
        if source:
            source.fit(phases)

    faces = data.open_faces(experiment.settings.data, rehearse)
    experiment.check(faces)
    if other := experiment.settings.detector_run:
        _detector_section(given(other), config, {"scheme": faces.info.scheme.name, "size": faces.info.size})
    rehearse(faces.info)
    record = _record(config, experiment, faces)
    if source:
        record[workdir.STARTED] = source.described(faces)
    elif experiment.settings.init_from:
        record[workdir.STARTED] = workdir.read_run(folder)[workdir.STARTED]
    run = workdir.open_run(folder, record, _may_change(folder, experiment.settings.phases), _upgraded)
    if other:
        _copy_detector(given(other), run)
    if source:
        source.write(run, faces)
    return faces, record, run


def _record(config: Mapping[str, Any], experiment: Experiment, faces: data.FaceData) -> dict[str, Any]:
    """The run's record; see `workdir.open_run`."""
    record = {"config": _plain(config), "data": experiment.described(faces)}
    if experiment.left_out:
        record["left_out"] = list(experiment.left_out)
    if experiment.holds_frames:
        record[workdir.HOLDS] = list(faces.info.identities)
    return record


def _may_change(folder: pathlib.Path, phases: Sequence[str]) -> Callable[[workdir.Difference], bool]:
    """Whether the run in `folder`, with these phases, may be resumed with a config with this difference.

    Logging, evaluation and the data's folder may differ; the current phase and later phases may have another number of
    steps, not below the steps already trained.
    """
    taken = [checkpoints.newest_step(checkpoints.folder_of(folder, phase)) for phase in phases]
    reached = max((i for i, steps in enumerate(taken) if steps is not None), default=0)
    lengths = {f"config.{phases[i]}.steps": taken[i] or 0 for i in range(reached, len(phases))}
    logging = {f"config.loop.{field.name}" for field in dataclasses.fields(loop.Settings)} - {"config.loop.seed"}

    def may_change(change: workdir.Difference) -> bool:
        if change.place in lengths:
            return change.now >= lengths[change.place]
        return change.place in {"config.data.dir", *logging} or change.place.startswith("config.evaluation")

    return may_change


def _write_landmarks(faces: data.FaceData, folder: pathlib.Path) -> None:
    """Writes the training landmarks once, if the data set has landmarks."""
    if faces.has("landmarks") and not landmark_store.is_there(folder):
        landmark_store.write(folder, [landmark_store.landmarks(faces, i) for i in range(len(faces.info.identities))])


def _detector_section(other: pathlib.Path, config: Mapping[str, Any], about: Mapping[str, Any] = {}) -> dict[str, Any]:
    """The detector section of the config of the run in `other`, whose detector must be finished and fit the data."""
    if "detector" not in config["phases"]:
        raise ValueError("detector_run: this config has no detector phase to reuse")
    return checkpoints.finished_section(other, "detector", about)


def _copy_detector(other: pathlib.Path, folder: pathlib.Path) -> None:
    """Copies the checkpoints of a finished detector atomically; the run no longer needs `other` then."""
    source, target = (checkpoints.folder_of(run, "detector") for run in (other, folder))
    if parallel.is_first() and not target.exists():
        files.make_folder(target.parent)
        with files.Replacement(target, folder=True) as new:
            shutil.copytree(source, new.part, dirs_exist_ok=True)
            new.commit()
    parallel.barrier("detector taken over")


def _notes(faces: data.FaceData, experiment: Experiment, folder: pathlib.Path) -> Sequence[str]:
    """Lines printed at the start of a run: its data, omitted parts, and changes since the start."""
    info = faces.info
    people = (
        f"{len(info.identities)} identities ({faces.counted_people()}), {info.size}×{info.size}, {info.scheme.name}"
    )
    lines = [f"data: {faces.name}: {faces.counted()}, {people}"]
    shares = experiment.settings.data.shares or (None,) * len(faces.parts)
    for part, share in zip(faces.parts, shares, strict=True):
        of_all = "" if share is None else f"; {share:.1%} of the training examples"
        lines.append(f"  {part.name}: {part.counted()}, {part.counted_people()}{of_all}")
    if faces.built_in:
        lines.append("NOTE: no data folder was given: this run trains on the BUILT-IN FACES, rendered by this library.")
        lines.append("      Set your own with --config.data.dir=FOLDER.")
    stored = workdir.read_run(folder)
    lines += [*faces.notes, *stored.get(workdir.STARTED, {}).get("notes", ())]
    lines += [*(f"NOTE: trained without {each}." for each in experiment.left_out)]
    if experiment.holds_frames:
        lines.append(f"NOTE: this run's folder will hold frames of {', '.join(info.identities)}.")
        lines.append(
            "      Anyone with the folder has the frames; lgan_jax.apps.strip_references writes a copy without them."
        )
    lines += [f"WARNING: {each}" for each in experiment.warnings(faces)]
    return lines + [f"NOTE: since the start {each}." for each in stored.get(workdir.CHANGES, ())]


def _upgraded(record: Mapping[str, Any]) -> dict[str, Any]:
    """A stored record with `upgraded` config."""
    return {**record, "config": _plain(upgraded(record["config"]))}


def _plain(config: Any) -> Any:
    """A config as JSON-compatible values."""
    if isinstance(config, Mapping):
        return {name: _plain(value) for name, value in config.items()}
    return [_plain(value) for value in config] if isinstance(config, list | tuple) else config
