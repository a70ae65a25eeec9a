import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.nn.initialisers import initial_variables, kaiming_normal
from lgan_jax.nn.layers import Conv


class Network(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = Conv(40, 3)(x)
        x = nn.BatchNorm(use_running_average=True)(x)
        return nn.Dense(90, kernel_init=kaiming_normal)(x)


def test_one_draw_gives_what_the_modules_own_draws_give():
    image = jnp.zeros((1, 4, 5, 30))
    ours = initial_variables(Network(), jax.random.key(0), image)
    theirs = jax.jit(Network().init)(jax.random.key(1), image)
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        assert float(a.mean()) == pytest.approx(float(b.mean()), abs=0.02)
        assert float(a.std()) == pytest.approx(float(b.std()), rel=0.04)


def test_kernels_are_normal_with_pytorchs_deviation():
    kernel = initial_variables(Network(), jax.random.key(0), jnp.zeros((1, 4, 5, 30)))["params"]["Conv_0"]["kernel"]
    assert np.std(kernel) == pytest.approx(np.sqrt(2 / (9 * 30)), rel=0.03)
    assert np.abs(kernel).max() > 3 * np.sqrt(2 / (9 * 30))


def test_kernels_of_a_given_deviation():
    variables = initial_variables(Network(), jax.random.key(0), jnp.zeros((1, 4, 5, 30)), std=0.02)["params"]
    for layer in ("Conv_0", "Dense_0"):
        assert np.std(variables[layer]["kernel"]) == pytest.approx(0.02, rel=0.03)
        assert not variables[layer]["bias"].any()


def test_parameters_of_another_kind_are_refused():
    class Scaled(nn.Module):
        @nn.compact
        def __call__(self, x):
            return x * self.param("gain", nn.initializers.ones, x.shape)

    with pytest.raises(ValueError, match="no initialisation is defined for 'gain' of Scaled"):
        initial_variables(Scaled(), jax.random.key(0), jnp.zeros((1, 2)))
