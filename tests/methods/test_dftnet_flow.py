import dataclasses

import jax
import numpy as np
import pytest
from small_editors import faces, small_flow, small_regressor
from small_methods import compiled, largest_change, started

from lgan_jax.core import Finished
from lgan_jax.ops import augment

HEADS = {"texture", "texture_decoder"}


@pytest.fixture(scope="module")
def earlier():
    regressor = small_regressor()
    return {"regressor": Finished(regressor, started(regressor, faces(3)))}


@pytest.fixture(scope="module")
def trained(earlier):
    """A phase, its first state, and the states and metrics of its steps on one batch."""
    augmentation = dataclasses.replace(augment.NONE, mirror=True, shift=0.02)
    method, batch = small_flow(earlier, augmentation=augmentation), faces(4)
    first = state = started(method, batch)
    step, history = compiled(method), []
    for i in range(6):
        state, metrics = step(state, batch, jax.random.key(i))
        history.append((state, metrics))
    return method, first, history


def test_steps_reach_the_encoder_and_the_flow_alone(trained):
    _, first, history = trained
    before, after = first.params["generator"], history[-1][0].params["generator"]
    for name in before:
        changes = largest_change(before[name], after[name])
        assert max(changes) == 0 if name in HEADS else min(changes) > 0
    attention = [params["flow_attention"]["kernel"][..., 2:] for params in (before, after)]
    np.testing.assert_array_equal(*attention)
    assert max(largest_change(first.params["discriminator"], history[-1][0].params["discriminator"])) == 0
    assert int(history[-1][0].step) == 6


def test_the_total_is_weighted(trained):
    method, _, history = trained
    for _, metrics in history:
        assert set(metrics) == {"condition", "cycle", "total_variation", "total"}
        expected = sum(
            getattr(method.settings.weights, name) * float(metrics[name]) for name in set(metrics) - {"total"}
        )
        assert float(metrics["total"]) == pytest.approx(expected, rel=1e-5)


def test_faces_are_the_source_warped(trained):
    method, _, history = trained
    batch = faces(4)
    edited = jax.jit(method.edit)(history[-1][0], batch["image"], np.roll(batch["action_units"], 1, 0))
    np.testing.assert_array_equal(edited.image, edited.aligned)
    assert float(edited.attention.min()) == 1
    assert float(np.abs(edited.flow).max()) > 0
    assert float(np.abs(edited.image - batch["image"]).max()) > 0


def test_a_missing_regressor_is_said():
    with pytest.raises(ValueError, match="the flow phase needs the regressor phase before it"):
        small_flow({})
