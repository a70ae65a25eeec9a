import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage.metrics import structural_similarity
from small_methods import (
    ADAM,
    abstract_step,
    assert_ema_warms_up,
    compiled,
    largest_change,
    one_of_each,
    small_converter,
    small_detector,
    started,
    trained_on,
)

from lgan_jax.core import FaceInfo, Finished
from lgan_jax.landmarks import WFLW98
from lgan_jax.methods.landmarkgan.converter import Weights as ConverterWeights
from lgan_jax.methods.landmarkgan.generator import LandmarksPhase
from lgan_jax.methods.landmarkgan.joint import JointPhase
from lgan_jax.methods.landmarkgan.reference import ReferencePhase
from lgan_jax.methods.landmarkgan.settings import Weights

SMALL = {
    "steps": 20,
    "batch_size": 3,
    "optimizer": ADAM,
    "discriminator_optimizer": ADAM,
    "width": 1 / 64,
    "discriminator_width": 2,
}


@pytest.fixture(scope="module")
def small(info, batch, earlier):
    """A generator phase, compiled: itself, its training step and its evaluation."""
    generator = LandmarksPhase(LandmarksPhase.Settings(**SMALL), info, jnp.float32, earlier)
    return generator, compiled(generator), jax.jit(generator.eval_step)


@pytest.fixture(scope="module")
def trained(small, batch):
    """A generator phase, its first state, and the states and metrics of its steps on one batch."""
    return trained_on(small[0], batch, 10)


def test_a_step_reaches_every_parameter_of_both_networks_and_no_other(trained):
    _, before, history = trained
    after = history[0][0]
    for name in ("generators", "discriminators"):
        assert min(largest_change(before.params[name], after.params[name])) > 0
    assert max(largest_change(before.params["converter"], history[-1][0].params["converter"])) == 0
    assert max(largest_change(before.frozen["detector"], history[-1][0].frozen["detector"])) == 0
    assert set(after.optimizers) == {"generators", "discriminators"}


def test_losses_fall_on_one_batch(trained):
    _, _, history = trained
    assert history[-1][1]["l2i"] < 0.9 * history[0][1]["l2i"]
    assert history[-1][1]["discriminator"] < history[0][1]["discriminator"]


def test_the_total_is_weighted_as_published(trained):
    metrics = trained[2][3][1]
    weights = {"l2i": 12, "i2l": 0.1, "adversarial": 0.03, "feature_matching": 0.03}
    expected = sum(weight * float(metrics[name]) for name, weight in weights.items())
    assert float(metrics["total"]) == pytest.approx(expected, rel=1e-5)
    assert set(metrics) == {*weights, "total", "discriminator", "skipped"}


def test_the_ema_warms_up(trained):
    assert_ema_warms_up(trained, "generators", "head")


def test_identities_are_trained_on_their_own_pictures(trained, batch):
    """The made faces take on the colours of their own identity, which differ."""
    generator, _, history = trained
    made = jax.jit(generator.synthesize)
    errors = np.zeros((2, 2))
    for identity in range(2):
        face = made(history[-1][0], batch["landmarks"][:, identity], identity)
        for other in range(2):
            errors[identity, other] = np.abs(np.asarray(face) - batch["image"][:, other]).mean()
    assert errors[0, 0] < errors[0, 1]
    assert errors[1, 1] < errors[1, 0]


def test_evaluation(small, trained, batch):
    generator, _, history = trained
    state = history[-1][0]
    metrics = small[2](state, batch)
    synthesize = jax.jit(generator.synthesize)
    made = jnp.stack([synthesize(state, batch["landmarks"][:, t], t) for t in range(2)], 1)
    np.testing.assert_allclose(metrics["l1"], np.abs(made - batch["image"]).mean((0, 2, 3, 4)) / 2, rtol=1e-4)
    np.testing.assert_allclose(state.variables["watch"].mean_face, batch["image"].mean(0), atol=1e-6)
    options = {
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
        "data_range": 1,
        "channel_axis": -1,
    }
    pairs = zip(*((np.asarray(x).reshape(-1, 32, 32, 3) + 1) / 2 for x in (made, batch["image"])))
    expected = np.reshape([structural_similarity(a, b, **options) for a, b in pairs], (3, 2)).mean(0)
    np.testing.assert_allclose(metrics["ssim"], expected, atol=0.02)
    assert metrics["nme"].shape == metrics["detector_nme"].shape == (2,)
    assert min(*metrics["nme"], *metrics["detector_nme"]) > 0


def killed(step, state, batch, identity, value):
    """The state two steps after the weights of one identity's generator have all become `value`."""
    generators = jax.tree.map(np.array, state.params["generators"])
    for leaf in jax.tree.leaves(generators):
        leaf[identity] = value
    state = state.replace(params={**state.params, "generators": generators})
    for _ in range(2):
        state, metrics = step(state, batch, jax.random.key(int(state.step)))
        assert metrics["skipped"] == 1
        assert np.isfinite(float(metrics["total"]))
    return state


