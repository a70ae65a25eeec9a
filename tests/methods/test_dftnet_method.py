import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_editors import FACES, SMALL, faces, small_editor, small_flow, small_regressor
from small_methods import abstract_step, assert_ema_warms_up, compiled, largest_change, started

from lgan_jax.core import FaceInfo, Finished
from lgan_jax.landmarks import IBUG68
from lgan_jax.losses import adversarial
from lgan_jax.methods.dftnet.editing import targets
from lgan_jax.methods.dftnet.editor import BaselinePhase, EditorPhase
from lgan_jax.methods.dftnet.networks import PAPER
from lgan_jax.ops import augment

LOSSES = {"adversarial", "condition", "cycle", "total_variation", "attention"}


TWO = {"discriminator_updates": 2, "batch_size": 16}


@pytest.fixture(scope="module")
def editor():
    """An editor with two updates of the discriminator, its compiled step, and a state. (To compile one takes long.)"""
    method = small_editor(**TWO)
    return method, compiled(method), started(method, faces(16))


@pytest.fixture(scope="module", params=[EditorPhase, BaselinePhase])
def trained(request, editor):
    """A phase, its first state, and the states and metrics of its steps on one batch."""
    method, step, first = editor
    if request.param is BaselinePhase:
        method = small_editor(BaselinePhase, **TWO)
        step, first = compiled(method), started(method, faces(16))
    state, history = first, []
    for i in range(2):
        state, metrics = step(state, faces(16), jax.random.key(i))
        history.append((state, metrics))
    return method, first, history


def test_a_step_reaches_every_parameter_of_both_networks(trained):
    _, before, history = trained
    for name in ("generator", "discriminator"):
        assert min(largest_change(before.params[name], history[-1][0].params[name])) > 0
    assert int(history[-1][0].step) == 2


def test_updates_of_the_discriminator_for_one_of_the_generator(trained):
    _, _, history = trained
    optimizers = history[0][0].optimizers
    counts = {
        name: [int(part.count) for part in state if "count" in part._fields] for name, state in optimizers.items()
    }
    assert counts == {"generator": [1, 1], "discriminator": [2, 2]}


def test_the_total_is_weighted(trained):
    method, _, history = trained
    for _, metrics in history:
        weights = dataclasses.asdict(method.settings.weights)
        expected = sum(weights[name] * float(metrics[name]) for name in LOSSES)
        assert float(metrics["total"]) == pytest.approx(expected, rel=1e-5)
        assert set(metrics) == {*LOSSES, "total", "wasserstein", "gradient_penalty", "condition_real"}


def test_the_ema_warms_up(trained):
    assert_ema_warms_up(trained, "generator", "texture")


def test_evaluation_and_pictures(trained):
    method, _, history = trained
    state, batch = history[-1][0], faces(4)
    metrics = jax.jit(method.eval_step)(state, batch)
    edited = jax.jit(method.edit)(state, batch["image"], np.roll(batch["action_units"], 1, 0))
    seen = jax.jit(method.estimate)(state, edited.image)
    wanted = np.roll(batch["action_units"], 1, 0)
    assert float(metrics["action_units"]) == pytest.approx(np.abs(seen - wanted).mean(), rel=1e-4)
    assert float(metrics["attention"]) == pytest.approx(float(edited.attention.mean()), rel=1e-4)
    assert (float(metrics["flow"]) > 0) == (type(method) is EditorPhase)
    assert set(metrics) == {
        *("action_units", "action_units_real", "action_units_source", "cycle", "ssim", "attention", "flow")
    }
    assert jax.eval_shape(method.sample_images, state, batch)["edited"].shape == (4, 6, 64, 64, 3)


