"""Every config: at its own size without compiling it, and the different ones shrunk, trained and evaluated."""

import json

import jax
import jax.numpy as jnp
import pytest
from small_configs import ROOT, config_of, small_config

from lgan_jax import experiment, landmarks, optimizers
from lgan_jax.core import FaceInfo, Finished, blank_batch
from lgan_jax.methods import PHASES

VARIANTS = {
    "celebv": ["", "cpu", "quick", "joint", "cpu,joint", "quick,joint"],
    "wflw": ["", "quick"],
    "emotionet": ["", "cpu", "cpu,unpaired", "quick", "baseline", "quick,baseline"],
    "ck_plus": ["", "cpu", "quick", "without_initialise", "quick,without_labels"],
    "oulu_casia": ["", "quick"],
    "celeba": ["", "cpu", "quick"],
    "ffhq": ["", "cpu", "quick"],
}


def test_every_config_can_be_read():
    assert set(VARIANTS) == {path.stem for path in (ROOT / "configs").glob("*.py")}
    for name, variants in VARIANTS.items():
        for variant in variants:
            assert experiment.Experiment.read(config_of(f"{name}:{variant}").to_dict()).phases


def test_gradients_are_clipped_where_rates_are_high_but_not_in_the_schedule_of_the_paper():
    small = [f"{size},paper_generator{joint}" for size in ("cpu", "quick") for joint in ("", ",joint")]
    for limit, variants in ((0, ["", "joint"]), (10, small)):
        for each in variants:
            config = config_of(f"celebv:{each}")
            phase = config[config.phases[-1]]
            assert phase.optimizer.clip == phase.discriminator_optimizer.clip == limit


def test_short_trainings_end_at_no_rate():
    """Those of a cosine, but for BEGAN's, whose config says so; no section has anything of the one that it replaced."""
    ends = {}
    for name, variants in VARIANTS.items():
        for variant in variants:
            config = config_of(f"{name}:{variant}").to_dict()
            for phase in config["phases"]:
                for field, section in config[phase].items():
                    if "optimizer" in field and section["schedule"] == "cosine":
                        ends[name, phase, field] = ends.get((name, phase, field), set()) | {section["minimum"]}
                        assert section["weight_decay"] <= 3e-6
                        assert section["every"] == optimizers.Settings.every
    assert len(ends) >= 12
    assert {place: end for place, end in ends.items() if end != {0.0}} == {("celeba", "began", "optimizer"): {3e-5}}


def test_a_learning_rate_without_a_step_to_fall_in_is_refused_with_its_place():
    with pytest.raises(ValueError, match=r"config\.detector\.optimizer: hold is 0\.9: of 2 steps none is left to fall"):
        experiment.Experiment.read(small_config("wflw:quick", **{"detector.optimizer.hold": 0.9}))


@pytest.mark.parametrize("name", ["celebv", "wflw", "emotionet", "emotionet:cpu,unpaired", "ck_plus", "celeba"])
def test_a_config_takes_a_step_at_its_own_size(name):
    """Abstractly: a step of each phase that is compiled keeps the shapes of its state, and gives numbers.

    What a step has once more for each person, or each update of a discriminator, it has twice. (The detector of ffhq is
    celebv's.)
    """
    config = config_of(name).to_dict()
    for section in map(config.get, config["phases"]):
        if (updates := section.get("discriminator_updates", 1)) > 2:
            section.update(discriminator_updates=2, batch_size=section["batch_size"] // updates * 2)
    read = experiment.Experiment.read(config)
    settings = read.settings.data
    people = tuple(f"person {i}" for i in range(min(settings.built_in.identities, 2)))
    info = FaceInfo(landmarks.scheme(settings.scheme), settings.size, people, settings.built_in.count("train"))

    def steps():
        earlier, metrics = {}, {}
        for phase in read.settings.phases:
            method, key = read.build(phase, info, earlier), jax.random.key(0)
            blank = blank_batch(PHASES[read.settings.method][phase], info)
            batch = {k: jnp.repeat(jnp.asarray(x), read.phases[phase].batch_size, 0) for k, x in blank.items()}
            state = method.init(key, batch)
            earlier[phase] = Finished(method, state)
            if getattr(method, "on_host", False):
                continue
            step = jax.vmap(method.train_step, in_axes=(0, 0, None), axis_name="data")
            after, metrics[phase] = step(*jax.tree.map(lambda x: x[None], (state, batch)), key)
            assert jax.tree.map(lambda x: (1, *x.shape), state) == jax.tree.map(lambda x: x.shape, after)
        return metrics

    metrics = jax.eval_shape(steps)
    assert set(metrics) == set(read.settings.phases) - {"inverse"}
    assert all(x.shape == (1,) for x in jax.tree.leaves(metrics))


# Elsewhere: celebv:quick and :quick,joint in test_experiment.py; and in apps/ emotionet:quick,baseline in
# test_express_run.py, ck_plus:quick in test_express_labelled_run.py, celeba:quick in test_synthesize_run.py, ffhq:quick
# in test_project_run.py.
TRAINED = {
    "wflw:quick": {},
}


@pytest.mark.parametrize("name", TRAINED)
def test_a_config_trains_and_is_evaluated(name, tmp_path, monkeypatch):
    monkeypatch.setenv("LGAN_JAX_CACHE", str(tmp_path / "cache"))
    assert experiment.train(small_config(name, **TRAINED[name]), tmp_path / "run") == 0
    assert json.loads((tmp_path / "run" / "report" / "metrics.json").read_text())["tables"]