def of(tree, identity):
    """What belongs to one identity alone, of a stacked tree."""
    return jax.tree.map(lambda x: np.asarray(x)[identity], tree)


def networks(state):
    """Everything of the state that is stacked along identities and trained."""
    return [(state.params[name], state.optimizers[name]) for name in ("generators", "discriminators")], state.ema[
        "generators"
    ]


def recovered(small, state, batch):
    generator, _, evaluate = small
    return generator.recover(*jax.device_get((state, evaluate(state, batch))))


@pytest.mark.parametrize(("value", "end"), [(np.nan, "diverged"), (1e30, "(diverged|died)")])
def test_a_generator_that_is_killed_is_named_restarted_and_harms_no_other(small, trained, batch, value, end):
    """Grace's, after three steps; Ada's has the same bits as without the accident. The second time training stops."""
    _, step, _ = small
    _, first, history = trained
    state, lines = recovered(small, killed(step, history[2][0], batch, 1, value), batch)
    skipped, restarted = lines
    assert skipped == "Grace: 2 updates skipped since step 0, gradients not finite"
    restart = r"of Grace {} at step 5 \((not finite|saturated)\): restarted from step 0 at half the learning rate$"
    assert re.search(restart.format(end), restarted)
    assert small[0].notes(state) == ["the generator of Grace was restarted at half the learning rate"]
    assert small[0].notes(first) == []
    beginning = of(first.ema["generators"], 1)
    jax.tree.map(np.testing.assert_array_equal, of(state.params["generators"], 1), beginning)
    for i in range(5, 10):
        state, metrics = step(state, batch, jax.random.key(i))
        assert metrics["skipped"] == 0
        jax.tree.map(np.testing.assert_array_equal, of(networks(state), 0), of(networks(history[i][0]), 0))
    assert min(largest_change(beginning, of(state.params["generators"], 1))) > 0
    advice = r"with --config\.generator\.optimizer\.learning_rate below 0\.003, or with more frames of Grace$"
    with pytest.raises(FloatingPointError, match=f"of Grace {end} again at step 12 .*{advice}"):
        recovered(small, killed(step, state, batch, 1, value), batch)


def test_a_picture_that_is_not_finite_spoils_one_identity_alone(small, trained, batch):
    """And for one step alone: everything of hers stays as it was."""
    _, step, _ = small
    history = trained[2]
    image = batch["image"].copy()
    image[:, 1] = np.nan
    state, metrics = step(history[2][0], {**batch, "image": image}, jax.random.key(3))
    assert metrics["skipped"] == 1
    assert state.variables["watch"].skipped.tolist() == [0, 1]
    jax.tree.map(np.testing.assert_array_equal, of(networks(state), 0), of(networks(history[3][0]), 0))
    for name in ("generators", "discriminators"):
        before, after = (of(each.params[name], 1) for each in (history[2][0], state))
        jax.tree.map(np.testing.assert_array_equal, before, after)


def test_one_network_of_all_identities_is_restarted_for_all(info, batch, earlier):
    settings = LandmarksPhase.Settings(**SMALL, form="reference", references=3)
    generator = ReferencePhase(settings, info, jnp.float32, {"detector": earlier["detector"]})
    shapes = jax.eval_shape(generator.init, jax.random.key(0), batch)
    before = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    metrics = {
        name: np.zeros(x.shape, x.dtype) for name, x in jax.eval_shape(generator.eval_step, shapes, batch).items()
    }
    metrics["l1"][1] = np.nan
    after, (line,) = generator.recover(before.replace(step=np.int32(5)), metrics)
    restart = "of all identities diverged at step 5 (not finite): restarted from step 0 at half the learning rate"
    assert line == f"the generator {restart}"
    assert generator.notes(after) == ["the generator of all identities was restarted at half the learning rate"]
    assert jax.tree.map(np.shape, after) == jax.tree.map(np.shape, before)


def test_pictures(trained, batch):
    generator, state, _ = trained
    shapes = {name: x.shape for name, x in jax.eval_shape(generator.sample_images, state, batch).items()}
    assert shapes == {"driving_generated": (4, 3, 32, 32, 3)}


def test_landmarks_of_made_faces_teach_the_generator_through_the_detector(info, batch, earlier):
    """With Eq. 3 alone gradients reach the generator, none the detector."""
    settings = LandmarksPhase.Settings(**SMALL, weights=Weights(l2i=0.0, adversarial=0.0, feature_matching=0.0))
    generator = LandmarksPhase(settings, info, jnp.float32, earlier)
    before = started(generator, batch)
    after, _ = compiled(generator)(before, batch, jax.random.key(0))
    assert min(largest_change(before.params["generators"], after.params["generators"])) > 0
    assert max(largest_change(before.frozen["detector"], after.frozen["detector"])) == 0


