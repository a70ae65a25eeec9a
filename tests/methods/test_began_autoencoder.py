"""BEGAN's start: D alone, and a generator that begins as its decoder."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_faces import FACES, pictures, small_began
from small_methods import ADAM, compiled, largest_change, started

from lgan_jax.core import Finished
from lgan_jax.landmarks import INNER49
from lgan_jax.losses.reconstruction import pixel_weights
from lgan_jax.methods.began.autoencoder import AutoencoderPhase
from lgan_jax.methods.began.began import BEGANPhase
from lgan_jax.methods.began.networks import Decoder


@pytest.fixture(scope="module")
def trained():
    """A phase, its first state, and the state and metrics after one step."""
    settings = AutoencoderPhase.Settings(steps=20, batch_size=5, optimizer=ADAM, width=2, skips=True, features=4.0)
    method = AutoencoderPhase(settings, FACES, jnp.float32, {})
    batch = pictures(5)
    first = started(method, batch)
    return method, first, *compiled(method)(first, batch, jax.random.key(0))


def test_a_step_reaches_every_parameter_and_sees_the_features(trained):
    method, first, after, metrics = trained
    image, landmarks = (pictures(5)[name] for name in ("image", "landmarks"))
    both = jax.jit(lambda params: method.network.apply({"params": params}, jnp.asarray(image), method="both"))
    decoded, features = map(np.asarray, both(first.params["autoencoder"]))
    assert set(metrics) == {"real"}
    weights = np.asarray(pixel_weights(jnp.asarray(landmarks), INNER49, 16, 4.0))
    assert float(metrics["real"]) == pytest.approx((weights * (decoded - image) ** 2).mean(), rel=1e-4)
    assert min(largest_change(first.params, after.params)) > 0
    np.testing.assert_allclose(
        after.variables["mean"], 0.9 * features.mean(0), atol=1e-4
    )  # (1 + 0) / (10 + 0) of the first is kept
    np.testing.assert_allclose(after.variables["products"], 0.9 * features.T @ features / 5, atol=1e-3)
    held_out = jax.jit(method.eval_step)(first, pictures(5))
    assert float(held_out["real"]) == pytest.approx(((decoded - image) ** 2).mean(), rel=1e-4)
    sheet = np.asarray(jax.jit(method.sample_images)(first, pictures(5))["decoded"])
    np.testing.assert_allclose(sheet, np.stack([image, decoded], 1), atol=1e-4)


def test_the_generator_starts_as_the_decoder_of_real_faces_features(trained):
    """Of z, which has the covariance I/3, its first layer makes maps of the same mean and covariance as D's of real
    faces' features; the other layers are the same."""
    method, _, state, _ = trained
    rng = np.random.default_rng(1)
    features = 3 * rng.normal(size=(200, 64)) @ rng.normal(size=(64, 64)) + rng.normal(size=64)
    seen = {"mean": features.mean(0), "products": features.T @ features / 200}
    state = state.with_variables(**{name: jnp.asarray(x, jnp.float32) for name, x in seen.items()})
    earlier = {"autoencoder": Finished(method, state)}
    settings = BEGANPhase.Settings(steps=20, batch_size=6, optimizer=ADAM, width=2, skips=True, k=0.25)
    began = started(BEGANPhase(settings, FACES, jnp.float32, earlier), pictures(1))
    assert float(began.variables["k"]) == 0.25
    assert max(largest_change(state.params["autoencoder"], began.params["autoencoder"])) == 0
    decoder, generator = dict(state.params["autoencoder"]["decoder"]), dict(began.params["generator"])
    there, here = decoder.pop("maps"), generator.pop("maps")
    assert max(largest_change(decoder, generator)) == 0
    maps = features @ np.asarray(there["kernel"]) + np.asarray(there["bias"])
    covariance = np.cov(maps.T, bias=True)
    kernel = np.asarray(here["kernel"])
    np.testing.assert_allclose(here["bias"], maps.mean(0), atol=1e-3 * np.abs(maps).max())
    np.testing.assert_allclose(kernel.T @ kernel / 3, covariance, atol=2e-3 * covariance.max())


def test_skips_show_every_size_the_first_maps():
    """With kernels that pass only what the skips bring, the first maps reach the image."""
    module, z = Decoder(16, 2, skips=True), jnp.ones((3, 64))
    params = jax.jit(module.init)(jax.random.key(0), z)["params"]
    assert params["level_0_0"]["kernel"].shape == (3, 3, 2, 2)
    assert params["level_1_0"]["kernel"].shape == (3, 3, 4, 2)
    blocked = params["level_1_0"]["kernel"].at[:, :, :2].set(0)  # what comes through the smaller size
    params = {**params, "level_1_0": {**params["level_1_0"], "kernel": blocked}}
    made = jax.jit(lambda params: module.apply({"params": params}, z))
    other = {**params, "level_0_1": {"kernel": 5 * params["level_0_1"]["kernel"], "bias": jnp.ones(2)}}
    np.testing.assert_array_equal(made(params), made(other))
    moved = {**params, "maps": {**params["maps"], "bias": params["maps"]["bias"] + 1}}
    assert float(jnp.abs(made(params) - made(moved)).max()) > 0.01


def test_what_cannot_be_trained_is_said(trained):
    method, _, state, _ = trained
    with pytest.raises(ValueError, match="images are 24 pixels wide; BEGAN supports 8 times a power of two"):
        AutoencoderPhase(method.settings, dataclasses.replace(FACES, size=24), jnp.float32, {})
    with pytest.raises(ValueError, match=r"width and skips of config\.began must equal those of config\.autoencoder"):
        BEGANPhase(small_began().settings, FACES, jnp.float32, {"autoencoder": Finished(method, state)})
    with pytest.raises(ValueError, match="width is 0"):
        AutoencoderPhase.Settings(width=0)
    with pytest.raises(ValueError, match=r"k is 1\.5; it must be between 0 and 1"):
        BEGANPhase.Settings(k=1.5)
