import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_editors import FACES, SMALL, faces, small_editor
from small_methods import ADAM, abstract_step, compiled, largest_change, started

from lgan_jax.core import FaceInfo
from lgan_jax.landmarks import IBUG68
from lgan_jax.methods.dftnet.method import Baseline, Editor, targets
from lgan_jax.ops import augment

LOSSES = {"adversarial", "condition", "cycle", "total_variation", "attention"}


TWO = {"discriminator_updates": 2, "batch_size": 16}


@pytest.fixture(scope="module")
def editor():
    """An editor with two updates of the discriminator, its compiled step, and a state. (To compile one takes long.)"""
    method = small_editor(**TWO)
    return method, compiled(method), started(method, faces(16))


@pytest.fixture(scope="module", params=[Editor, Baseline])
def trained(request, editor):
    """A phase, its first state, and the states and metrics of its steps on one batch."""
    method, step, first = editor
    if request.param is Baseline:
        method = small_editor(Baseline, **TWO)
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


def test_the_average_warms_up(trained):
    """After step 0 the average is 0.1·start + 0.9·trained."""
    _, before, history = trained
    after = history[0][0]
    start, now, average = (x["texture"]["kernel"] for x in (before.average, after.params["generator"], after.average))
    np.testing.assert_allclose(average, 0.1 * start + 0.9 * now, rtol=1e-4, atol=1e-6)


def test_evaluation_and_pictures(trained):
    method, _, history = trained
    state, batch = history[-1][0], faces(4)
    metrics = jax.jit(method.eval_step)(state, batch)
    edited = jax.jit(method.edit)(state, batch["image"], np.roll(batch["action_units"], 1, 0))
    seen = jax.jit(method.estimate)(state, edited.image)
    wanted = np.roll(batch["action_units"], 1, 0)
    assert float(metrics["action_units"]) == pytest.approx(np.abs(seen - wanted).mean(), rel=1e-4)
    assert float(metrics["attention"]) == pytest.approx(float(edited.attention.mean()), rel=1e-4)
    assert (float(metrics["flow"]) > 0) == (type(method) is Editor)
    assert set(metrics) == {
        *("action_units", "action_units_real", "action_units_source", "cycle", "ssim", "attention", "flow")
    }
    assert jax.eval_shape(method.pictures, state, batch)["edited"].shape == (4, 6, 64, 64, 3)


def test_a_step_is_its_updates_one_after_the_other(editor):
    """Each of the discriminator's on faces of its own, each from where the last one ended."""
    method, step, start = editor
    batch, key = faces(16), jax.random.key(5)
    after, _ = step(start, batch, key)

    def run(update, part):
        """The state after one update, under the axis of one device."""

        def on_device(state, batch):
            return update(state, *method._dealt(batch["image"], batch["action_units"], key)[part])[0]

        mapped = jax.jit(jax.vmap(on_device, axis_name="data"))
        return jax.tree.map(lambda x: x[0], mapped(*jax.tree.map(lambda x: x[None], (states[-1], batch))))

    states = [start]
    for update, part in (
        (method._update_discriminator, 0),
        (method._update_discriminator, 1),
        (method._update_generator, 1),
    ):
        states.append(run(update, part))
    assert min(largest_change(states[1].params["discriminator"], states[2].params["discriminator"])) > 0
    for name in ("generator", "discriminator"):
        assert max(largest_change(states[-1].params[name], after.params[name])) < 1e-5


def test_the_generator_can_wait_for_the_regressor():
    """A quarter of eight steps: D_C learns alone in the first two, from augmented faces, then both networks."""
    changes = {"rotation": 5.0, "shift": 0.03, "mirror": True, "brightness": 0.1}
    augmentation = dataclasses.replace(augment.NONE, **changes)
    options = {"steps": 8, "generator_after": 0.25, "augmentation": augmentation, "regressor_optimizer": ADAM}
    method, batch = small_editor(**options, discriminator_updates=1, batch_size=3), faces(3)
    states, step = [started(method, batch)], compiled(method)
    for i in range(3):
        state, metrics = step(states[-1], batch, jax.random.key(i))
        states.append(state)
        assert (metrics["cycle"] > 0) == (metrics["total"] != 0) == (i == 2)
        assert metrics["condition_real"] > 0
        trained = states[-2].params["discriminator"], state.params["discriminator"]
        assert min(largest_change(*(x["action_units"] for x in trained))) > 0
    for name in ("generator", "discriminator"):
        assert max(largest_change(states[0].optimizers[name], states[2].optimizers[name])) == 0
    assert max(largest_change(states[0].params["generator"], states[2].params["generator"])) == 0
    assert max(largest_change(states[2].params["generator"], states[3].params["generator"])) > 0
    assert max(largest_change(states[2].optimizers["regressor"], states[3].optimizers["regressor"])) == 0


