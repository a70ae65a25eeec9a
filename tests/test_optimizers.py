import dataclasses

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from ml_collections import ConfigDict

from lgan_jax import config, optimizers


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
    settings = optimizers.RMSProp(learning_rate=0.01, eps=0.5, weight_decay=0.1)
    p, v = 2.0, 0.0
    for raw in (3.0, -1.0, 0.25):
        g = raw + 0.1 * p
        v = 0.99 * v + 0.01 * g * g
        p -= 0.01 * g / (np.sqrt(v) + 0.5)
    assert updated(settings, (3.0, -1.0, 0.25)) == pytest.approx(p, rel=1e-6)


def test_adam_by_hand():
    settings = optimizers.Adam(learning_rate=0.1, b1=0.5, b2=0.9, eps=0.0)
    p, m, v = 2.0, 0.0, 0.0
    for n, g in enumerate((3.0, -1.0), 1):
        m, v = 0.5 * m + 0.5 * g, 0.9 * v + 0.1 * g * g
        p -= 0.1 * (m / (1 - 0.5**n)) / np.sqrt(v / (1 - 0.9**n))
    assert updated(settings, (3.0, -1.0)) == pytest.approx(p, rel=1e-6)


@pytest.mark.parametrize(
    ("schedule", "step", "expected"),
    [
        (optimizers.Constant(), 77, 8e-3),
        (optimizers.Step(factor=0.5, every=10, final_learning_rate=3e-3), 9, 8e-3),
        (optimizers.Step(factor=0.5, every=10, final_learning_rate=3e-3), 10, 4e-3),
        (optimizers.Step(factor=0.5, every=10, final_learning_rate=3e-3), 40, 3e-3),
        (optimizers.Step(factor=0.5, every=10, warmup_steps=20), 5, 2e-3),
        (optimizers.Step(factor=0.5, every=10, warmup_steps=20), 31, 4e-3),
        (optimizers.Linear(final_learning_rate=2e-3), 50, 5e-3),
        (optimizers.Cosine(final_learning_rate=2e-3), 50, 5e-3),
        (optimizers.Linear(), 100, 0.0),
        (optimizers.Linear(warmup_steps=20), 5, 2e-3),
        (optimizers.Linear(warmup_steps=20), 60, 4e-3),
        (optimizers.Linear(constant_fraction=0.6), 60, 8e-3),
        (optimizers.Linear(constant_fraction=0.6), 80, 4e-3),
        (optimizers.Cosine(constant_fraction=0.5, warmup_steps=20), 5, 2e-3),
        (optimizers.Cosine(constant_fraction=0.5, warmup_steps=20), 60, 8e-3),
        (optimizers.Cosine(constant_fraction=0.5, warmup_steps=20), 80, 4e-3),
    ],
)
def test_schedules(schedule, step, expected):
    rate = optimizers.learning_rate(optimizers.RMSProp(learning_rate=8e-3, schedule=schedule), 100)
    assert float(rate(step)) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (optimizers.Adam, {"learning_rate": 0.0}, "learning_rate is 0.0; it must be above 0"),
        (optimizers.Adam, {"learning_rate": -1e-3}, "learning_rate is -0.001; it must be above 0"),
        (optimizers.RMSProp, {"learning_rate": float("nan")}, "learning_rate is nan; it must be above 0"),
        (optimizers.RMSProp, {"learning_rate": float("inf")}, "learning_rate is inf; it must be above 0"),
        (optimizers.RMSProp, {"eps": -1e-8}, "eps is -1e-08; it must be at least 0"),
        (optimizers.Adam, {"weight_decay": float("nan")}, "weight_decay is nan; it must be at least 0"),
        (optimizers.Adam, {"b2": 1.0}, "b2 is 1.0; it must be at least 0 and less than 1"),
        (optimizers.RMSProp, {"decay": 1.5}, "decay is 1.5; it must be at least 0 and less than 1"),
        (optimizers.Step, {"factor": 0.0}, "factor is 0.0; it must be above 0"),
        (optimizers.Step, {"every": 0}, "every is 0; it must be at least 1"),
        (optimizers.Step, {"final_learning_rate": -1.0}, "final_learning_rate is -1.0; it must be at least 0"),
        (optimizers.Constant, {"warmup_steps": -1}, "warmup_steps is -1; it must be at least 0"),
        (
            optimizers.Cosine,
            {"constant_fraction": 1.0},
            "constant_fraction is 1.0; it is a share of the phase, at least 0 and less than 1",
        ),
        (
            optimizers.Adam,
            {"learning_rate": 1e-4, "schedule": optimizers.Linear(final_learning_rate=1e-3)},
            "final_learning_rate is 0.001, above the learning rate 0.0001",
        ),
    ],
)
def test_what_would_fail_later_is_refused_in_one_line(kind, fields, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the whole message is compared below)
        kind(**fields)
    assert str(caught.value) == message


