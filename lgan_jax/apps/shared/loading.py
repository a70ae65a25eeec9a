"""Loads the model of a run that `--workdir` names, and its training landmarks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import lgan_jax
from lgan_jax import experiment
from lgan_jax.data import training_landmarks as landmark_store
from lgan_jax.faces import align


def load(workdir: Path, kinds: type | tuple[type, ...], otherwise: str) -> Any:
    """The model of a run. Raises `ValueError`, "--workdir RUN `otherwise`", where it is of none of these `kinds`."""
    model = lgan_jax.load(workdir)
    if not isinstance(model, kinds):
        raise ValueError(f"--workdir {workdir} {otherwise}")
    return model


def training_landmarks(workdir: Path) -> Mapping[str, np.ndarray]:
    """The training landmarks `(k, N, 2)` of each identity that has any: a held-out person has none."""
    return {name: points for name, points in experiment.training_landmarks(workdir).items() if len(points)}


def framing(workdir: Path) -> Mapping[str, np.ndarray]:
    """Landmarks that say how a run's faces are framed: training landmarks; without any, `prepare`'s mean face."""
    mean_face = {"mean face": align.TEMPLATE[None].astype(np.float32)}
    return training_landmarks(workdir) if landmark_store.is_there(workdir) else mean_face
