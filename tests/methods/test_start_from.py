"""Every phase of every method starts from a run of other people; nothing here is compiled or trained."""

import functools

import jax
import numpy as np
import pytest
from small_configs import small_config

from lgan_jax import experiment
from lgan_jax.core import FaceInfo
from lgan_jax.landmarks import scheme
from lgan_jax.training import start_weights
from lgan_jax.training.train_state import by_path

CONFIGS = {
    "celebv:quick": ("detector", "generator"),
    "celebv:quick,paper_generator": ("detector", "converter", "generator"),
    "celebv:quick,joint": ("detector", "joint"),
    "emotionet:quick,baseline": ("regressor", "pairs", "baseline_pairs"),
    "emotionet:cpu,unpaired": ("regressor", "flow", "editor"),
    "ck_plus:cpu": ("synthesizer",),
    "celeba:quick": ("autoencoder", "began", "landmark_generator"),
    "ffhq:quick": ("stylegan2",),
}


@functools.cache
def rehearsed(name, identities=2, landmarks=""):
    """Every phase with its abstract state, for as many people."""
    changes = {"data.size": 64} if name.startswith("emotionet") else {}
    config = small_config(name, init_from="run", **{"evaluation.frames": 2}, **changes)
    marks = scheme(landmarks or config["data"]["scheme"])
    info = FaceInfo(marks, config["data"]["size"], ("ada", "ben", "cyd")[:identities], images=4)
    return experiment.Experiment.read(config).rehearse(info, {})


def filled(finished, seed):
    """The phase with a state of random numbers."""
    rng = np.random.default_rng(seed)

    def values(leaf):
        zeros = np.zeros(leaf.shape, leaf.dtype)
        return zeros + rng.normal(size=leaf.shape).astype(np.float32) if leaf.dtype == np.float32 else zeros

    return finished._replace(state=jax.tree.map(values, finished.state))


@pytest.mark.parametrize("name", CONFIGS)
def test_all_that_is_trained_is_taken_over(name):
    stacked = "paper" in name or "joint" in name
    people = np.array([2, 0])
    for phase in CONFIGS[name]:
        there, here = filled(rehearsed(name, 3 if stacked else 2)[phase], 1), filled(rehearsed(name)[phase], 2)
        fit = start_weights.fit(there, here)
        assert not fit.afresh
        before = here.state
        after = here.phase.start_from(before, start_weights.selected(there, fit, people))
        assert before.optimizers
        for network in before.optimizers:
            source = by_path(there.state.ema.get(network, there.state.params[network]))
            for path, value in by_path(after.params[network]).items():
                own = f"{network}.{path}" in fit.per_identity
                np.testing.assert_array_equal(value, source[path][people] if own else source[path])
        for network in set(before.params) - set(before.optimizers):
            jax.tree.map(np.testing.assert_array_equal, after.params[network], before.params[network])
        for average, values in after.ema.items():
            jax.tree.map(np.testing.assert_array_equal, values, {**after.variables, **after.params}[average])
        jax.tree.map(np.testing.assert_array_equal, after.frozen, before.frozen)
        jax.tree.map(np.testing.assert_array_equal, after.optimizers, before.optimizers)


@pytest.mark.parametrize(
    ("name", "phase", "variable", "taken"),
    [
        ("celebv:quick", "detector", "batch_stats", True),
        ("ffhq:quick", "stylegan2", "buffers", True),
        ("ffhq:quick", "stylegan2", "path_mean", False),
        ("celeba:quick", "began", "k", False),
    ],
)
def test_of_the_variables_only_those_of_networks_are_taken_over(name, phase, variable, taken):
    theirs, ours = (filled(rehearsed(name)[phase], seed) for seed in (1, 2))
    after = ours.phase.start_from(
        ours.state, start_weights.selected(theirs, start_weights.fit(theirs, ours), np.arange(2))
    )
    same = jax.tree.map(np.array_equal, after.variables[variable], theirs.state.variables[variable])
    assert all(jax.tree.leaves(same)) == taken


@pytest.mark.parametrize("name", ["celebv:quick", "celebv:quick,paper_generator"])
def test_a_network_that_dies_at_once_is_restarted_from_them(name):
    theirs, ours = (filled(rehearsed(name)["generator"], seed) for seed in (1, 2))
    fit = start_weights.fit(theirs, ours)
    after = ours.phase.start_from(ours.state, start_weights.selected(theirs, fit, np.arange(2)))
    good = jax.tree.map(
        lambda x, p: x.reshape(p.shape), after.variables["watch"].good["generators"], after.params["generators"]
    )
    jax.tree.map(np.testing.assert_array_equal, good, after.params["generators"])


def test_other_landmarks_leave_the_rest():
    name = "celebv:quick,paper_generator"
    fit = start_weights.fit(rehearsed(name)["generator"], rehearsed(name, landmarks="ibug68")["generator"])
    assert fit.afresh == ("generators.layer_0.kernel",)
    assert fit.lines("generator") == [
        "generators of generator: all weights fit but layer_0.kernel, which start from random weights"
    ]