def test_a_clipped_gradient_keeps_its_direction():
    """(3, 4) has the norm 5, and is made (0.6, 0.8); a shorter one stays."""
    settings = optimizers.RMSProp(learning_rate=0.5, eps=1.0, clip=1.0)
    optimizer = optimizers.make(settings, 100)
    for gradient, clipped in (([3.0, 4.0], [0.6, 0.8]), ([0.3, 0.4], [0.3, 0.4])):
        params = jnp.zeros(2)
        updates, _ = optimizer.update(jnp.array(gradient), optimizer.init(params), params)
        expected = -0.5 * np.array(clipped) / (0.1 * np.array(clipped) + 1)
        np.testing.assert_allclose(updates, expected, rtol=1e-6)


@pytest.mark.parametrize(("make", "alone"), [(optimizers.make_stacked, True), (optimizers.make, False)])
def test_clipping_one_exploding_identity_leaves_the_updates_of_others_as_they_are(make, alone):
    """Not so with one norm over all: that is what `make` has, and it freezes them."""
    settings = optimizers.RMSProp(learning_rate=0.5, eps=1.0, clip=1.0)
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
    settings = optimizers.Adam(learning_rate=0.5, schedule=optimizers.Linear())
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
        optimizers.Adam(clip=-1.0)


@pytest.mark.parametrize("kind", [optimizers.Cosine, optimizers.Linear])
def test_a_constant_fraction_that_leaves_no_step_to_fall_in_is_refused(kind):
    settings = optimizers.Adam(schedule=kind(constant_fraction=0.999, warmup_steps=20))
    said = r"constant_fraction is 0\.999: of 80 steps none is left to fall in; lower constant_fraction or add"
    with pytest.raises(ValueError, match=said):
        optimizers.make(settings, 100)
    rate = optimizers.learning_rate(settings, 1020)
    assert float(rate(1019)) > float(rate(1020)) == 0


def test_learning_rates_are_scaled_alike():
    linear = optimizers.Linear(final_learning_rate=2e-3, warmup_steps=3)
    for settings in (optimizers.Adam(learning_rate=8e-3, schedule=linear), optimizers.RMSProp(learning_rate=8e-3)):
        scaled = optimizers.scaled(settings, 0.25, eps=1e-5)
        assert (type(scaled), scaled.eps, scaled.schedule.warmup_steps) == (
            type(settings),
            1e-5,
            settings.schedule.warmup_steps,
        )
        for step in (2, 50, 100):
            whole, part = (float(optimizers.learning_rate(each, 100)(step)) for each in (settings, scaled))
            assert part == pytest.approx(whole / 4)


RMSPROP = optimizers.RMSProp(schedule=optimizers.Step(final_learning_rate=1e-5))


@dataclasses.dataclass(frozen=True)
class Phase:
    optimizer: optimizers.Settings = RMSPROP


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"name": "adam"}, optimizers.Adam()),
        ({"name": "rmsprop", "eps": 1}, optimizers.RMSProp(eps=1.0)),
        (
            optimizers.adam_cosine(1e-3, b1=0.5),
            optimizers.Adam(learning_rate=1e-3, b1=0.5, schedule=optimizers.Cosine(warmup_steps=50)),
        ),
        ({"name": "adam", "schedule": {"name": "step"}}, optimizers.Adam(schedule=optimizers.Step())),
    ],
)
def test_a_section_of_a_config_replaces_another_whole(section, expected):
    assert config.read(Phase, config.completed(Phase, {"optimizer": section})).optimizer == expected


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"name": "adam", "decay": 0.9}, "config.optimizer, which is 'adam', has no field 'decay'; its fields are "),
        ({"name": "sgd"}, "config.optimizer.name is 'sgd'; it must be one of 'adam', 'rmsprop'"),
        ({"learning_rate": 1e-3}, "config.optimizer.name is not set; it must be one of 'adam', 'rmsprop'"),
        (
            {"name": "adam", "schedule": {"name": "constant", "every": 5}},
            "config.optimizer.schedule, which is 'constant', has no field 'every'",
        ),
        ({"name": "adam", "schedule": "cosine"}, "config.optimizer.schedule must hold fields of its own, not 'cosine'"),
        ({"name": "adam", "schedule": {"name": "linear", "warmup_steps": 1.5}}, "config.optimizer.schedule.warmup"),
    ],
)
def test_what_an_optimizer_of_a_kind_does_not_have_is_refused(section, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the message is compared below)
        config.read(Phase, config.completed(Phase, {"optimizer": section}))
    assert str(caught.value).startswith(message)


def test_an_update_that_mixes_kinds_is_refused():
    mixed = ConfigDict({"optimizer": dataclasses.asdict(optimizers.RMSProp(weight_decay=0.1))})
    mixed.update({"optimizer": optimizers.adam_cosine(1e-3)})
    with pytest.raises(ValueError, match=r"config\.optimizer, which is 'adam', has no field 'decay'"):
        config.read(Phase, mixed.to_dict())
    with pytest.raises(ValueError, match="learning_rate is 0"):
        optimizers.adam_cosine(0.0)
