"""Problems whose answers are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax import optimizers
from lgan_jax.inversion import Inverter, Settings

TARGETS = np.random.default_rng(0).uniform(-1, 1, (7, 3)).astype(np.float32)
START = {"z": np.zeros((7, 3), np.float32)}


def quadratic(shared, parameters, target, moment):
    """|z − target|²·shared, least at the target; a second term that is reported alone."""
    squares = ((parameters["z"] - target) ** 2).sum(-1)
    return shared * squares, {"squares": squares, "step": moment.step.astype(jnp.float32)}


def settings(rate=0.1, **options):
    optimizer = optimizers.Adam(learning_rate=rate)
    return Settings(**{"steps": 200, "optimizer": optimizer, "tolerance": 0.0, "slots": 4, "every": 25, **options})


@pytest.fixture(scope="module")
def inverter():
    return Inverter(quadratic, settings())


@pytest.fixture(scope="module")
def found(inverter):
    return inverter(jnp.float32(2), START, TARGETS)


def test_finds_the_least_of_every_example_though_slots_are_fewer(found):
    np.testing.assert_allclose(found.parameters["z"], TARGETS, atol=2e-3)
    assert (found.loss < 1e-4).all()
    np.testing.assert_allclose(found.terms["squares"] * 2, found.loss, rtol=1e-5)
    assert found.steps.tolist() == [200] * 7
    assert found.restart.tolist() == [0] * 7


def test_a_batch_finds_what_one_after_the_other_finds(inverter, found):
    for i in (0, 5):
        alone = inverter(jnp.float32(2), {"z": START["z"][:1]}, TARGETS[i : i + 1])
        np.testing.assert_allclose(alone.parameters["z"][0], found.parameters["z"][i], atol=1e-6)


def test_the_first_steps_are_adams(inverter):
    """Adam's first update is the learning rate against the gradient's sign; two of them end at 0.2."""
    few = Inverter(quadratic, settings(steps=2, best_from=1.0))(jnp.float32(1), START, np.full((7, 3), 5, np.float32))
    np.testing.assert_allclose(few.parameters["z"], 0.2, atol=2e-3)
    np.testing.assert_allclose(few.loss, 3 * 4.8**2, rtol=2e-3)
    assert few.terms["step"].tolist() == [2] * 7


def test_the_schedule_runs_for_each_example_from_its_own_start():
    """The first step of a warmup has no rate; with one slot the second example begins when the first is finished."""
    warm = optimizers.Adam(learning_rate=0.1, schedule=optimizers.Constant(warmup_steps=2))
    search = Inverter(quadratic, settings(steps=2, best_from=1.0, slots=1, every=1, optimizer=warm))
    moved = search(jnp.float32(1), {"z": START["z"][:2]}, np.full((2, 3), 5, np.float32)).parameters["z"]
    np.testing.assert_allclose(moved, 0.05, atol=1e-3)


def test_stops_early_where_it_has_converged_and_goes_on_where_not():
    targets = np.stack([np.zeros(3), np.full(3, 4)]).astype(np.float32)
    search = Inverter(quadratic, settings(tolerance=0.01, patience=7, every=1, steps=500))
    found = search(jnp.float32(1), {"z": np.full((2, 3), 1e-4, np.float32)}, targets)
    assert found.steps[0] == 7
    assert 40 < found.steps[1] < 500
    np.testing.assert_allclose(found.parameters["z"], targets, atol=0.02)


def test_parameters_stay_where_they_may_be():
    search = Inverter(quadratic, settings(), lambda parameters: {"z": jnp.clip(parameters["z"], -0.5, 0.5)})
    found = search(jnp.float32(1), START, TARGETS)
    np.testing.assert_allclose(found.parameters["z"], TARGETS.clip(-0.5, 0.5), atol=2e-3)
    assert np.abs(found.parameters["z"]).max() <= 0.5


def test_the_best_is_kept_where_steps_are_too_large():
    """From 0 towards 0.3 in steps of 0.4 and back: the start was better than the end."""
    targets = np.full((1, 3), 0.3, np.float32)
    start = {"z": np.full((1, 3), 0.29, np.float32)}
    best = Inverter(quadratic, settings(0.4, steps=3, every=1))(jnp.float32(1), start, targets)
    np.testing.assert_allclose(best.parameters["z"], 0.29)
    last = Inverter(quadratic, settings(0.4, steps=3, every=1, best_from=1.0))(jnp.float32(1), start, targets)
    assert last.loss[0] > 10 * best.loss[0]


def test_of_several_restarts_the_best():
    """(z² − 1)² + z/4 has two least places, near −1 and, higher, near 1: the start decides."""

    def wells(shared, parameters, target, moment):
        return jnp.sum((parameters**2 - 1) ** 2 + target * parameters / 4, -1), {}

    targets = np.array([[1.0], [-1.0]], np.float32)
    start = np.array([[0.5], [-0.5], [0.5], [-0.5]], np.float32)
    found = Inverter(wells, settings())(None, start, targets)
    assert found.restart.tolist() == [1, 0]
    np.testing.assert_allclose(found.parameters[:, 0], [-1.03, 1.03], atol=0.01)


def test_what_an_example_draws_does_not_depend_on_the_others():
    def noisy(shared, parameters, target, moment):
        noise = jax.vmap(lambda key: jax.random.normal(key, (3,)))(moment.keys)
        return ((parameters + (1 - moment.share[:, None]) * noise - target) ** 2).sum(-1), {}

    key = jax.random.key(4)
    several = Inverter(noisy, settings(steps=20, best_from=1.0))(None, START["z"], TARGETS, key)
    first = Inverter(noisy, settings(steps=20, best_from=1.0, slots=1))(None, START["z"][:2], TARGETS[:2], key)
    np.testing.assert_allclose(first.parameters, several.parameters[:2], atol=1e-5)
    other = Inverter(noisy, settings(steps=20, best_from=1.0))(None, START["z"], TARGETS, jax.random.key(5))
    assert np.abs(other.parameters - several.parameters).max() > 0.01


def test_progress_is_reported(inverter):
    reports = []
    inverter(jnp.float32(2), START, TARGETS, progress=reports.append)
    assert [(each.finished, each.total) for each in reports[7:10]] == [(0, 7), (4, 7), (4, 7)]
    assert reports[-1].finished == 7
    assert reports[0].example.tolist() == [0, 1, 2, 3]
    assert reports[0].step.tolist() == [25] * 4
    assert reports[-1].example[:3].tolist() == [4, 5, 6]
    assert reports[0].parameters["z"].shape == (4, 3)
    assert (reports[2].loss < reports[0].loss).all()
    assert set(reports[0].terms) == {"squares", "step"}


def test_what_diverged_is_said_at_once_and_the_rest_is_there(inverter, found):
    with pytest.raises(FloatingPointError, match="of 1 of 7 targets was never finite; the first is number 2") as caught:
        inverter(jnp.float32(2), START, np.where(np.arange(7)[:, None] == 2, np.nan, TARGETS))
    assert caught.value.rows.tolist() == [2]
    rest = caught.value.found
    assert rest.steps.tolist() == [200, 200, 0, 200, 200, 200, 200]
    np.testing.assert_array_equal(rest.parameters["z"][2], 0)
    others = np.arange(7) != 2
    np.testing.assert_allclose(rest.parameters["z"][others], found.parameters["z"][others], atol=1e-6)


def test_what_is_wrong_is_said(inverter):
    with pytest.raises(ValueError, match="there are 7 starts for 3 targets"):
        inverter(jnp.float32(1), START, TARGETS[:3])
    with pytest.raises(ValueError, match="there are 0 starts for 0 targets"):
        inverter(jnp.float32(1), {"z": START["z"][:0]}, TARGETS[:0])
    with pytest.raises(ValueError, match="steps is 0; it must be at least 1"):
        Settings(steps=0)
    with pytest.raises(ValueError, match=r"tolerance is -0\.1; it is a share"):
        Settings(tolerance=-0.1)
