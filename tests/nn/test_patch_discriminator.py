import jax
import jax.numpy as jnp
import numpy as np

from lgan_jax.nn.initialisers import initial_variables
from lgan_jax.nn.patch_discriminator import PatchDiscriminator, ResidualBlock


def shapes(tree):
    return {"/".join(str(k.key) for k in path): leaf.shape for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def test_layers_and_parameter_count_of_the_full_size():
    """Against FUNIT's channels written out: 64; 64, 128; 128, 256; 1."""
    image = jax.ShapeDtypeStruct((2, 256, 256, 3), jnp.float32)
    (logits, features), variables = jax.eval_shape(PatchDiscriminator().init_with_output, jax.random.key(0), image)
    assert logits.shape == (2, 128, 128, 1)
    assert features.shape == (2, 128, 128, 256)
    params = shapes(variables["params"])
    assert params["block_1/conv_0/kernel"] == (3, 3, 64, 64)
    assert params["block_1/conv_1/kernel"] == (3, 3, 64, 128)
    assert params["block_1/shortcut/kernel"] == (1, 1, 64, 128)
    assert "block_1/shortcut/bias" not in params
    assert "block_2/shortcut/kernel" not in params

    def conv(size, inputs, outputs, bias=True):
        return size * size * inputs * outputs + bias * outputs

    expected = conv(7, 3, 64) + 2 * conv(3, 64, 64)
    expected += conv(3, 64, 64) + conv(3, 64, 128) + conv(1, 64, 128, False)
    expected += 2 * conv(3, 128, 128)
    expected += conv(3, 128, 128) + conv(3, 128, 256) + conv(1, 128, 256, False) + conv(1, 256, 1)
    assert sum(int(np.prod(s)) for s in params.values()) == expected == 973_249


def test_shortcut_without_a_convolution_carries_the_activation():
    block = ResidualBlock(2)
    x = jax.random.normal(jax.random.key(1), (1, 4, 5, 2))
    silent = jax.tree.map(jnp.zeros_like, block.init(jax.random.key(0), x))
    np.testing.assert_allclose(block.apply(silent, x), np.where(x > 0, x, 0.2 * x), rtol=1e-6)


def test_shortcut_with_a_convolution_sees_what_came_in():
    block = ResidualBlock(3)
    x = jax.random.normal(jax.random.key(1), (1, 4, 5, 2))
    params = jax.tree.map(jnp.zeros_like, block.init(jax.random.key(0), x))
    kernel = jnp.arange(6.0).reshape(1, 1, 2, 3)
    params["params"]["shortcut"]["kernel"] = kernel
    np.testing.assert_allclose(block.apply(params, x), np.einsum("bhwi,io->bhwo", x, kernel[0, 0]), rtol=1e-5)


def test_features_are_those_after_the_last_activation():
    """The head is linear in the features that are returned."""
    network = PatchDiscriminator(2)
    image = jax.random.normal(jax.random.key(2), (1, 10, 12, 3))
    variables = initial_variables(network, jax.random.key(0), image)
    logits, features = jax.jit(network.apply)(variables, image)
    head = variables["params"]["head"]
    np.testing.assert_allclose(logits, features @ head["kernel"][0, 0] + 0 * logits, rtol=1e-4, atol=1e-5)
    assert (features < 0).any()


def test_a_patch_is_all_that_a_logit_sees():
    """7 + 4·2 pixels before the pooling, its 3, then 8 pairs: a logit reaches 16 pixels to either side of its own."""
    network = PatchDiscriminator(2)
    image = jax.random.normal(jax.random.key(2), (1, 64, 70, 3))
    variables = initial_variables(network, jax.random.key(0), image)
    gradient = jax.jit(jax.grad(lambda x: network.apply(variables, x)[0][0, 16, 16, 0]))(image)
    rows = np.flatnonzero(np.abs(gradient).sum((0, 2, 3)))
    assert (rows.min(), rows.max()) == (32 - 16, 32 + 16)
