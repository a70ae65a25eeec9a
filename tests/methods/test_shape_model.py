import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.methods.landmarkgan import shape_model

FRAMES, PEOPLE, POINTS = 40, 7, 12


@pytest.fixture(scope="module")
def world():
    """People's shapes (three directions) and expressions (two others), and landmarks of some frames of each person."""
    rng = np.random.default_rng(3)
    directions = np.linalg.qr(rng.normal(size=(2 * POINTS, 5)))[0].T
    mean = rng.uniform(0.2, 0.8, 2 * POINTS)
    shapes = rng.normal(0, 0.08, (PEOPLE, 3)) @ directions[:3]
    expressions = rng.normal(0, 0.05, (FRAMES, PEOPLE, 2))
    flat = mean + shapes + expressions @ directions[3:]
    return mean, directions, shapes, flat.reshape(FRAMES, PEOPLE, POINTS, 2).astype(np.float32), expressions


@pytest.fixture(scope="module")
def model(world):
    return shape_model.fit(jnp.asarray(world[3]))


def test_conversion_keeps_the_expression_and_takes_the_target_shape(world, model):
    _, directions, shapes, landmarks, expressions = world
    converted = np.asarray(shape_model.convert(model, jnp.asarray(landmarks[:, 1]), 4))
    truth = world[0] + shapes[4] + expressions[:, 1] @ directions[3:]
    error = np.abs(converted.reshape(FRAMES, -1) - truth).mean()
    assert error < 0.004, "nearer than the shapes' difference by far"
    assert np.abs(landmarks[:, 1].reshape(FRAMES, -1) - truth).mean() > 5 * error


def test_somebody_who_was_in_no_training_drives_without_the_own_shape(world, model):
    mean, directions, _, _, _ = world
    rng = np.random.default_rng(8)
    stranger = mean + rng.normal(0, 0.08, 3) @ directions[:3]
    expression = np.array([[0.06, -0.04], [-0.05, 0.02]]) @ directions[3:]
    driving = (stranger + expression).reshape(2, POINTS, 2).astype(np.float32)
    change = np.asarray(shape_model.convert(model, jnp.asarray(driving), 0)).reshape(2, -1) - np.asarray(
        model.people[0]
    )
    np.testing.assert_allclose(change, expression, atol=0.01)


def test_constraint_holds_what_lies_outside_and_leaves_what_lies_inside(world, model):
    _, directions, _, landmarks, _ = world
    inside = jnp.asarray(landmarks[:5, 2])
    np.testing.assert_allclose(shape_model.constrain(model, inside, 2, 5.0), inside, atol=2e-3)
    far = (np.asarray(model.people[2]) + 10 * 0.05 * directions[3]).reshape(1, POINTS, 2).astype(np.float32)
    held = np.asarray(shape_model.constrain(model, jnp.asarray(far), 2, 3.0)).reshape(-1) - np.asarray(model.people[2])
    along = held @ directions[3]
    assert 0.08 < along < 0.25, "about three standard deviations of 0.05, not ten"


def test_one_more_person(world, model):
    landmarks = world[3]
    more = shape_model.with_person(model, jnp.asarray(landmarks[:9, 3] + 0.01))
    assert more.people.shape == (PEOPLE + 1, 2 * POINTS)
    np.testing.assert_allclose(more.people[-1], landmarks[:9, 3].mean(0).reshape(-1) + 0.01, atol=1e-6)
    converted = shape_model.convert(more, jnp.asarray(landmarks[:2, 0]), PEOPLE)
    change = shape_model.convert(model, jnp.asarray(landmarks[:2, 0]), 3) - model.shapes[3].reshape(1, POINTS, 2)
    np.testing.assert_allclose(converted - more.shapes[-1].reshape(1, POINTS, 2), change, atol=5e-4)


def test_one_person_alone_and_one_frame():
    landmarks = jnp.asarray(np.random.default_rng(1).uniform(0.3, 0.7, (1, 1, 5, 2)), jnp.float32)
    model = shape_model.fit(landmarks)
    np.testing.assert_allclose(shape_model.convert(model, landmarks[0], 0), landmarks[0], atol=1e-6)
    assert np.isfinite(np.asarray(shape_model.constrain(model, landmarks[0] + 0.3, 0, 3.0))).all()
