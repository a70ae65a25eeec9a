"""From a config to a trained and evaluated run, and from a run's folder back to a model."""

from lgan_jax.experiment.evaluating import evaluate
from lgan_jax.experiment.loading import information, load, training_landmarks
from lgan_jax.experiment.settings import Experiment, chosen
from lgan_jax.experiment.training import train

__all__ = ["Experiment", "chosen", "evaluate", "information", "load", "train", "training_landmarks"]
