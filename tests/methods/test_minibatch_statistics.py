"""StyleGAN2's minibatch statistics are those of the whole batch, on any number of devices."""

import json
import os

import forked
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


ON_DEVICES = """
import json, jax, jax.numpy as jnp, numpy as np
from lgan_jax.methods.projection.discriminator import Discriminator
network = Discriminator((3, 2), group=4, axis="data")
images = np.random.default_rng(0).uniform(-1, 1, (8, 8, 8, 3)).astype(np.float32)
params = jax.jit(network.clone(axis=None).init)(jax.random.key(1), images)["params"]

def step(params, x):
    def loss(params):
        def total(x):
            logits = network.apply({"params": params}, x)
            return logits.sum(), logits
        slopes, logits = jax.grad(total, has_aux=True)(x)
        return jax.nn.softplus(-logits).mean() + (slopes**2).sum((1, 2, 3)).mean(), (logits, slopes)
    (value, found), gradients = jax.value_and_grad(loss, has_aux=True)(params)
    return *found, jax.lax.pmean((value, gradients), "data")

assert jax.device_count() == 8
made = []
for count in (1, 4, 8):
    shares = images.reshape(count, 8 // count, 8, 8, 3)
    run = jax.pmap(step, "data", in_axes=(None, 0), devices=jax.devices()[:count])
    logits, slopes, (value, gradients) = jax.device_get(run(params, shares))
    first = jax.tree.map(lambda x: x[0], (value, gradients))
    made.append(jax.tree.leaves((logits.reshape(8), slopes.reshape(8, -1), first)))
scales = [float(np.abs(x).max()) for x in made[0]]
apart = [max(float(np.abs(a - b).max()) / max(s, 1e-3) for a, b, s in zip(made[0], x, scales)) for x in made[1:]]
print(json.dumps({"apart": apart, "spread": float(np.ptp(made[0][0])), "least": min(scales)}))
"""


def test_one_four_and_eight_devices_agree(monkeypatch):
    """Logits, their slopes (R1), the loss and its gradients, by `pmap` over virtual devices."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    monkeypatch.setenv("XLA_FLAGS", flags)
    result = forked.run("-c", ON_DEVICES)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout.splitlines()[-1])
    assert max(found["apart"]) < 1e-4
    assert found["spread"] > 1e-2
    assert found["least"] > 0