def test_discriminators_can_take_part_later(info, batch, earlier, small):
    """A tenth of twenty steps: not in the first two, then in the third, which is a step of where they always do."""
    generator = LandmarksPhase(LandmarksPhase.Settings(**SMALL, adversarial_start=0.1), info, jnp.float32, earlier)
    assert [generator.step_variant(step) for step in range(4)] == [False, False, True, True]
    steps = {False: compiled(generator, variant=False), True: small[1]}
    states = [started(generator, batch)]
    for i in range(3):
        state, metrics = steps[generator.step_variant(i)](states[-1], batch, jax.random.key(i))
        states.append(state)
        assert (metrics["discriminator"] > 0) == (metrics["feature_matching"] > 0) == (i == 2)
        assert min(largest_change(states[-2].params["generators"], state.params["generators"])) > 0
    first, _, second, third = ((x.params["discriminators"], x.optimizers["discriminators"]) for x in states)
    assert max(largest_change(first, second)) == 0
    assert min(largest_change(second, third)) > 0


def test_the_joint_phase_without_discriminators_at_first(info, batch, earlier):
    joint = JointPhase(JointPhase.Settings(**SMALL, adversarial_start=0.5), info, jnp.float32, earlier)
    assert not joint.step_variant(9)
    assert joint.step_variant(10)
    (state, metrics), (later, others) = (abstract_step(joint, batch, variant=turn) for turn in (False, True))
    assert {"l2i", "adversarial", "discriminator", "l2l", "total"} < set(metrics) == set(others)
    assert jax.tree.map(lambda x: x.shape, state) == jax.tree.map(lambda x: x.shape, later)


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_of_the_steps_is_a_share(share):
    with pytest.raises(ValueError, match="at least 0 and less than 1"):
        LandmarksPhase.Settings(**SMALL, adversarial_start=share)


def test_equation_6_reaches_the_converter_in_the_joint_phase(info, batch, earlier):
    """With nothing but the adversarial loss, the encoder and every decoder still learn."""
    settings = JointPhase.Settings(
        **SMALL,
        weights=Weights(l2i=0.0, i2l=0.0, feature_matching=0.0),
        converter_optimizer=ADAM,
        converter_width=24,
        converter_weights=ConverterWeights(own=0.0, cross=0.0),
    )
    joint = JointPhase(settings, info, jnp.float32, {"detector": earlier["detector"]})
    before = started(joint, batch)
    after, metrics = compiled(joint)(before, batch, jax.random.key(0))
    for name in ("converter", "generators", "discriminators"):
        assert min(largest_change(before.params[name], after.params[name])) > 0
    assert {"l2i", "i2l", "adversarial", "feature_matching", "discriminator", "l2l", "norm"} < set(metrics)
    assert {"x_l2l", "norm_cycle", "total"} < set(metrics)


def test_the_joint_phase_starts_from_an_earlier_converter(info, batch, earlier):
    joint = JointPhase(JointPhase.Settings(**SMALL), info, jnp.float32, earlier)
    assert max(largest_change(earlier["converter"].state.params, started(joint, batch).params["converter"])) == 0


@pytest.mark.parametrize("phase", [LandmarksPhase, JointPhase])
def test_one_identity_98_points_another_size_bfloat16(phase):
    info = FaceInfo(WFLW98, 64, ("Ada",))
    batch = one_of_each(info, 2)
    detector, converter = small_detector(info, jnp.bfloat16), small_converter(info)
    earlier = {
        name: Finished(method, jax.tree.map(lambda x: np.zeros(x.shape, np.float32), abstract(method, batch)))
        for name, method in (("detector", detector), ("converter", converter))
    }
    method = phase(phase.Settings(**SMALL), info, jnp.bfloat16, earlier)
    state, metrics = abstract_step(method, batch)
    assert "x_l2l" not in metrics
    assert all(x.dtype in (jnp.float32, jnp.int32, jnp.bool_) for x in jax.tree.leaves((state, metrics)))
    first = abstract(method, batch)
    assert jax.eval_shape(method.sample_images, first, batch)["driving_generated"].shape == (2, 2, 64, 64, 3)
    evaluated = jax.eval_shape(method.eval_step, first, batch)
    assert {"l1", "ssim", "nme", "detector_nme", "mean_face_l1", "variance", "saturation"} < set(evaluated)
    assert {x.shape for x in evaluated.values()} == {(1,)}


def abstract(method, batch):
    return jax.eval_shape(method.init, jax.random.key(0), batch)


@pytest.mark.parametrize("kind", ["minimax", "non_saturating"])
def test_every_adversarial_loss_can_be_chosen(kind, info, batch, earlier):
    generator = LandmarksPhase(LandmarksPhase.Settings(**SMALL, adversarial=kind), info, jnp.float32, earlier)
    _, metrics = abstract_step(generator, batch)
    assert metrics["adversarial"].shape == ()


def test_what_is_missing_is_said(info, earlier):
    with pytest.raises(ValueError, match="needs a finished 'converter' phase"):
        LandmarksPhase(LandmarksPhase.Settings(**SMALL), info, jnp.float32, {"detector": earlier["detector"]})
    with pytest.raises(ValueError, match="48 pixels wide; LandmarkGAN generates images of 32, 64, 128, 256"):
        LandmarksPhase(LandmarksPhase.Settings(**SMALL), dataclasses.replace(info, size=48), jnp.float32, earlier)
