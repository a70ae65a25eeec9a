"""StyleGAN2's minibatch statistics are those of the whole batch, on any number of devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.methods.projection.discriminator import group_for, minibatch_std

MAPS = np.random.default_rng(0).normal(size=(8, 2, 3, 5)).astype(np.float32)


def by_hand(group):
    """Of example i: the deviation over i mod n, i mod n + n …, averaged over places and channels."""
    groups = 8 // group
    return [np.sqrt(MAPS[i % groups :: groups].var(0) + 1e-8).mean() for i in range(8)]


@pytest.mark.parametrize(("group", "devices"), [(4, 1), (4, 4), (4, 8), (2, 4), (8, 2)])
def test_groups_are_of_the_whole_batch(group, devices):
    shares = MAPS.reshape(devices, 8 // devices, *MAPS.shape[1:])
    made = jax.jit(jax.vmap(lambda x: minibatch_std(x, group, "data"), axis_name="data"))(shares)
    made = np.asarray(made).reshape(8, 2, 3, 6)
    np.testing.assert_array_equal(made[..., :5], MAPS)
    np.testing.assert_allclose(
        made[..., 5], np.broadcast_to(np.reshape(by_hand(group), (8, 1, 1)), (8, 2, 3)), rtol=1e-5
    )
    np.testing.assert_allclose(minibatch_std(jnp.asarray(MAPS), group)[:, 0, 0, 5], by_hand(group), rtol=1e-5)


def test_what_cannot_be_grouped():
    with pytest.raises(ValueError, match="a batch of 8 cannot be split into groups of 3"):
        minibatch_std(jnp.asarray(MAPS), 3)
    assert [group_for(count, 4) for count in (1, 2, 3, 4, 5, 6, 8)] == [1, 2, 3, 4, 1, 3, 4]
