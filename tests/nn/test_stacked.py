import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.nn import stacked

NETWORK = nn.Dense(4)


def apply(params, x):
    return NETWORK.apply({"params": params}, x)


def three():
    return stacked.initialise(NETWORK, jax.random.key(0), 3, jnp.zeros((1, 5)))


def test_each_identity_starts_differently_and_adding_one_changes_none():
    params, more = three(), stacked.initialise(NETWORK, jax.random.key(0), 4, jnp.zeros((1, 5)))
    assert params["kernel"].shape == (3, 5, 4)
    assert not np.allclose(params["kernel"][0], params["kernel"][1])
    np.testing.assert_array_equal(more["kernel"][:3], params["kernel"])


@pytest.mark.parametrize("dense", [False, True])
def test_every_identity_is_applied_to_its_own_input(dense):
    params, x = three(), jax.random.normal(jax.random.key(1), (2, 3, 5))
    made = stacked.apply_each(apply, params, x, dense=dense)
    assert made.shape == (2, 3, 4)
    np.testing.assert_allclose(made, jnp.einsum("bif,ifo->bio", x, params["kernel"]), rtol=1e-5)


def test_gradients_agree_whichever_way_it_runs():
    params, x = three(), jax.random.normal(jax.random.key(1), (2, 3, 5))

    def total(params, dense):
        return (stacked.apply_each(apply, params, x, dense=dense) ** 3).sum()

    unrolled, batched = jax.grad(total)(params, False), jax.grad(total)(params, True)
    assert unrolled["kernel"].shape == (3, 5, 4)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), unrolled, batched)


def test_pick_and_separate_agree():
    params = three()
    np.testing.assert_array_equal(stacked.pick(params, jnp.int32(2))["kernel"], params["kernel"][2])
    np.testing.assert_array_equal(stacked.separate(params)[1]["kernel"], params["kernel"][1])