def test_real_faces_are_perturbed_towards_where_the_regressor_is_wrong():
    method, batch = small_editor(perturbation=0.5), faces(6)
    state, (image, units) = started(method, batch), batch.values()
    moved = jax.jit(method._perturbed)(state, image, units, jax.random.split(jax.random.key(0), 6))
    lengths = np.linalg.norm((moved - image).reshape(6, -1), axis=1)
    assert 0 < lengths.min() < lengths.max() <= 0.5
    before, after = (((jax.jit(method.estimate)(state, x) - units) ** 2).sum(-1) for x in (image, moved))
    assert (after > before).all()
    assert small_editor()._perturbed(state, image, units, None) is image
    state, metrics = abstract_step(method, faces(10))
    assert metrics["condition_real"].shape == (1,)


def test_each_example_is_augmented_on_its_own():
    augmentation = dataclasses.replace(augment.NONE, shift=0.05)
    method, image = small_editor(augmentation=augmentation), faces(1)["image"].repeat(4, 0)
    changed = jax.jit(method._augmented)(image, jax.random.split(jax.random.key(0), 4))
    assert float(jnp.abs(changed[0] - changed[1]).max()) > 0.1
    assert float(jnp.abs(changed).max()) <= 1 + 1e-6


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
    eight, metrics = step(state, shares, key)
    for name, value in expected.items():
        np.testing.assert_allclose(metrics[name], value, rtol=2e-3, atol=1e-5)
    assert max(largest_change(one.params, jax.tree.map(lambda x: x[0], eight.params))) < 2e-3


def test_targets_are_other_examples_on_any_number_of_devices():
    units = jnp.tile(jnp.linspace(0.2, 0.8, 12)[:, None], (1, 17))
    keys = jax.random.split(jax.random.key(0), 12)
    one = jax.vmap(targets, axis_name="data")(keys[None], units[None])[0]
    four = jax.vmap(targets, axis_name="data")(keys.reshape(4, 3), units.reshape(4, 3, 17)).reshape(12, 17)
    np.testing.assert_array_equal(one, four)
    means = np.asarray(one.mean(1))
    nearest = np.abs(means[:, None] - np.asarray(units)[:, 0]).argmin(1)
    assert np.abs(one - np.asarray(units)[nearest]).max() <= 0.1 + 1e-6
    assert np.abs(one - one.mean(1, keepdims=True)).max() > 0.05
    assert (nearest != np.arange(12)).sum() >= 10
    assert len(set(nearest)) > 4
    alone = jax.vmap(targets, axis_name="data")(keys[None, :1], jnp.ones((1, 1, 17)))
    assert 0.9 <= float(alone.min()) <= float(alone.max()) == 1


@pytest.mark.parametrize("phase", [Editor, Baseline])
def test_another_size_in_bfloat16(phase):
    info, batch = FaceInfo(IBUG68, 128, ("Ada",)), faces(5, 128)
    method = small_editor(phase, info, jnp.bfloat16)
    state, metrics = abstract_step(method, batch)
    assert all(x.dtype in (jnp.float32, jnp.int32) for x in jax.tree.leaves((state, metrics)))


def test_what_cannot_be_trained_is_said():
    with pytest.raises(ValueError, match="96 pixels wide; DFT-Net takes multiples of 64"):
        small_editor(info=dataclasses.replace(FACES, size=96))
    with pytest.raises(ValueError, match="batch_size is 7; it must be a multiple of discriminator_updates, which is 5"):
        Editor.Settings(**{**SMALL, "batch_size": 7})
    with pytest.raises(ValueError, match=r"generator_after is 1\.0; it must be at least 0 and less than 1"):
        Editor.Settings(**SMALL, generator_after=1.0)
    with pytest.raises(ValueError, match="share of the batch, 4, cannot be dealt out over 5"):
        abstract_step(small_editor(), faces(4))
