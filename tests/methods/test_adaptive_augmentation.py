"""The probability of adaptive augmentation follows the signs of the logits, and StyleGAN2 trains with it."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_methods import figures_of, on_two_devices, started
from small_stylegan2 import small_stylegan2

from lgan_jax.methods.projection.augmentation import Augmentation
from lgan_jax.methods.projection.stylegan2 import Settings

RATES = types.SimpleNamespace(batch_size=8, ada_target=0.5, ada_interval=2, ada_kimg=0.08)  # 16 of 80 images: 0.2


def _after(signs) -> list[Augmentation]:
    states = [Augmentation.start()]
    for step, sign in enumerate(signs):
        states.append(states[-1].after(jnp.float32(sign), jnp.int32(step), RATES))
    return states[1:]


def test_the_probability_moves_every_interval_towards_the_target():
    states = _after([1, 0.5, 1, 1, 0, 0.2, -1, -1, -1, -1])
    found = [float(state.probability) for state in states]
    assert found == pytest.approx([0, 0.2, 0.2, 0.4, 0.4, 0.2, 0.2, 0, 0, 0])
    assert [float(state.overfitting) for state in states[1::2]] == pytest.approx([0.75, 1, 0.1, -1, -1])


def test_the_probability_is_at_most_one():
    assert float(_after([1] * 20)[-1].probability) == 1


def test_settings_are_checked():
    with pytest.raises(ValueError, match="ada_target is 2"):
        Settings(ada_target=2.0)
    with pytest.raises(ValueError, match="ada_interval is 0"):
        Settings(ada_interval=0)


def test_images_are_seen_unchanged_at_first():
    images = jax.random.uniform(jax.random.key(0), (3, 8, 8, 3), minval=-1.0)
    seen = Augmentation.start().seen(images, jax.random.split(jax.random.key(1), 3))
    assert jnp.abs(seen - images).max() < 1e-6


def _kept(state, metrics):
    return state.variables["augmentation"], {name: metrics[name] for name in ("probability", "overfitting")}


@pytest.fixture(scope="module", params=["non_saturating", "relativistic"])
def step(request):
    """Augmentation and metrics after the third step on two devices, of a state that saw real images recognized."""
    method = small_stylegan2(augment="ada", ada_interval=1, ada_kimg=0.008, ada_target=-1.0, loss=request.param)
    batch = {"image": np.random.default_rng(0).uniform(-1, 1, (4, 8, 8, 3)).astype(np.float32)}
    state = started(method, batch)
    return method, batch, state, on_two_devices(method, state, batch, jax.random.key(3), _kept)


def test_stylegan2_adapts_on_all_devices_alike(step):
    _, _, state, (augmentation, metrics) = step
    assert float(state.variables["augmentation"].probability) == 0
    np.testing.assert_array_equal(augmentation.probability[0], augmentation.probability[1])
    assert float(augmentation.probability[0]) == pytest.approx(4 / 8)
    np.testing.assert_array_equal(metrics["probability"], augmentation.probability)
    assert -1 < float(metrics["overfitting"][0]) <= 1


def test_augmented_images_give_other_losses(step):
    method, batch, state, _ = step
    augmented = state.with_variables(augmentation=state.variables["augmentation"].replace(probability=jnp.ones(())))
    plain, changed = (figures_of(method, each, batch, jax.random.key(3)) for each in (state, augmented))
    for name in ("generator", "discriminator"):
        assert np.isfinite(changed[name])
        assert abs(float(changed[name] - plain[name])) > 1e-5


def test_no_augmentation_has_no_state():
    assert (
        "augmentation"
        not in jax.eval_shape(
            lambda: small_stylegan2().init(jax.random.key(0), {"image": jnp.zeros((4, 8, 8, 3))})
        ).variables
    )
