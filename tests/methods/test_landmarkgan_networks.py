import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.methods.detector.networks import HeatmapDetector
from lgan_jax.methods.landmarkgan.networks import LandmarkMLP, LandmarkToFace
from lgan_jax.nn.initialisers import initial_variables


def abstract(module, *shape):
    made, variables = jax.eval_shape(
        module.init_with_output, jax.random.key(0), jax.ShapeDtypeStruct(shape, jnp.float32)
    )
    return made, sum(p.size for p in jax.tree.leaves(variables["params"]))


def conv(size, inputs, outputs):
    return size * size * inputs * outputs + outputs


def test_generator_of_the_full_size_has_44_3_million_parameters():
    made, count = abstract(LandmarkToFace(256), 2, 98, 2)
    expected = 196 * 1024 + 1024 + 1024 * 16384 + 16384
    for i, (inputs, outputs) in enumerate(zip((1024, 512, 256, 128, 128, 128), (512, 256, 128, 128, 128, 64))):
        expected += conv(3, inputs, 4 * outputs) + (conv(3, outputs, outputs) if i else 0)
    expected += conv(5, 64, 3)
    assert made.shape == (2, 256, 256, 3)
    assert count == expected == 44_321_923


@pytest.mark.parametrize(("size", "left_out"), [(128, 332_096), (64, 332_096 + 737_920)])
def test_smaller_images_leave_out_the_last_blocks(size, left_out):
    made, count = abstract(LandmarkToFace(size), 1, 98, 2)
    assert made.shape == (1, size, size, 3)
    assert count == 44_321_923 - left_out + (conv(5, 128, 3) - conv(5, 64, 3))


def test_converter_networks_have_five_layers():
    made, count = abstract(LandmarkMLP(), 3, 98, 2)
    assert made.shape == (3, 98, 2)
    assert count == 196 * 512 + 512 + 3 * (512 * 512 + 512) + 512 * 196 + 196


def test_detector_of_the_full_size():
    """FAN with one hourglass, 98 maps, and the 1×1 convolution without bias behind it."""
    maps, count = abstract(HeatmapDetector(98), 1, 256, 256, 3)

    def block(inputs, outputs):
        half, quarter = outputs // 2, outputs // 4
        weights = 9 * (inputs * half + half * quarter + quarter * quarter) + 2 * (inputs + half + quarter)
        return weights + (inputs * outputs + 2 * inputs if inputs != outputs else 0)

    expected = conv(7, 3, 64) + 2 * 64 + block(64, 128) + block(128, 128) + block(128, 256)
    expected += (4 * 3 + 1) * block(256, 256) + block(256, 256) + conv(1, 256, 256) + 2 * 256 + conv(1, 256, 98) + 98**2
    assert maps.shape == (1, 64, 64, 98)
    assert count == expected


def test_weights_start_kaiming_normal_and_biases_at_zero():
    params = initial_variables(LandmarkMLP(400), jax.random.key(0), jnp.zeros((1, 50, 2)))["params"]
    assert np.std(params["layer_1"]["kernel"]) == pytest.approx(np.sqrt(2 / 400), rel=0.02)
    assert np.abs(params["layer_1"]["kernel"]).max() > 3 * np.sqrt(2 / 400)
    assert not np.any(params["layer_0"]["bias"])


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_outputs_are_float32_and_in_range(dtype):
    network = LandmarkToFace(32, 1 / 128, dtype)
    landmarks = jax.random.uniform(jax.random.key(1), (2, 5, 2))
    variables = initial_variables(network, jax.random.key(0), landmarks)
    made = jax.jit(network.apply)(variables, landmarks)
    assert made.dtype == jnp.float32
    assert np.abs(made).max() <= 1
    assert all(p.dtype == jnp.float32 for p in jax.tree.leaves(variables))
