"""Halving, against XLA's window reductions."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.ops.pooling import max_pool, mean_pool


def window_mean(x):
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    return nn.avg_pool(x, (3, 3), strides=(2, 2))


def window_max(x):
    return nn.max_pool(x, (2, 2), strides=(2, 2))


@pytest.mark.parametrize(("ours", "theirs"), [(max_pool, window_max), (mean_pool, window_mean)])
@pytest.mark.parametrize("shape", [(2, 6, 10, 3), (1, 2, 4, 5)])
def test_values_and_gradients(ours, theirs, shape):
    x = jax.random.normal(jax.random.key(0), shape)
    weights = jax.random.normal(jax.random.key(1), (shape[0], shape[1] // 2, shape[2] // 2, shape[3]))
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-5, atol=1e-6)
    gradients = [jax.jit(jax.grad(lambda x, pool=pool: jnp.sum(weights * pool(x))))(x) for pool in (ours, theirs)]
    np.testing.assert_allclose(*gradients, rtol=1e-5, atol=1e-6)


def test_mean_worked_by_hand():
    x = jnp.asarray([[0.0, 9.0, 18.0, 27.0], [9.0, 0.0, 0.0, 0.0]]).reshape(1, 2, 4, 1)
    np.testing.assert_allclose(mean_pool(x)[0, :, :, 0], [[4.0, 6.0]], rtol=1e-6)


@pytest.mark.parametrize("pool", [max_pool, mean_pool])
def test_odd_maps_are_refused(pool):
    with pytest.raises(ValueError, match="side of 5 pixels cannot be halved"):
        pool(jnp.zeros((1, 6, 5, 2)))