def test_a_step_is_its_updates_one_after_the_other(editor):
    """Each of the discriminator's on faces of its own, each from where the last one ended."""
    method, step, start = editor
    batch, key = faces(16), jax.random.key(5)
    after, _ = step(start, batch, key)

    def on_a_device(function):
        """Compiled, under the axis of one device."""
        mapped = jax.vmap(function, axis_name="data")
        return jax.jit(lambda *given: jax.tree.map(lambda x: x[0], mapped(*jax.tree.map(lambda x: x[None], given))))

    first, second = on_a_device(lambda image, units: method.dealt(image, units, key))(*batch.values())
    discriminator = on_a_device(lambda *given: method.update_discriminator(*given)[0])
    generator = on_a_device(lambda *given: method.update_generator(*given)[0])
    states = [start]
    for update, part in ((discriminator, first), (discriminator, second), (generator, second)):
        states.append(update(states[-1], *part))
    assert min(largest_change(states[1].params["discriminator"], states[2].params["discriminator"])) > 0
    for name in ("generator", "discriminator"):
        assert max(largest_change(states[-1].params[name], after.params[name])) < 1e-5


def trained_on(state):
    """As if it had been trained: its EMA has left what it began with."""
    return state.replace(ema=jax.tree.map(lambda x: np.asarray(x) + np.float32(0.01), state.ema))


def test_networks_start_as_earlier_phases_left_them():
    batch, regressor = faces(3), small_regressor()
    state = trained_on(started(regressor, batch))
    earlier = {"regressor": Finished(regressor, state)}
    flow = small_flow(earlier)
    trained = trained_on(started(flow, batch))
    earlier["flow"] = Finished(flow, trained)
    for phase in (EditorPhase, BaselinePhase):
        method = small_editor(phase, earlier=earlier)
        first = jax.jit(method.init)(jax.random.key(1), batch)
        assert max(largest_change(first.params["discriminator"], state.ema["discriminator"])) == 0
        if phase is EditorPhase:
            assert max(largest_change(first.params["generator"], trained.ema["generator"])) == 0
            assert max(largest_change(first.ema["generator"], trained.ema["generator"])) == 0
    seen = jax.jit(method.estimate)(first, batch["image"])
    np.testing.assert_allclose(seen, jax.jit(regressor.estimate)(state, batch["image"]), rtol=1e-5)
    for name, value, theirs in (("discriminator_width", 3, 2), ("blocks", 2, 1)):
        with pytest.raises(ValueError, match=f"{name} is {value}; it must equal the .* phase's, {theirs}"):
            small_editor(earlier=earlier, **{name: value})


def test_half_of_the_faces_to_edit_are_mirrored():
    augmentation = dataclasses.replace(augment.NONE, mirror=True)
    method, batch = small_editor(augmentation=augmentation, discriminator_updates=1), faces(16)
    mapped = jax.jit(jax.vmap(lambda x, y, key: method.dealt(x, y, key)[0][0], (0, 0, None), axis_name="data"))
    image, units = (jnp.asarray(batch[name])[None] for name in method.keys)
    dealt = np.asarray(mapped(image, units, jax.random.key(0))[0])
    same = [np.array_equal(a, b) for a, b in zip(dealt, batch["image"])]
    flipped = [np.array_equal(a[:, ::-1], b) for a, b in zip(dealt, batch["image"])]
    assert all(a != b for a, b in zip(same, flipped))
    assert 3 < sum(same) < 13


def test_the_flow_starts_as_the_identity():
    method, batch = small_editor(), faces(3)
    edited = jax.jit(method.edit)(started(method, batch), batch["image"], batch["action_units"])
    assert float(jnp.abs(edited.flow).max()) == 0
    np.testing.assert_array_equal(edited.aligned, batch["image"])


def test_eight_devices_do_what_one_does(editor):
    method, compiled_step, state = editor
    batch, key = faces(16), jax.random.key(3)
    one, expected = compiled_step(state, batch, key)
    shares = {name: x.reshape(8, -1, *x.shape[1:]) for name, x in batch.items()}
    step = jax.jit(jax.vmap(method.train_step, in_axes=(None, 0, None), axis_name="data"))
    eight, metrics = jax.device_get(step(state, shares, key))
    for name, value in expected.items():
        np.testing.assert_allclose(metrics[name], value, rtol=2e-3, atol=1e-5)
    assert max(largest_change(one.params, jax.tree.map(lambda x: x[0], eight.params))) < 2e-3


