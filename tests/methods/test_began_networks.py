"""Fig. 1 and 2 and Table I: sizes by the letter, parameters counted by hand."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.methods.began.networks import AutoEncoder, Decoder, Encoder, LandmarkGenerator


def shapes(module, *shape):
    """Output and kernels of a module, without computing anything."""
    made, variables = jax.eval_shape(
        lambda x: module.init_with_output(jax.random.key(0), x), jax.ShapeDtypeStruct(shape, jnp.float32)
    )
    return made, {name: layer["kernel"].shape for name, layer in variables["params"].items()}


@pytest.mark.parametrize(("size", "widths"), [(32, (64, 128, 192)), (128, (64, 128, 192, 256, 256))])
def test_the_encoder_widens_while_it_halves(size, widths):
    made, kernels = shapes(Encoder(64), 2, size, size, 3)
    assert made.shape == (2, 64)
    assert kernels.pop("colours") == (3, 3, 3, 64)
    assert kernels.pop("features") == (8 * 8 * widths[-1], 64)
    for level, width in enumerate(widths):
        assert kernels.pop(f"level_{level}_0") == kernels.pop(f"level_{level}_1") == (3, 3, width, width)
    assert kernels == {f"widen_{i}": (1, 1, *pair) for i, pair in enumerate(itertools.pairwise(widths))}


@pytest.mark.parametrize(("size", "levels"), [(32, 3), (64, 4), (128, 5)])
def test_the_decoder_has_64_channels_throughout(size, levels):
    made, kernels = shapes(Decoder(size), 2, 64)
    assert made.shape == (2, size, size, 3)
    assert kernels.pop("maps") == (64, 8 * 8 * 64)
    assert kernels.pop("colours") == (3, 3, 64, 3)
    assert kernels == {f"level_{i}_{j}": (3, 3, 64, 64) for i in range(levels) for j in range(2)}


def test_the_landmark_generator_is_table_1():
    made, kernels = shapes(LandmarkGenerator(49), 5, 64)
    assert made.shape == (5, 49, 2)
    assert list(kernels.values()) == [(64, 128), (128, 128), (128, 128), (128, 98)]


def test_landmarks_lie_in_the_image():
    module = LandmarkGenerator(3)
    z = 40 * jax.random.normal(jax.random.key(1), (6, 64))
    found = np.asarray(module.apply(module.init(jax.random.key(0), z), z))
    assert (found >= 0).all()
    assert (found <= 1).all()


def test_images_have_no_activation_at_their_end():
    """The last convolution's bias is added to every pixel as it is; computed in bfloat16 the result is float32."""
    module = Decoder(16, 2, dtype=jnp.bfloat16)
    z = jnp.ones((2, 64))
    params = jax.jit(module.init)(jax.random.key(0), z)["params"]
    params["colours"]["bias"] = jnp.array([5.0, -7.0, 0.0])
    moved = module.apply({"params": params}, z)
    params["colours"]["bias"] = jnp.zeros(3)
    np.testing.assert_allclose(
        moved - module.apply({"params": params}, z), jnp.broadcast_to(jnp.array([5, -7, 0.0]), moved.shape), atol=1e-5
    )
    assert moved.dtype == jnp.float32


def test_the_encoder_halves_by_means():
    """Of a network whose first level passes a map on, a constant reaches the features unchanged."""
    module = AutoEncoder(4, 16, 1)
    image = jnp.full((1, 16, 16, 3), 0.5)
    variables = jax.jit(module.init)(jax.random.key(0), image)
    assert module.apply(variables, image).shape == (1, 16, 16, 3)
    passing = jax.tree.map(jnp.zeros_like, variables["params"]["encoder"])
    passing["colours"]["kernel"] = passing["colours"]["kernel"].at[1, 1].set(1 / 3)
    for name in ("level_0_0", "level_0_1", "level_1_0", "level_1_1"):
        channels = passing[name]["kernel"].shape[-1]
        passing[name]["kernel"] = passing[name]["kernel"].at[1, 1].set(jnp.eye(channels))
    passing["widen_0"]["kernel"] = jnp.array([[[[1.0, 2.0]]]])
    passing["features"]["kernel"] = jnp.ones((8 * 8 * 2, 4)) / 64
    np.testing.assert_allclose(Encoder(4, 1).apply({"params": passing}, image), 1.5, rtol=1e-5)
