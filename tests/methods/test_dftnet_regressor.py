import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_editors import FACES, faces, small_regressor
from small_methods import abstract_step, largest_change, started, trained_on

from lgan_jax.methods.dftnet.regressor import augmented
from lgan_jax.ops import augment


@pytest.fixture(scope="module")
def trained():
    """A phase, its first state, and the states and metrics of its steps on one batch."""
    return trained_on(small_regressor(), faces(6), 10)


def test_a_step_reaches_every_parameter_but_the_critics(trained):
    _, first, history = trained
    for name, before in first.params["discriminator"].items():
        changes = largest_change(before, history[0][0].params["discriminator"][name])
        assert max(changes) == 0 if name == "critic" else min(changes) > 0
    assert int(history[-1][0].step) == 10


def test_it_learns_one_batch(trained):
    method, _, history = trained
    assert history[-1][1]["condition"] < 0.7 * history[0][1]["condition"]
    state, batch = history[-1][0], faces(6)
    metrics = jax.jit(method.eval_step)(state, batch)
    seen = np.asarray(jax.jit(method.estimate)(state, batch["image"]))
    assert float(metrics["action_units"]) == pytest.approx(np.abs(seen - batch["action_units"]).mean(), rel=1e-4)
    assert float(metrics["condition"]) == pytest.approx(((seen - batch["action_units"]) ** 2).mean(), rel=1e-4)


def test_faces_are_perturbed_towards_where_it_is_wrong_once_it_has_learned():
    method, batch = small_regressor(perturbation=0.5, perturbation_start=0.6), faces(6)
    state, (image, units) = started(method, batch), batch.values()
    perturbed, keys = jax.jit(method.perturbed), jax.random.split(jax.random.key(0), 6)
    np.testing.assert_array_equal(perturbed(state.replace(step=jnp.int32(12)), image, units, keys), image)
    lengths = []
    for step in (14, 16, 19):
        moved = perturbed(state.replace(step=jnp.int32(step)), image, units, keys)
        lengths.append(np.linalg.norm((moved - image).reshape(6, -1), axis=1))
    np.testing.assert_allclose(lengths[1], lengths[2], rtol=1e-5)
    np.testing.assert_allclose(2 * lengths[0], lengths[1], rtol=1e-3)
    assert 0 < lengths[2].min() < lengths[2].max() <= 0.5
    before, after = (((jax.jit(method.estimate)(state, x) - units) ** 2).sum(-1) for x in (image, moved))
    assert (after > before).all()


def test_each_example_is_augmented_on_its_own():
    settings, image = dataclasses.replace(augment.NONE, shift=0.05), jnp.asarray(faces(1)["image"].repeat(4, 0))
    keys = jax.random.split(jax.random.key(0), 4)
    changed = augmented(settings, image, keys)
    assert float(jnp.abs(changed[0] - changed[1]).max()) > 0.1
    assert float(jnp.abs(changed).max()) <= 1 + 1e-6
    assert augmented(augment.NONE, image, keys) is image


def test_pictures_and_another_augmentation():
    augmentation = dataclasses.replace(augment.NONE, rotation=5.0, mirror=True, brightness=0.1)
    method, batch = small_regressor(perturbation=0.5, augmentation=augmentation), faces(8)
    _, metrics = abstract_step(method, batch)
    assert {name: x.shape for name, x in metrics.items()} == {"condition": ()}
    assert jax.eval_shape(method.sample_images, started(method, batch), batch)["shown"].shape == (6, 3, 64, 64, 3)


def test_pictures_that_a_later_phase_could_not_take_are_refused_at_once():
    with pytest.raises(ValueError, match="images are 96 pixels wide; DFT-Net supports multiples of 64"):
        small_regressor(dataclasses.replace(FACES, size=96))