def test_targets_are_other_examples_on_any_number_of_devices():
    units = jnp.tile(jnp.linspace(0.2, 0.8, 12)[:, None], (1, 17))
    keys = jax.random.split(jax.random.key(0), 12)
    mapped = jax.jit(jax.vmap(functools.partial(targets, amount=0.1), axis_name="data"))
    one = mapped(keys[None], units[None])[0]
    four = mapped(keys.reshape(4, 3), units.reshape(4, 3, 17)).reshape(12, 17)
    np.testing.assert_array_equal(one, four)
    means = np.asarray(one.mean(1))
    nearest = np.abs(means[:, None] - np.asarray(units)[:, 0]).argmin(1)
    assert np.abs(one - np.asarray(units)[nearest]).max() <= 0.1 + 1e-6
    assert np.abs(one - one.mean(1, keepdims=True)).max() > 0.05
    assert (nearest != np.arange(12)).sum() >= 10
    assert len(set(nearest)) > 4
    exact = jax.vmap(functools.partial(targets, amount=0.0), axis_name="data")(keys[None], units[None])[0]
    np.testing.assert_array_equal(exact, units[nearest])
    alone = mapped(keys[None, :1], jnp.ones((1, 1, 17)))
    assert 0.9 <= float(alone.min()) <= float(alone.max()) == 1


@pytest.mark.parametrize("phase", [EditorPhase, BaselinePhase])
def test_another_size_in_bfloat16(phase):
    info, batch = FaceInfo(IBUG68, 128, ("Ada",)), faces(4, 128)
    method = small_editor(phase, info, jnp.bfloat16, discriminator_updates=2)
    state, metrics = abstract_step(method, batch)
    assert all(x.dtype in (jnp.float32, jnp.int32) for x in jax.tree.leaves((state, metrics)))


def test_what_cannot_be_trained_is_said():
    with pytest.raises(ValueError, match="96 pixels wide; DFT-Net supports multiples of 64"):
        small_editor(info=dataclasses.replace(FACES, size=96))
    with pytest.raises(ValueError, match="batch_size is 7; it must be a multiple of discriminator_updates, which is 5"):
        EditorPhase.Settings(**{**SMALL, "batch_size": 7})
    with pytest.raises(ValueError, match="share of the batch, 4, is not divisible by 5"):
        abstract_step(small_editor(), faces(4))


@pytest.mark.parametrize(("phase", "expected"), [(EditorPhase, "mean"), (BaselinePhase, "sum")])
def test_only_ganimations_gradient_penalty_sums_the_critics_map(phase, expected, monkeypatch):
    seen = []
    monkeypatch.setattr(adversarial, "gradient_penalty", lambda *args: seen.append(args[-1]) or jnp.zeros(()))
    abstract_step(small_editor(phase), faces(5))
    assert seen == [expected] * SMALL.get("discriminator_updates", 5)


def test_the_papers_form_is_trained_with_its_own_initial_weights():
    """Normal, with a standard deviation of 0.02; and GANimation's own losses of the attention."""
    method = small_editor(BaselinePhase, form=PAPER, losses="ganimation", **TWO)
    state = started(method, faces(16))
    for network, kernel in (("generator", "encoder"), ("discriminator", "conv_4")):
        weights = np.concatenate([np.ravel(x) for x in jax.tree.leaves(state.params[network][kernel]) if x.ndim == 4])
        assert weights.std() == pytest.approx(0.02, rel=0.1)
    after, metrics = compiled(method)(state, faces(16), jax.random.key(0))
    assert min(largest_change(state.params["generator"], after.params["generator"])) > 0
    assert {"attention", "smoothness"} < set(metrics)
    assert "total_variation" not in metrics
    assert 0.5 < float(metrics["attention"]) < 1.5  # of two edits, whose attention is about a half at first


def test_an_earlier_phase_of_another_form_is_no_start():
    flow = small_flow({"regressor": Finished(small_regressor(), started(small_regressor(), faces(3)))})
    earlier = {"flow": Finished(flow, started(flow, faces(3)))}
    with pytest.raises(ValueError, match=r"form is Form.*it must equal the earlier phase's"):
        small_editor(earlier=earlier, form=PAPER)
