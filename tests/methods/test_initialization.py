import jax
import jax.numpy as jnp
import numpy as np

from lgan_jax.methods.landmarkgan.initialization import shifting, whitened
from lgan_jax.methods.landmarkgan.networks import LandmarkMLP
from lgan_jax.nn import stacked
from lgan_jax.nn.initialisers import initial_variables


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


def test_the_converter_starts_by_moving_landmarks_to_the_mean_face_of_the_target():
    network, keys = LandmarkMLP(24), jax.random.split(jax.random.key(1), 4)
    landmarks = jax.random.uniform(keys[0], (1, 3, 5, 2)) + 0.03 * jax.random.normal(keys[1], (40, 3, 5, 2))
    example = jnp.zeros((1, 5, 2))
    started = shifting(
        {
            "encoder": initial_variables(network, keys[2], example)["params"],
            "decoders": stacked.initialise(network, keys[3], 3, example),
        },
        landmarks,
    )
    latent = network.apply({"params": started["encoder"]}, landmarks[:, 1])
    flat = np.asarray(landmarks, np.float64)
    norm = np.linalg.norm(flat.reshape(-1, 10), axis=-1)
    unit = flat.reshape(-1, 5, 2) / norm[:, None, None]
    everyone = flat.mean((0, 1))
    np.testing.assert_allclose(latent, unit.mean(0) + (flat[:, 1] - everyone) / norm.mean(), atol=2e-5)
    for target in range(3):
        converted = network.apply({"params": stacked.pick(started["decoders"], target)}, latent)
        np.testing.assert_allclose(converted, flat[:, 1] - everyone + flat[:, target].mean(0), atol=2e-4)


def test_starting_calls_lapack_for_one_matrix_at_a_time():
    """Several at once may wait for each other for ever where XLA has few threads."""
    network, example = LandmarkMLP(6), jnp.zeros((1, 4, 2))

    def start(key):
        params = {
            "encoder": initial_variables(network, key, example)["params"],
            "decoders": stacked.initialise(network, key, 3, example),
        }
        return shifting(params, jnp.zeros((5, 3, 4, 2)))

    text = jax.jit(start).lower(jax.random.key(0)).as_text()
    assert text.count("stablehlo.custom_call @lapack") == 1
    assert "tensor<3x" not in next(line for line in text.splitlines() if "@lapack" in line)


def test_narrow_converters_start_within_the_strongest_directions():
    network, keys = LandmarkMLP(4), jax.random.split(jax.random.key(2), 3)
    strongest = jax.random.normal(keys[0], (2, 6))
    landmarks = (0.5 + 0.1 * jax.random.normal(keys[1], (50, 2)) @ strongest).reshape(50, 1, 3, 2)
    params = initial_variables(network, keys[2], jnp.zeros((1, 3, 2)))["params"]
    started = shifting({"encoder": params, "decoders": jax.tree.map(lambda p: p[None], params)}, landmarks)
    latent = network.apply({"params": started["encoder"]}, landmarks[:, 0])
    returned = network.apply({"params": stacked.pick(started["decoders"], 0)}, latent)
    np.testing.assert_allclose(returned, landmarks[:, 0], atol=1e-4)
