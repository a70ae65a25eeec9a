import jax
import jax.numpy as jnp
import numpy as np

from lgan_jax.methods.landmarkgan.generator import centred


def test_the_first_layer_answers_as_if_its_input_were_centred_and_scaled():
    keys = jax.random.split(jax.random.key(0), 3)
    means = jax.random.uniform(keys[0], (1, 2, 3, 2))
    landmarks = means + 0.05 * jax.random.normal(keys[1], (50, 2, 3, 2))
    kernel = jax.random.normal(keys[2], (2, 6, 4))
    others = {"head": {"kernel": jnp.ones(1)}}
    started = centred({"layer_0": {"kernel": kernel, "bias": jnp.zeros((2, 4))}, **others}, landmarks)
    flat = np.asarray(landmarks).reshape(50, 2, 6)
    deviation = np.sqrt(((flat - flat.mean(0)) ** 2).mean())
    for i in range(2):
        layer = jax.tree.map(lambda p, i=i: np.asarray(p[i]), started["layer_0"])
        wanted = (flat[:, i] - flat[:, i].mean(0)) / deviation @ np.asarray(kernel[i])
        np.testing.assert_allclose(flat[:, i] @ layer["kernel"] + layer["bias"], wanted, atol=2e-4)
    assert started["head"] is others["head"]


def test_examples_that_are_all_the_same_give_finite_weights():
    generators = {"layer_0": {"kernel": jnp.ones((1, 4, 2)), "bias": jnp.zeros((1, 2))}}
    started = centred(generators, jnp.full((3, 1, 2, 2), 0.25))
    np.testing.assert_allclose(started["layer_0"]["kernel"], np.full((1, 4, 2), 50.0))
    np.testing.assert_allclose(started["layer_0"]["bias"], np.full((1, 2), -50.0))
