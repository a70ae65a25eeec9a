"""Which arrays of another run fit a phase, their copy in a run's folder, and a loop that starts from them."""

import dataclasses
from typing import ClassVar

import numpy as np
import optax
import pytest
import tiny_run

from lgan_jax.core import Finished
from lgan_jax.training import loop, start_weights
from lgan_jax.training.phase import Phase
from lgan_jax.training.train_state import TrainState


class Stacked(Phase):
    per_identity: ClassVar = ("net.own",)
    network_variables: ClassVar = ("statistics",)


def finished(identities, seed, wide=5, trained=("net", "judge"), ema=("net",)):
    """A phase with a shared and a stacked part in one network, and a second network."""
    rng = np.random.default_rng(seed)

    def array(*shape):
        return rng.normal(size=shape).astype(np.float32)

    params = {
        "net": {"own": {"a": array(identities, 3)}, "all": array(2, 3)},
        "judge": {"b": array(wide), "c": array(2)},
    }
    variables = {"statistics": array(4), "k": array()}
    optimizers = {name: optax.adam(0.1) for name in trained}
    state = TrainState.create(params, optimizers, ema, variables)
    shifted = {"net": {"own": {"a": params["net"]["own"]["a"] + 1}, "all": params["net"]["all"] + 1}}
    return Finished(Stacked(None, tiny_run.FACES, None, {}), state.replace(ema={name: shifted[name] for name in ema}))


def test_a_phase_starts_from_emas_and_statistics_and_each_identity_from_one():
    theirs, ours = finished(2, 1), finished(3, 2)
    fit = start_weights.fit(theirs, ours)
    assert fit.per_identity == ("net.own.a",)
    assert not fit.afresh
    weights = start_weights.selected(theirs, fit, np.array([1, 0, 1]))
    state = ours.phase.start_from(ours.state, weights)
    there = theirs.state
    np.testing.assert_array_equal(state.params["net"]["own"]["a"], there.ema["net"]["own"]["a"][np.array([1, 0, 1])])
    np.testing.assert_array_equal(state.params["net"]["all"], there.ema["net"]["all"])
    np.testing.assert_array_equal(state.ema["net"]["all"], there.ema["net"]["all"])
    np.testing.assert_array_equal(state.params["judge"]["b"], there.params["judge"]["b"])
    np.testing.assert_array_equal(state.variables["statistics"], there.variables["statistics"])
    assert state.variables["k"] == ours.state.variables["k"]
    assert state.step == 0


def test_what_an_earlier_phase_of_the_run_has_trained_stays():
    theirs, ours = finished(2, 1), finished(2, 2, trained=("net",))
    fit = start_weights.fit(theirs, ours)
    assert {path.partition(".")[0] for path in (*fit.shared, *fit.per_identity)} == {"net", "statistics"}


def test_what_does_not_fit_is_one_line_a_network():
    theirs = finished(2, 1, wide=6)
    assert start_weights.fit(theirs, finished(2, 2)).lines("editor") == [
        "judge of editor: all weights fit but b, which start from random weights"
    ]
    lines = start_weights.Fit((), (), tuple(f"judge.{name}" for name in "abcde")).lines("editor")
    assert lines == ["judge of editor: nothing fits; it starts from random weights"]
    lines = start_weights.Fit(("judge.x",), (), tuple(f"judge.{name}" for name in "abcde")).lines("editor")
    assert lines == ["judge of editor: all weights fit but a, b, c and 2 more, which start from random weights"]


def test_weights_for_another_network_are_refused():
    with pytest.raises(ValueError, match=r"the state has no net\.none"):
        finished(2, 1).state.started_from({"net.none": np.zeros(1)})


def test_damaged_start_weights_are_refused(tmp_path):
    start_weights.write(tmp_path, {"first": {"net.a": np.arange(3.0)}})
    np.testing.assert_array_equal(start_weights.read(tmp_path, "first")["net.a"], np.arange(3.0))
    assert start_weights.read(tmp_path, "second") == {}
    path = tmp_path / "start" / "first.npz"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(ValueError, match=r"start weights in .* are damaged .*; start over in another --workdir"):
        start_weights.read(tmp_path, "first")


def test_the_loop_starts_a_phase_from_them_once(tmp_path):
    """A second call resumes from checkpoints, and does not ask for them."""
    settings = dataclasses.replace(tiny_run.SETTINGS, log_every=2)
    first = dataclasses.replace(tiny_run.phases(steps=2)[0], steps=2)
    built = first.build({})
    shapes = first.abstract_state(built.init)
    kernel = "net.layers_0.kernel"
    weights = {kernel: np.full(shapes.params["net"]["layers_0"]["kernel"].shape, 50.0, np.float32)}
    begun = dataclasses.replace(first, start=lambda: weights)
    state = loop.run([begun], tmp_path / "run", settings, {})["first"].state
    np.testing.assert_allclose(state.params["net"]["layers_0"]["kernel"], 50, atol=0.1)
    np.testing.assert_allclose(state.ema["net"]["layers_0"]["kernel"], 50, atol=0.1)
    again = loop.run([dataclasses.replace(first, start=pytest.fail)], tmp_path / "run", settings, {})["first"].state
    np.testing.assert_array_equal(again.params["net"]["layers_0"]["kernel"], state.params["net"]["layers_0"]["kernel"])
