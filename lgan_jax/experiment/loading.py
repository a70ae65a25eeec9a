"""Loads the model and training landmarks of a run's folder."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from lgan_jax import landmarks
from lgan_jax.core import FaceInfo, Finished
from lgan_jax.data import training_landmarks as landmark_store
from lgan_jax.experiment.settings import Experiment
from lgan_jax.media.files import given
from lgan_jax.training import workdir


def load(folder: str | pathlib.Path) -> Any:
    """Loads the model of a trained run; its class depends on the run's method.

    Raises `FileNotFoundError` where there is no run or no checkpoint yet, `ValueError` where the run has not yet
    reached the phase that a model needs.
    """
    folder = given(folder)
    stored = workdir.read_experiment(folder)
    experiment = Experiment.read(stored["config"])
    info, finished = restored(experiment, folder, stored)
    model = experiment.method.load(info, finished)
    return model.without_people() if workdir.is_stripped(stored) else model


def restored(
    experiment: Experiment, folder: pathlib.Path, stored: Mapping[str, Any]
) -> tuple[FaceInfo, dict[str, Finished]]:
    """The data of the run in `folder` and the newest states of its phases; raises as `load`."""
    info = information(stored)
    if workdir.is_stripped(stored):  # its checkpoints hold one blank identity
        info = dataclasses.replace(info, identities=("nobody",))
    return info, experiment.restored(info, folder)


def information(stored: Mapping[str, Any]) -> FaceInfo:
    """The `FaceInfo` of a run's record."""
    about = stored["data"]
    scheme, people = landmarks.scheme(about["scheme"]), tuple(about["identities"])
    return FaceInfo(scheme, about["size"], people, about.get("pictures", 0))


def training_landmarks(folder: str | pathlib.Path) -> dict[str, np.ndarray]:
    """Landmarks that a run was trained on, by identity: `(at most 500, N, 2)` in [0, 1], evenly spaced over its frames.

    They describe the identities of a run without its data. For a run without reference frames the only entry is `mean`,
    the mean face `(1, N, 2)`, which describes the framing. Raises `FileNotFoundError` where there is no run, or a run
    without stored landmarks.
    """
    folder = given(folder)
    return dict(landmark_store.read(folder, workdir.read_experiment(folder)["data"]["identities"]))
