import dataclasses

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from ml_collections import ConfigDict

from lgan_jax import optimizers


def updated(settings, gradients, steps=100, start=2.0):
    optimizer = optimizers.make(settings, steps)
    param = jnp.array(start)
    state = optimizer.init(param)
    for gradient in gradients:
        updates, state = optimizer.update(jnp.array(gradient), state, param)
        param = optax.apply_updates(param, updates)
    return float(param)


def test_rmsprop_is_pytorchs():
    """v = 0.01·g² + 0.99·v; p −= η·g / (√v + ε), with 0.1·p added to g before."""
    settings = optimizers.Settings(name="rmsprop", learning_rate=0.01, eps=0.5, weight_decay=0.1)
    p, v = 2.0, 0.0
    for raw in (3.0, -1.0, 0.25):
        g = raw + 0.1 * p
        v = 0.99 * v + 0.01 * g * g
        p -= 0.01 * g / (np.sqrt(v) + 0.5)
    assert updated(settings, (3.0, -1.0, 0.25)) == pytest.approx(p, rel=1e-6)


def test_adam_by_hand():
    settings = optimizers.Settings(name="adam", learning_rate=0.1, b1=0.5, b2=0.9, eps=0.0)
    p, m, v = 2.0, 0.0, 0.0
    for n, g in enumerate((3.0, -1.0), 1):
        m, v = 0.5 * m + 0.5 * g, 0.9 * v + 0.1 * g * g
        p -= 0.1 * (m / (1 - 0.5**n)) / np.sqrt(v / (1 - 0.9**n))
    assert updated(settings, (3.0, -1.0)) == pytest.approx(p, rel=1e-6)


@pytest.mark.parametrize(
    ("fields", "step", "expected"),
    [
        ({"schedule": "constant"}, 77, 8e-3),
        ({"schedule": "step", "factor": 0.5, "every": 10, "final_learning_rate": 3e-3}, 9, 8e-3),
        ({"schedule": "step", "factor": 0.5, "every": 10, "final_learning_rate": 3e-3}, 10, 4e-3),
        ({"schedule": "step", "factor": 0.5, "every": 10, "final_learning_rate": 3e-3}, 40, 3e-3),
        ({"schedule": "linear", "final_learning_rate": 2e-3}, 50, 5e-3),
        ({"schedule": "cosine", "final_learning_rate": 2e-3}, 50, 5e-3),
        ({"schedule": "linear"}, 100, 0.0),
        ({"schedule": "linear", "warmup_steps": 20}, 5, 2e-3),
        ({"schedule": "linear", "warmup_steps": 20}, 60, 4e-3),
        ({"schedule": "linear", "constant_fraction": 0.6}, 60, 8e-3),
        ({"schedule": "linear", "constant_fraction": 0.6}, 80, 4e-3),
        ({"schedule": "cosine", "constant_fraction": 0.5, "warmup_steps": 20}, 5, 2e-3),
        ({"schedule": "cosine", "constant_fraction": 0.5, "warmup_steps": 20}, 60, 8e-3),
        ({"schedule": "cosine", "constant_fraction": 0.5, "warmup_steps": 20}, 80, 4e-3),
    ],
)
def test_schedules(fields, step, expected):
    schedule = optimizers.learning_rate(optimizers.Settings(learning_rate=8e-3, **fields), 100)
    assert float(schedule(step)) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"learning_rate": 1e-4, "final_learning_rate": 1e-3},
            "final_learning_rate is 0.001, above the learning rate 0.0001",
        ),
        ({"learning_rate": 0.0, "schedule": "cosine"}, "learning_rate is 0.0; it must be above 0"),
        ({"learning_rate": -1e-3}, "learning_rate is -0.001; it must be above 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; it must be above 0"),
        ({"learning_rate": float("inf")}, "learning_rate is inf; it must be above 0"),
        ({"factor": 0.0}, "factor is 0.0; it must be above 0"),
        ({"every": 0}, "every is 0; it must be at least 1"),
        ({"warmup_steps": -1}, "warmup_steps is -1; it must be at least 0"),
        ({"eps": -1e-8}, "eps is -1e-08; it must be at least 0"),
        ({"weight_decay": float("nan")}, "weight_decay is nan; it must be at least 0"),
        ({"b2": 1.0}, "b2 is 1.0; it must be at least 0 and less than 1"),
        ({"decay": 1.5}, "decay is 1.5; it must be at least 0 and less than 1"),
        (
            {"constant_fraction": 1.0},
            "constant_fraction is 1.0; it is a share of the phase, at least 0 and less than 1",
        ),
    ],
)
def test_what_would_fail_later_is_refused_in_one_line(fields, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the whole message is compared below)
        optimizers.Settings(**fields)
    assert str(caught.value) == message


