import jax.numpy as jnp
import numpy as np
import optax
import pytest

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
        ({"schedule": "step", "factor": 0.5, "every": 10, "minimum": 3e-3}, 9, 8e-3),
        ({"schedule": "step", "factor": 0.5, "every": 10, "minimum": 3e-3}, 10, 4e-3),
        ({"schedule": "step", "factor": 0.5, "every": 10, "minimum": 3e-3}, 40, 3e-3),
        ({"schedule": "linear", "minimum": 2e-3}, 50, 5e-3),
        ({"schedule": "cosine", "minimum": 2e-3}, 50, 5e-3),
        ({"schedule": "linear"}, 100, 0.0),
        ({"schedule": "linear", "warmup": 20}, 5, 2e-3),
        ({"schedule": "linear", "warmup": 20}, 60, 4e-3),
        ({"schedule": "linear", "hold": 0.6}, 60, 8e-3),
        ({"schedule": "linear", "hold": 0.6}, 80, 4e-3),
        ({"schedule": "cosine", "hold": 0.5, "warmup": 20}, 5, 2e-3),
        ({"schedule": "cosine", "hold": 0.5, "warmup": 20}, 60, 8e-3),
        ({"schedule": "cosine", "hold": 0.5, "warmup": 20}, 80, 4e-3),
    ],
)
def test_schedules(fields, step, expected):
    schedule = optimizers.learning_rate(optimizers.Settings(learning_rate=8e-3, **fields), 100)
    assert float(schedule(step)) == pytest.approx(expected, abs=1e-8)


def test_a_minimum_above_the_learning_rate_is_an_error():
    with pytest.raises(ValueError, match="above the learning rate"):
        optimizers.Settings(learning_rate=1e-4, minimum=1e-3)


def test_a_share_that_is_none_is_an_error():
    with pytest.raises(ValueError, match=r"hold is 1\.0; it is a share"):
        optimizers.Settings(hold=1.0)
