"""Judging and restarting one identity's networks, on trees of a few numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax import optimizers
from lgan_jax.methods.landmarkgan import health
from lgan_jax.training.train_state import TrainState

NAMES = ("ada", "ben", "cyd")
WELL = {"l1": 0.03, "mean_face_l1": 0.06, "variance": 0.02, "ground_truth_variance": 0.03, "saturation": 0.0}


OPTIMIZERS = {
    name: optimizers.make_stacked(optimizers.Adam(clip=1.0), 900) for name in ("generators", "discriminators")
}


def weights(value, name="w"):
    return {name: np.full((3, 2), value, np.float32)}


def state(step=200, **watched):
    """Networks whose every weight is the step, their EMA half of it; all were good at step 0."""
    params = {"generators": weights(step), "discriminators": weights(step, "d"), "converter": weights(7)}
    watch = health.watch(jnp.zeros((1, 3, 4, 5, 3)), weights(1), weights(2, "d"))
    moments = {name: jax.tree.map(lambda x: x + 9, each.init(params[name])) for name, each in OPTIMIZERS.items()}
    found = TrainState(
        np.int32(step), params, moments, {"generators": weights(step / 2)}, {"watch": watch.replace(**watched)}
    )
    return jax.tree.map(np.array, found)


def metrics(**ben):
    """Three that are well, but for what is said of the second."""
    return {name: np.array([x, ben.get(name, x), x], np.float32) for name, x in WELL.items()}


def recover(before, found):
    return health.recover(before, found, OPTIMIZERS, NAMES, "do something about {}")


LEARNED = {"learned": np.array([True] * 3), "good_step": np.full(3, 100, np.int32)}
DEAD = [
    ({"variance": 1e-6}, "died", "all outputs alike"),
    ({"saturation": 0.9}, "died", "saturated"),
    ({"l1": 0.3}, "died", "worse than the mean face"),
    ({"l1": np.nan}, "diverged", "not finite"),
]


def test_what_is_measured():
    image = np.zeros((2, 3, 4, 5, 3), np.float32)
    image[1, 2] = 0.5
    generated = image.copy()
    generated[:, 0] = 0.25  # all alike
    generated[:, 1, :, :, 0] = 1.0  # a channel saturated
    mean_face = np.full((3, 4, 5, 3), 0.5, np.float32)
    found = health.measure(jnp.asarray(image), jnp.asarray(generated), jnp.asarray(mean_face))
    expected = {
        "l1": [0.125, 1 / 6, 0],
        "mean_face_l1": [0.25, 0.25, 0.125],
        "variance": [0, 0, 0.0625],
        "ground_truth_variance": [0, 0, 0.0625],
        "saturation": [0, 1 / 3, 0],
    }
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-6, err_msg=name)


def test_those_who_are_well_are_kept_as_good():
    before = state(skipped=np.array([0, 3, 0], np.int32))
    after, lines = recover(before, metrics())
    assert lines == ["ben: 3 updates skipped since step 0, gradients not finite"]
    np.testing.assert_array_equal(after.variables["watch"].good["generators"]["w"], weights(100)["w"])  # the EMA
    np.testing.assert_array_equal(after.variables["watch"].good["discriminators"]["d"], weights(200)["w"])
    assert after.variables["watch"].good_step.tolist() == [200] * 3
    assert after.variables["watch"].learned.all()
    assert after.variables["watch"].skipped.tolist() == [0] * 3
    for changed, kept in ((after.params, before.params), (after.optimizers, before.optimizers)):
        jax.tree.map(np.testing.assert_array_equal, changed, kept)
    shapes = jax.tree.map(lambda x: (np.shape(x), np.asarray(x).dtype), (before, after))
    assert shapes[0] == shapes[1]  # so that a checkpoint of it can be restored


@pytest.mark.parametrize(("found", "verb", "why"), DEAD)
def test_one_that_dies_is_named_and_restarted_alone(found, verb, why):
    before = state(**LEARNED)
    after, (line,) = recover(before, metrics(**found))
    assert line == f"the generator of ben {verb} at step 200 ({why}): restarted from step 100 at half the learning rate"
    assert after.params["generators"]["w"][:, 0].tolist() == [200, 1, 200]
    assert after.params["discriminators"]["d"][:, 0].tolist() == [200, 2, 200]
    assert after.ema["generators"]["w"][:, 0].tolist() == [100, 1, 100]
    assert after.variables["watch"].restarts.tolist() == [0, 1, 0]
    assert after.variables["watch"].good_step.tolist() == [200, 100, 200]
    updates = health.allowed({"w": jnp.full((3, 2), 8.0)}, after.variables["watch"], jnp.array([False, True, True]))
    assert updates["w"].tolist() == [[0, 0], [4, 4], [8, 8]]
    adam = after.optimizers["generators"][2]
    assert adam.count.tolist() == [9, 0, 9]
    assert adam.nu["w"][:, 1].tolist() == [9, 0, 9]
    np.testing.assert_array_equal(after.params["converter"]["w"], before.params["converter"]["w"])


@pytest.mark.parametrize(("found", "verb", "why"), DEAD)
def test_one_that_dies_again_stops_the_training_with_advice(found, verb, why):
    again = state(**LEARNED, restarts=np.array([0, 1, 0], np.int32))
    line = rf"of ben {verb} again at step 200 \({why}\), at half the learning rate; do something about ben$"
    with pytest.raises(FloatingPointError, match=line):
        recover(again, metrics(**found))


def test_values_that_are_not_finite_are_found_wherever_they_are():
    for tree in ("params", "optimizers", "average"):
        before = state(**LEARNED)
        leaf = {
            "params": lambda s: s.params["discriminators"]["d"],
            "optimizers": lambda s: s.optimizers["generators"][2].nu["w"],
            "average": lambda s: s.ema["generators"]["w"],
        }[tree](before)
        leaf[2, 1] = np.inf
        after, (line,) = recover(before, metrics())
        assert "of cyd diverged at step 200 (not finite)" in line
        assert all(np.isfinite(x).all() for x in jax.tree.leaves(after))


def test_updates_that_are_mostly_skipped_are_a_divergence():
    evaluated = {**LEARNED, "evaluated": np.int32(150)}
    assert (
        not recover(state(**evaluated, skipped=np.array([0, 25, 0], np.int32)), metrics())[0]
        .variables["watch"]
        .restarts.any()
    )
    after, lines = recover(state(**evaluated, skipped=np.array([0, 26, 0], np.int32)), metrics())
    assert after.variables["watch"].restarts.tolist() == [0, 1, 0]
    assert lines[0] == "ben: 26 updates skipped since step 150, gradients not finite"


def test_a_beginner_is_given_time_but_is_not_kept_as_good():
    """Three evaluations, whatever others do; after a restart three more."""
    now, said = state(), []
    for evaluation in range(1, 4):
        now, lines = recover(now.replace(step=np.int32(200 * evaluation)), metrics(variance=0.0, l1=0.07))
        said.append(lines)
        assert now.variables["watch"].good_step.tolist() == [200 * evaluation, 0, 200 * evaluation]
    assert said[:2] == [[], []]
    assert said[2] == [
        "the generator of ben died at step 600 (all outputs alike): restarted from step 0 at half the learning rate"
    ]
    now, lines = recover(now.replace(step=np.int32(800)), metrics(variance=0.0, l1=0.07))
    assert lines == []


def test_a_person_who_never_moves_is_not_taken_for_dead():
    still = metrics(variance=1e-7, ground_truth_variance=1e-7, mean_face_l1=0.001, l1=0.04)
    _, lines = recover(state(**LEARNED), still)
    assert lines == []


def test_metrics_are_means_over_those_who_were_updated():
    gradients = {"generators": {"w": jnp.array([[1.0], [jnp.nan], [1e30], [2.0]])}, "discriminators": jnp.ones((4, 2))}
    finite = health.finite_updates(gradients, jnp.array([1.0, 1.0, 1.0, jnp.inf]))
    assert finite.tolist() == [True, False, False, False]  # 1e30² is not finite either
    found = health.summarized({"l2i": jnp.array([3.0, jnp.nan, 1.0, 1.0]), "l2l": jnp.array(5.0)}, finite)
    assert {name: float(value) for name, value in found.items()} == {"l2i": 3.0, "l2l": 5.0, "skipped": 3.0}
    assert np.isnan(health.summarized({"l2i": jnp.ones(4)}, finite & False)["l2i"])


def test_a_gradient_that_is_not_finite_reaches_nothing_that_is_shared():
    factors = jnp.array([2.0, jnp.nan, 3.0]).reshape(1, 3, 1, 1)

    def loss(shared):
        return (health.finite_gradient(jnp.ones((5, 3, 4, 2)) * shared) * factors).sum()

    assert float(jax.grad(loss)(1.0)) == 5 * 4 * 2 * (2 + 3)