def test_a_clipped_gradient_keeps_its_direction():
    """(3, 4) has the norm 5, and is made (0.6, 0.8); a shorter one stays."""
    settings = optimizers.Settings(name="rmsprop", learning_rate=0.5, eps=1.0, clip=1.0)
    optimizer = optimizers.make(settings, 100)
    for gradient, clipped in (([3.0, 4.0], [0.6, 0.8]), ([0.3, 0.4], [0.3, 0.4])):
        params = jnp.zeros(2)
        updates, _ = optimizer.update(jnp.array(gradient), optimizer.init(params), params)
        expected = -0.5 * np.array(clipped) / (0.1 * np.array(clipped) + 1)
        np.testing.assert_allclose(updates, expected, rtol=1e-6)


@pytest.mark.parametrize(("make", "alone"), [(optimizers.make_stacked, True), (optimizers.make, False)])
def test_clipping_one_exploding_identity_leaves_the_updates_of_others_as_they_are(make, alone):
    """Not so with one norm over all: that is what `make` has, and it freezes them."""
    settings = optimizers.Settings(name="rmsprop", learning_rate=0.5, eps=1.0, clip=1.0)
    optimizer, params = make(settings, 100), {"w": jnp.zeros((3, 4, 2)), "b": jnp.zeros((3, 5))}
    rng = np.random.default_rng(0)
    usual = {name: rng.normal(size=x.shape).astype(np.float32) for name, x in params.items()}
    exploding = {
        name: x * np.array([1, 1e8, 1], np.float32).reshape(3, *[1] * (x.ndim - 1)) for name, x in usual.items()
    }
    (before, _), (after, _) = (optimizer.update(g, optimizer.init(params), params) for g in (usual, exploding))
    for name in params:
        assert np.isfinite(after[name]).all()
        assert np.array_equal(after[name][::2], before[name][::2]) == alone


def test_moments_are_given_to_chosen_identities_and_the_schedule_goes_on():
    settings = optimizers.Settings(name="adam", learning_rate=0.5, schedule="linear")
    optimizer, params = optimizers.make_stacked(settings, 10), {"w": jnp.ones((3, 2))}
    new = optimizer.init(params)
    _, later = optimizer.update({"w": jnp.ones((3, 2))}, new, params)
    mixed = optimizers.with_moments(later, jnp.array([False, True, False]), new)
    adam, schedule = mixed[1], mixed[-1]
    assert adam.count.tolist() == [1, 0, 1]
    assert schedule.count.tolist() == [1, 1, 1]
    assert adam.nu["w"].tolist()[1] == [0, 0]
    assert min(adam.nu["w"].tolist()[0]) > 0
    updates, _ = optimizer.update({"w": jnp.ones((3, 2))}, mixed, params)
    np.testing.assert_allclose(updates["w"], -0.45, rtol=1e-4)  # Adam's first and second step are sign and rate


def test_a_negative_norm_is_an_error():
    with pytest.raises(ValueError, match=r"clip is -1\.0; it is a norm of gradients"):
        optimizers.Settings(clip=-1.0)


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_a_hold_that_leaves_no_step_to_fall_in_is_refused(schedule):
    held = optimizers.Settings(schedule=schedule, constant_fraction=0.999, warmup_steps=20)
    with pytest.raises(
        ValueError,
        match=r"constant_fraction is 0\.999: of 80 steps none is left to fall in; lower constant_fraction or add",
    ):
        optimizers.make(held, 100)
    assert float(optimizers.learning_rate(held, 1020)(1019)) > float(optimizers.learning_rate(held, 1020)(1020)) == 0
    optimizers.make(optimizers.Settings(constant_fraction=0.999), 100)  # a constant rate has nothing to hold


def test_a_section_is_whole():
    """So a variant that puts it in another's place, even by an update, leaves nothing of that."""
    fields = {field.name for field in dataclasses.fields(optimizers.Settings)}
    assert set(optimizers.cosine(1e-3)) == set(optimizers.section()) == fields
    assert optimizers.Settings(**optimizers.cosine(1e-3, b1=0.5)) == optimizers.Settings(
        name="adam", learning_rate=1e-3, b1=0.5, schedule="cosine", warmup_steps=50
    )
    config = ConfigDict(
        {"optimizer": {"name": "rmsprop", "final_learning_rate": 1e-5, "weight_decay": 0.1, "constant_fraction": 0.5}}
    )
    config.update({"optimizer": optimizers.cosine(1e-3)})
    assert config.optimizer.to_dict() == optimizers.cosine(1e-3)
    with pytest.raises(ValueError, match="learning_rate is 0"):
        optimizers.section(learning_rate=0.0)
