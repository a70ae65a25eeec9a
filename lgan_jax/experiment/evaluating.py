"""Evaluates a run's folder and writes its report."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import rich.console

from lgan_jax import config as configs
from lgan_jax import data, interop, locks
from lgan_jax.evaluation import report
from lgan_jax.evaluation.harness import OtherRun
from lgan_jax.experiment.loading import load
from lgan_jax.experiment.settings import Experiment, upgraded
from lgan_jax.media.files import given
from lgan_jax.media.images import to_floats
from lgan_jax.nn.chunks import in_chunks
from lgan_jax.training import workdir
from lgan_jax.training.logs import metrics_file


def evaluate(
    folder: pathlib.Path,
    overrides: Mapping[str, Any] | None = None,
    data_dir: str | None = None,
    faces: data.FaceData | None = None,
) -> report.Report:
    """Evaluates the run in `folder` on its test split; writes `report/` there and prints the tables.

    Args:
      folder: folder of the run.
      overrides: fields of the config's `evaluation` to change.
      data_dir: new folder of the run's data set, if it was moved.
      faces: the run's data set, if it is already open.

    Raises `BlockingIOError` where another process evaluates the run, `ValueError` where the data differ from the run's
    training data, or this evaluation has no such field.
    """
    stored = workdir.read_experiment(folder)
    if workdir.is_stripped(stored):
        raise ValueError(f"{folder} was stripped of its reference frames: it has no identities to evaluate")
    with locks.held(folder / "report", f"the report of {folder}"):
        return _evaluate(folder, stored, dict(overrides or {}), data_dir, faces)


def _evaluate(
    folder: pathlib.Path,
    stored: Mapping[str, Any],
    overrides: Mapping[str, Any],
    data_dir: str | None,
    faces: data.FaceData | None,
) -> report.Report:
    experiment = Experiment.read(stored["config"])
    spec, settings = experiment.method.evaluation, experiment.evaluation
    whole = dataclasses.asdict(settings) | overrides
    settings = configs.read(type(settings), whole, f"the evaluation of {experiment.method.name}")
    if faces is None:
        where = experiment.settings.data
        faces = data.open_faces(where if data_dir is None else dataclasses.replace(where, dir=data_dir))
    if faces.fingerprint != stored["data"]["fingerprint"]:
        raise ValueError(f"{faces.name} differs from the data that {folder} was trained on ({stored['data']['name']})")
    finished = experiment.restored(faces.info, folder)
    about = {"Weights": ", ".join(f"{name} of step {int(each.state.step):,}" for name, each in finished.items())}
    if notes := [note for phase, state in finished.values() for note in phase.notes(state)]:
        about["While training"] = "; ".join(notes)
    if held := stored.get(workdir.HOLDS):
        about["Holds frames of"] = ", ".join(held)
    if started := stored.get(workdir.STARTED):
        about["Started from"] = "; ".join(started["notes"])
    if changed := stored.get(workdir.CHANGES):
        about["Changed since the start"] = "; ".join(changed)
    more: dict[str, Any] = {}
    if spec.compares:
        more["others"] = _others(settings.compare, stored, faces)
    if spec.inception and settings.inception:
        more["inception"] = _inception(settings.inception)
    if spec.history:
        more["history"] = _history(folder, *spec.history)
    model = experiment.method.load(faces.info, finished)
    result = spec.evaluate(model, faces, settings, folder / "report", about, **more)
    report.show_report(result, rich.console.Console())
    return result


def check_weights(experiment: Experiment) -> None:
    """Raises the errors of `evaluate` for its file of pretrained weights, before training."""
    if experiment.method.evaluation.inception and (path := experiment.evaluation.inception):
        interop.network("inception-fid", path)


def _others(folders: Sequence[str], stored: Mapping[str, Any], faces: data.FaceData) -> dict[str, OtherRun]:
    """Loads the runs that a run is compared with.

    Raises `ValueError` for a run of another method or of other data.
    """
    others = {}
    for path in map(given, folders):
        other = workdir.read_experiment(path)
        if other["data"]["fingerprint"] != faces.fingerprint or other["config"]["method"] != stored["config"]["method"]:
            raise ValueError(f"--compare {path}: this run has another method or other data, and cannot be compared")
        both = (upgraded(each["config"]) for each in (stored, other))
        configs_of_both = ({k: v for k, v in each.items() if k != "evaluation"} for each in both)
        difference = "; ".join(map(str, workdir.differences(*configs_of_both))) or "by nothing"
        others[path.resolve().name] = OtherRun(load(path), difference)
    return others


def _history(folder: pathlib.Path, phase: str, metric: str) -> list[tuple[int, float]]:
    """A metric of a phase at each evaluation during training, with the step."""
    lines = metrics_file.read(folder / "metrics.jsonl")
    evaluations = [line for line in lines if (line["phase"], line["kind"]) == (phase, "eval")]
    return [(line["step"], line["values"][metric]) for line in evaluations]


def _inception(path: str) -> Callable[[np.ndarray], np.ndarray]:
    """FID's feature extractor with the user's file of weights. Raises `ValueError` for other weights."""
    network = interop.network("inception-fid", path)
    features = jax.jit(lambda images: network.module.apply(network.variables, images)[0])
    return lambda images: in_chunks(features, to_floats(images))
