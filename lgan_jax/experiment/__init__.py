"""Experiments: trains and evaluates a config's run, and loads the model of a run's folder."""

from lgan_jax.experiment.evaluating import evaluate
from lgan_jax.experiment.loading import information, load, training_landmarks
from lgan_jax.experiment.settings import Experiment, chosen, every, kinds_at, scaled, strangers
from lgan_jax.experiment.training import described, train

__all__ = [
    "Experiment",
    "chosen",
    "described",
    "evaluate",
    "every",
    "information",
    "kinds_at",
    "load",
    "scaled",
    "strangers",
    "train",
    "training_landmarks",
]
