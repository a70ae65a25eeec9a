import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_methods import abstract_step, compiled, largest_change, one_of_each, small_converter, started

from lgan_jax.core import FaceInfo
from lgan_jax.landmarks import IBUG68, WFLW98, inter_ocular
from lgan_jax.methods.landmarkgan.converter import driving, partner_shift


@pytest.fixture(scope="module")
def converter():
    return small_converter(FaceInfo(IBUG68, 32, ("Ada", "Grace", "Emmy")))


@pytest.fixture(scope="module")
def four(converter):
    return one_of_each(converter.faces, 4)


def test_the_loss_is_that_of_the_published_code(converter, four):
    """10·(5·rec + norm) + 2·(5·cycle + norm_cycle), written out for each identity with the networks' own functions."""
    params, shift = started(converter, four).params["converter"], 2
    landmarks = four["landmarks"]
    weights = np.where(np.arange(68) < 17, 1.0, 1.5)
    rec, norm, cycle, norm_cycle = [], [], [], []
    for t in range(3):
        own, s = jnp.asarray(landmarks[:, t]), (t + shift) % 3
        converted = converter.convert(params, own, s)
        for distances, found in (
            (rec, converter.convert(params, own, t)),
            (cycle, converter.convert(params, converted, t)),
        ):
            distances.append((np.linalg.norm(own - found, axis=-1) * weights).sum(-1))
        for distances, given in ((norm, own), (norm_cycle, converted)):
            latent = converter.network.apply({"params": params["encoder"]}, given)
            unit = given / np.linalg.norm(given.reshape(4, -1), axis=-1)[:, None, None]
            distances.append(3.5 * np.linalg.norm(unit - latent, axis=-1).sum(-1))
    rec, norm, cycle, norm_cycle = (np.mean(x) for x in (rec, norm, cycle, norm_cycle))
    expected = 10 * (5 * rec + norm) + 2 * (5 * cycle + norm_cycle)
    total, metrics = converter.loss(params, jnp.asarray(landmarks), jnp.int32(shift))
    assert metrics["l2l"] == pytest.approx(rec, rel=1e-4)
    assert metrics["norm_cycle"] == pytest.approx(norm_cycle, rel=1e-4)
    assert metrics["total"] == pytest.approx(expected, rel=1e-4)
    assert total == pytest.approx(3 * expected, rel=1e-4)


def test_a_step_reaches_every_parameter_and_steps_lower_the_loss(converter, four):
    state, step, totals = started(converter, four), compiled(converter), []
    before = state
    for i in range(10):
        state, metrics = step(state, four, jax.random.key(i))
        totals.append(float(metrics["total"]))
        if i == 0:
            assert min(largest_change(before.params, state.params)) > 0
    assert totals[-1] < 0.9 * totals[0]


def test_partners_are_drawn_uniformly_and_are_never_oneself():
    drawn = np.asarray(jax.vmap(lambda k: partner_shift(k, 4))(jax.random.split(jax.random.key(0), 300)))
    assert set(drawn) == {1, 2, 3}
    assert np.bincount(drawn)[1:].min() > 70
    assert int(partner_shift(jax.random.key(0), 1)) == 0


def test_from_others_converts_the_landmarks_of_the_one_before(converter, four):
    params, landmarks = started(converter, four).params["converter"], jnp.asarray(four["landmarks"])
    converted = converter.from_others(params, landmarks, jnp.int32(1))
    for t in range(3):
        np.testing.assert_allclose(converted[:, t], converter.convert(params, landmarks[:, t - 1], t), rtol=1e-4)
    to_all = converter.to_all(params, landmarks[:, 2])
    np.testing.assert_allclose(to_all[:, 1], converter.convert(params, landmarks[:, 2], 1), rtol=1e-4)


def test_evaluation_is_in_units_of_the_distance_between_the_eyes(converter, four):
    state, landmarks = started(converter, four), jnp.asarray(four["landmarks"])
    metrics = jax.jit(converter.eval_step)(state, four)
    own = np.stack([converter.convert(state.params["converter"], landmarks[:, t], t) for t in range(3)], 1)
    error = np.linalg.norm(own - landmarks, axis=-1).mean(-1) / inter_ocular(four["landmarks"], IBUG68)
    np.testing.assert_allclose(metrics["reconstruction"], error.mean(0), rtol=1e-4)
    assert metrics["cycle"].shape == (3,)
    assert min(metrics["cycle"]) > 0


def test_one_identity_has_no_cycle():
    converter = small_converter(FaceInfo(WFLW98, 32, ("Ada",)))
    batch = one_of_each(converter.faces, 2)
    state, metrics = abstract_step(converter, batch)
    assert set(metrics) == {"l2l", "norm", "total"}
    assert state.params["converter"]["decoders"]["layer_4"]["kernel"].shape == (1, 24, 196)
    assert set(jax.eval_shape(converter.eval_step, jax.eval_shape(converter.init, jax.random.key(0), batch), batch))


def test_images_and_who_drives_them(converter, four):
    state = started(converter, four)
    shapes = {name: x.shape for name, x in jax.eval_shape(converter.sample_images, state, four).items()}
    assert shapes == {"driving_landmarks_converted": (4, 4, 32, 32, 3)}
    _, landmarks, people = driving(jax.tree.map(jnp.asarray, four))
    expected = [four["landmarks"][place] for place in ((0, 0), (1, 1), (2, 2), (1, 0))]
    np.testing.assert_array_equal(landmarks, np.stack(expected))
    np.testing.assert_array_equal(people, [0, 1, 2, 0])
