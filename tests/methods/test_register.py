"""A method from outside of the package: one call registers it, and the loop, the config and the evaluation know it."""

import dataclasses

import grain
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from small_configs import small_config

from lgan_jax import experiment, methods
from lgan_jax.training import loop
from lgan_jax.training.phase import Phase, PhaseRun
from lgan_jax.training.train_state import TrainState


@dataclasses.dataclass(frozen=True)
class Settings:
    steps: int = 2
    batch_size: int = 3


class MeanPhase(Phase):
    """Learns the mean color of images."""

    Settings = Settings
    grouping = "single"
    keys = ("image",)
    optimizers = {"mean": optax.sgd(0.5)}  # noqa: RUF012

    def init(self, key, batch):
        return TrainState.create({"mean": jnp.zeros(3)}, self.optimizers)

    def train_step(self, state, batch, key, variant=None):
        def loss(params):
            error = jnp.mean((batch["image"].mean((1, 2)) - params["mean"][None]) ** 2)
            return error, ({"error": error}, None)

        state, metrics, _ = state.descend(self.optimizers, loss, "mean")
        return state.finished_step(), metrics

    def eval_step(self, state, batch):
        return {"error": jnp.mean((batch["image"].mean((1, 2)) - state.params["mean"][None]) ** 2)}


class MeanColor:
    def __init__(self, info, phase, state):
        self.color = np.asarray(state.params["mean"])


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(methods, "METHODS", methods.METHODS.copy())
    monkeypatch.setattr(experiment.settings, "METHODS", methods.METHODS)
    method = methods.MethodSpec(
        name="mean_color",
        paper="none",
        phases={"mean": MeanPhase},
        model=methods.ModelSpec(MeanColor, ("mean",)),
        evaluation=methods.EvaluationSpec(Settings, lambda *_: None),
    )
    methods.register(method)
    return method


def test_a_registered_method_is_read_trained_and_loaded(registered, info, tmp_path):
    whole = {name: small_config("celebv")[name] for name in ("data", "loop")}
    config = {"method": "mean_color", "phases": ("mean",), "mean": {"batch_size": 5}, **whole}
    read = experiment.Experiment.read(config)
    assert read.method is registered
    images = {"image": np.full((5, 6, 7, 3), 0.25, np.float32)}
    run = PhaseRun(
        "mean",
        2,
        5,
        lambda earlier: read.build("mean", info, earlier),
        lambda: endless(images),
        images,
        [images],
        images,
    )
    finished = loop.run([run], tmp_path / "run", loop.Settings(), {"config": "toy"})
    assert int(finished["mean"].state.step) == 2
    np.testing.assert_allclose(registered.load(info, finished).color, 0.25 * (1 - (1 - 1 / 3) ** 2), rtol=1e-5)
    with pytest.raises(ValueError, match="the run has not reached its mean phase yet"):
        registered.load(info, {})
    with pytest.raises(ValueError, match="the method 'mean_color' is already registered"):
        methods.register(registered)


def endless(batch):
    """The same batch, without end."""
    data = grain.MapDataset.range(1).repeat().map(lambda _: batch)
    return iter(data.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=2)))
