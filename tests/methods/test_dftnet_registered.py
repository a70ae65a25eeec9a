import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_editors import faces, small_flow
from small_methods import abstract_step, figures_of, started

from lgan_jax.faces.align import TEMPLATE
from lgan_jax.landmarks import IBUG68
from lgan_jax.methods.dftnet.registered import RegisteredPairsPhase, registered
from lgan_jax.ops import augment, procrustes
from lgan_jax.ops.warp import affine_image

TURN = np.array([[1.1, -0.15], [0.15, 1.1]], np.float32)


def smooth(size):
    """A picture that resampling hardly changes."""
    x, y = np.meshgrid(*[(np.arange(size) + 0.5) / size] * 2)
    return np.stack([np.sin(3 * x), np.cos(2 * y), x * y], -1)[None].astype(np.float32)


def test_what_was_turned_and_moved_is_brought_back():
    """Points inside the face move freely: a smile must not."""
    image, landmarks = jnp.asarray(smooth(64)), jnp.asarray(TEMPLATE, jnp.float32)[None]
    moved = affine_image(image[0], jnp.asarray(TURN), jnp.array([0.02, -0.03]))[None]
    points = (landmarks - 0.5) @ TURN.T + 0.5 + jnp.array([0.02, -0.03]).reshape(1, 1, 2)
    smiling = points.at[:, 48:].add(0.05)
    back, found = registered(moved, smiling, landmarks, IBUG68)
    np.testing.assert_allclose(found[:, :48], landmarks[:, :48], atol=1e-5)
    assert float(jnp.abs(found - landmarks)[:, 48:].min()) > 0.03
    np.testing.assert_allclose(back[:, 16:48, 16:48], image[:, 16:48, 16:48], atol=0.01)


def paired(count, size=64):
    """Faces and the same ones moved and turned, with nothing else changed."""
    image = np.repeat(smooth(size), count, 0)
    shift = np.array([0.01, 0.02], np.float32)
    second = jax.vmap(affine_image, (0, None, None))(image, jnp.asarray(TURN), jnp.asarray(shift))
    landmarks = np.repeat(TEMPLATE[None].astype(np.float32), count, 0)
    moved = (landmarks - 0.5) @ TURN.T + 0.5 + shift
    units = faces(count)["action_units"]
    return {
        "image": np.stack([image, np.asarray(second)], 1),
        "landmarks": np.stack([landmarks, moved], 1).astype(np.float32),
        "action_units": np.stack([units, 1 - units], 1),
    }


@pytest.mark.parametrize("augmentation", [augment.NONE, dataclasses.replace(augment.NONE, mirror=True, scale=0.1)])
def test_a_pair_that_differs_in_pose_alone_has_nothing_to_learn(augmentation):
    """The generator begins as the identity; but for borders, where the moved photo shows other things, it is right."""
    method, batch = small_flow({}, RegisteredPairsPhase, augmentation=augmentation, emphasis=0.0), paired(4)
    found = figures_of(method, started(method, batch), batch, jax.random.key(0))
    assert float(found["landmarks"]) < 1e-4
    assert float(found["pair"]) < 0.25 * np.abs(np.diff(batch["image"], axis=1)).mean()
    measured = jax.jit(lambda state, batch: method.eval_step(state, batch)["l1_source"])
    assert float(measured(started(method, batch), batch)) < 0.25 * np.abs(np.diff(batch["image"], axis=1)).mean() / 2


def test_both_images_are_augmented_alike():
    augmentation = dataclasses.replace(augment.NONE, mirror=True, rotation=8.0, shift=0.05, brightness=0.2)
    method = small_flow({}, RegisteredPairsPhase, augmentation=augmentation)
    batch = jax.tree.map(jnp.asarray, paired(6))
    source, target = jax.vmap(lambda keys: method.sources_and_targets(batch, keys))(
        jax.random.split(jax.random.key(1), 6)[None]
    )
    inside = np.s_[0, :, 20:44, 20:44]
    np.testing.assert_allclose(source["image"][inside], target["image"][inside], atol=0.03)
    np.testing.assert_allclose(source["landmarks"], target["landmarks"], atol=1e-4)
    turned = procrustes.similarity(source["landmarks"][0], batch["landmarks"][:, 0])
    assert np.ptp(turned[:, 0, 1]) > 0.05
    assert (np.diff(source["landmarks"][0, :, [0, 16], 0], axis=0) > 0).all()  # mirrored points change names


def test_metrics():
    method, batch = small_flow({}, RegisteredPairsPhase), paired(3)
    _, metrics = abstract_step(method, batch)
    assert set(metrics) == {*("pair", "pair_texture", "landmarks", "edges", "total_variation", "attention", "total")}
