import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_editors import faces, small_editor, small_flow, small_regressor
from small_methods import ADAM, figures_of, largest_change, started, trained_on

from lgan_jax.core import Finished
from lgan_jax.methods.dftnet.editor import BaselinePhase, EditorPhase
from lgan_jax.methods.dftnet.pairs import BaselinePairsPhase, PairsPhase
from lgan_jax.ops import augment


def paired(count):
    """A face whose second picture has another colour in its middle, and the action units of both."""
    batch = faces(count)
    second = batch["image"].copy()
    second[:, 16:48, 16:48] = -second[:, 16:48, 16:48]
    units = batch["action_units"]
    return {"image": np.stack([batch["image"], second], 1), "action_units": np.stack([units, 1 - units], 1)}


@pytest.fixture(scope="module", params=[PairsPhase, BaselinePairsPhase])
def trained(request):
    """A phase, its first state, and the states and metrics of its steps on one batch."""
    method = small_flow({}, request.param, optimizer=dataclasses.replace(ADAM, learning_rate=0.03))
    return trained_on(method, paired(3), 8)


def test_steps_reach_every_parameter_of_the_generator_and_no_other(trained):
    _, first, history = trained
    last = history[-1][0]
    assert min(largest_change(first.params["generator"], last.params["generator"])) > 0
    assert min(largest_change(first.ema["generator"], last.ema["generator"])) > 0
    assert max(largest_change(first.params["discriminator"], last.params["discriminator"])) == 0
    assert int(last.step) == 8


def test_the_total_is_weighted_and_falls(trained):
    method, _, history = trained
    weights = method.settings.weights
    for _, metrics in history:
        terms = {"pair", "pair_texture", "total_variation", "attention"}
        assert set(metrics) == {*terms, "total"}
        expected = sum(getattr(weights, name) * float(metrics[name]) for name in terms)
        assert float(metrics["total"]) == pytest.approx(expected, rel=1e-5)
    assert float(history[-1][1]["pair_texture"]) < 0.97 * float(history[0][1]["pair_texture"])


def test_evaluation_is_against_the_second_picture(trained):
    method, first, history = trained
    batch = paired(4)
    image, last = batch["image"], history[-1][0]
    metrics = jax.jit(method.eval_step)(last, batch)
    made = np.asarray(jax.jit(method.edit)(last, image[:, 0], batch["action_units"][:, 1]).image)
    assert float(metrics["l1_source"]) == pytest.approx(np.abs(image[:, 0] - image[:, 1]).mean() / 2, rel=1e-5)
    assert float(metrics["l1"]) == pytest.approx(np.abs(made - image[:, 1]).mean() / 2, rel=1e-4)
    assert {"action_units", "cycle", "ssim", "attention", "flow"} <= set(metrics)
    (sheet,) = method.sample_images(first, jax.tree.map(jnp.asarray, batch)).values()
    assert sheet.shape == (4, 6, 64, 64, 3)
    np.testing.assert_array_equal(sheet[:, :2], image)


def test_either_picture_is_the_source_and_both_are_mirrored_alike():
    """Where nothing is learned yet the loss says which pictures were compared."""
    method = small_flow({}, PairsPhase, augmentation=dataclasses.replace(augment.NONE, mirror=True), emphasis=0.0)
    batch = paired(1)
    batch["image"][:, 1] = batch["image"][:, 0]
    batch["image"][:, 1, :, :8] = 1.0  # differs from the first at the left alone
    state = started(method, batch)
    found = np.array([float(figures_of(method, state, batch, jax.random.key(i))["pair"]) for i in range(24)])
    same = found < 1e-3  # one in eight is to stay as it is
    assert 0 < same.sum() < 10
    expected = np.abs(batch["image"][:, 0] - batch["image"][:, 1]).mean()
    np.testing.assert_allclose(found[~same], expected, rtol=0.02)  # mirrored one by one, far more would differ


def test_editors_go_on_from_pairs():
    regressor = small_regressor()
    earlier = {"regressor": Finished(regressor, started(regressor, faces(3)))}
    for phase, editor, name in (
        (PairsPhase, EditorPhase, "pairs"),
        (BaselinePairsPhase, BaselinePhase, "baseline_pairs"),
    ):
        method = small_flow(earlier, phase)
        state = started(method, paired(3))
        assert max(largest_change(state.params["discriminator"], earlier["regressor"].state.ema["discriminator"])) == 0
        after = small_editor(editor, earlier={**earlier, name: Finished(method, state)})
        assert max(largest_change(state.ema["generator"], started(after, faces(3)).params["generator"])) == 0
