import jax
import jax.numpy as jnp
import numpy as np

from lgan_jax.methods.landmarkgan.generator import whitened


def test_the_first_layer_answers_as_if_its_input_were_whitened():
    keys = jax.random.split(jax.random.key(0), 3)
    means = jax.random.uniform(keys[0], (1, 2, 3, 2))
    spread = jnp.array([[0.2, 0.02], [0.05, 0.05], [0.1, 0.03]])[None, None]
    landmarks = means + spread * jax.random.normal(keys[1], (500, 2, 3, 2))
    kernel = jax.random.normal(keys[2], (2, 6, 4))
    others = {"head": {"kernel": jnp.ones(1)}}
    started = whitened({"layer_0": {"kernel": kernel, "bias": jnp.zeros((2, 4))}, **others}, landmarks)
    flat = np.asarray(landmarks, np.float64).reshape(500, 2, 6)
    residuals = (flat - flat.mean(0)).reshape(-1, 6)
    covariance = residuals.T @ residuals / len(residuals)
    variances, directions = np.linalg.eigh(covariance + np.trace(covariance) / 6 * np.eye(6))
    whitening = directions / np.sqrt(variances) @ directions.T
    whitening *= np.sqrt(6 / np.trace(whitening @ covariance @ whitening))
    for i in range(2):
        layer = jax.tree.map(lambda p, i=i: np.asarray(p[i]), started["layer_0"])
        wanted = (flat[:, i] - flat[:, i].mean(0)) @ whitening @ np.asarray(kernel[i])
        np.testing.assert_allclose(flat[:, i] @ layer["kernel"] + layer["bias"], wanted, atol=2e-3)
    assert started["head"] is others["head"]


def test_examples_that_are_all_the_same_give_finite_weights():
    generators = {"layer_0": {"kernel": jnp.ones((1, 4, 2)), "bias": jnp.zeros((1, 2))}}
    started = whitened(generators, jnp.full((3, 1, 2, 2), 0.25))
    np.testing.assert_allclose(started["layer_0"]["kernel"], np.full((1, 4, 2), 100.0), rtol=1e-4)
    np.testing.assert_allclose(started["layer_0"]["bias"], np.full((1, 2), -100.0), rtol=1e-4)
