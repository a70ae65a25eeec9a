import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.nn.fan import FaceAlignmentNetwork, Hourglass, ResidualBlock


def abstract(module, *shape):
    return jax.eval_shape(
        lambda x: module.init_with_output(jax.random.key(0), x, False), jax.ShapeDtypeStruct(shape, jnp.float32)
    )


def silenced(module, x):
    """What the module makes of x when every parameter is zero."""
    _, variables = abstract(module, *x.shape)
    params = jax.tree.map(lambda p: np.zeros(p.shape, np.float32), variables)
    return jax.jit(module.apply, static_argnums=2)(params, x, False)


def hourglass_depth(params):
    depth, inside = 0, params["hourglass"]
    while inside is not None:
        depth, inside = depth + 1, inside.get("inside")
    return depth


@pytest.mark.parametrize(("size", "depth"), [(256, 4), (128, 3), (64, 2), (32, 1)])
def test_heatmaps_are_a_quarter_and_the_hourglass_fits(size, depth):
    maps, variables = abstract(FaceAlignmentNetwork(68, 32), 2, size, size, 3)
    assert maps.shape == (2, size // 4, size // 4, 68)
    assert maps.dtype == jnp.float32
    assert hourglass_depth(variables["params"]) == depth


def test_parameter_count_of_a_residual_block():
    """FAN's block of 256 channels: 294,912 + 73,728 + 36,864 weights and two numbers a normalised channel."""
    _, variables = abstract(ResidualBlock(256), 1, 8, 8, 256)
    count = sum(p.size for p in jax.tree.leaves(variables["params"]))
    assert count == 9 * (256 * 128 + 128 * 64 + 64 * 64) + 2 * (256 + 128 + 64)


def test_the_shortcut_is_the_input_where_channels_agree():
    block, x = ResidualBlock(8), jax.random.normal(jax.random.key(0), (2, 3, 5, 8))
    np.testing.assert_allclose(silenced(block, x), x)


def test_the_hourglass_pools_by_the_maximum_and_repeats():
    """With silent blocks what remains is x plus the maximum of each 2×2 square, repeated."""
    network, x = Hourglass(1, 4), jax.random.normal(jax.random.key(0), (1, 6, 8, 4))
    highest = np.asarray(x).reshape(1, 3, 2, 4, 2, 4).max((2, 4)).repeat(2, 1).repeat(2, 2)
    np.testing.assert_allclose(silenced(network, x), x + highest, rtol=1e-6)
