"""From a run's folder to what was trained there."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from lgan_jax import landmarks
from lgan_jax.core import FaceInfo
from lgan_jax.data import training_landmarks as stored
from lgan_jax.experiment.settings import Experiment
from lgan_jax.media.files import given
from lgan_jax.training import workdir


def load(folder: str | pathlib.Path) -> Any:
    """The model of a trained run, ready to use; its kind follows from the run's method.

    Raises `FileNotFoundError` where there is no run or nothing saved yet, `ValueError` where the run has not yet
    reached the phase that a model needs.
    """
    folder = given(folder)
    stored = workdir.read_experiment(folder)
    experiment, info = Experiment.read(stored["config"]), information(stored)
    stripped = workdir.is_stripped(stored)
    if stripped:  # its checkpoints hold one blank person
        info = dataclasses.replace(info, identities=("nobody",))
    model = experiment.method.load(info, experiment.restored(info, folder))
    return model.without_people() if stripped else model


def information(stored: Mapping[str, Any]) -> FaceInfo:
    """What a run's record says of its faces."""
    about = stored["data"]
    scheme, people = landmarks.scheme(about["scheme"]), tuple(about["identities"])
    return FaceInfo(scheme, about["size"], people, about.get("pictures", 0))


def training_landmarks(folder: str | pathlib.Path) -> dict[str, np.ndarray]:
    """Landmarks that a run was trained on, by identity: `(at most 500, N, 2)` in [0, 1], evenly spaced over its frames.

    They show which faces the run knows, without its data. Of a run that was stripped of its people they are `mean`, the
    mean face `(1, N, 2)` alone, which says how faces are framed. Raises `FileNotFoundError` where there is no run, or
    one that kept none.
    """
    folder = given(folder)
    return dict(stored.read(folder, workdir.read_experiment(folder)["data"]["identities"]))
