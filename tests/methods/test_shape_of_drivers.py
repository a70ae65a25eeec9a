import jax.numpy as jnp
import numpy as np
import pytest
import small_references

from lgan_jax.methods.landmarkgan import shape_model

POINTS = 7


@pytest.fixture(scope="module")
def faces():
    """Frames of three people, of one dimension the shape and of another the expression."""
    rng = np.random.default_rng(0)
    shape, expression = rng.normal(0, 1, (2, POINTS, 2))
    people = 0.5 + 0.02 * rng.normal(0, 1, (1, 3, 1, 1)) * shape
    return (people + 0.02 * rng.normal(0, 1, (30, 3, 1, 1)) * expression).astype(np.float32), shape, expression


@pytest.fixture(scope="module")
def fitted(faces):
    return shape_model.fit(jnp.asarray(faces[0]))


def test_one_frame_of_a_driver_gives_the_conversion_of_a_single_frame(fitted):
    driver = jnp.asarray(np.random.default_rng(1).uniform(0.4, 0.6, (1, POINTS, 2)), jnp.float32)
    known = shape_model.with_driver(fitted, driver)
    np.testing.assert_allclose(shape_model.convert(known, driver, 1), shape_model.convert(fitted, driver, 1), atol=2e-5)


@pytest.mark.parametrize(("frames", "independent"), [(3, 3), (8, 4), (21, 4)])
def test_the_drivers_shape_is_the_posterior_mean(fitted, faces, frames, independent):
    """B (B + W/k)⁻¹ d, with B written out from the training landmarks."""
    flat = faces[0].astype(np.float64).reshape(30, 3, -1)
    between = written_out(flat, np.asarray(fitted.within, np.float64))
    driver = jnp.asarray(np.random.default_rng(2).normal(0.5, 0.03, (frames, POINTS, 2)), jnp.float32)
    deviation = np.asarray(driver, np.float64).reshape(frames, -1).mean(0) - flat.mean((0, 1))
    within = np.asarray(fitted.within, np.float64)
    expected = between @ np.linalg.solve(between + within / independent, deviation)
    known = shape_model.with_driver(fitted, driver)
    np.testing.assert_allclose(known.driver - fitted.mean, expected, atol=2e-5)
    change = np.asarray(driver).reshape(frames, -1) - flat.mean((0, 1))[None] - expected[None]
    converted = shape_model.convert(known, driver, 2).reshape(frames, -1)
    np.testing.assert_allclose(converted, np.asarray(fitted.shapes[2])[None] + change, atol=5e-5)


def written_out(flat, within):
    """B: the mean faces' covariance less W/4, without its negative part, and 0.005² in every direction."""
    variances, axes = np.linalg.eigh(np.cov(flat.mean(0), rowvar=False) - within / 4)
    return axes @ np.diag(np.maximum(variances, 0)) @ axes.T + 5e-3**2 * np.eye(2 * POINTS)


def test_a_known_persons_shape_is_the_posterior_mean_too(fitted, faces):
    flat = faces[0].astype(np.float64).reshape(30, 3, -1)
    within = np.asarray(fitted.within, np.float64)
    between = written_out(flat, within)
    offset = flat.mean((0, 1))[:, None]
    expected = offset + between @ np.linalg.solve(between + within / 4, flat.mean(0).T - offset)
    np.testing.assert_allclose(fitted.shapes, expected.T, atol=2e-5)


def test_conversion_from_a_known_driver_and_back_is_exact(fitted, faces):
    """And one batch may hold known drivers and others."""
    own = jnp.asarray(faces[0][:4, 1])
    there = shape_model.convert(fitted, own, 2, driver=1)
    np.testing.assert_allclose(shape_model.convert(fitted, there, 1, driver=2), own, atol=1e-6)
    mixed = shape_model.convert(fitted, own, 2, driver=jnp.asarray([1, shape_model.UNKNOWN, 1, shape_model.UNKNOWN]))
    np.testing.assert_array_equal(mixed[::2], there[::2])
    np.testing.assert_array_equal(mixed[1::2], shape_model.convert(fitted, own, 2)[1::2])
    assert np.abs(np.asarray(mixed - there))[1::2].max() > 1e-4


def test_the_mean_pose_of_a_short_recording_is_no_face_shape():
    """People of one shape, each recorded in another pose: the mean faces differ by the poses' noise alone."""
    rng = np.random.default_rng(5)
    pose = 0.03 * rng.normal(0, 1, (POINTS, 2))
    poses = rng.normal(0, 1, (4, 6, 1, 1))
    model = shape_model.fit(jnp.asarray(0.5 + poses * pose[None], jnp.float32))
    spread = np.linalg.norm(np.asarray(model.people) - np.asarray(model.mean), axis=1).mean()
    assert np.linalg.norm(np.asarray(model.shapes) - np.asarray(model.mean), axis=1).mean() < 0.3 * spread


@pytest.mark.parametrize("known", [1, 2])
def test_statistics_learn_of_every_person_who_is_added(faces, fitted, known):
    landmarks = jnp.asarray(faces[0])
    model = shape_model.fit(landmarks[:, :known])
    for person in range(known, 3):
        model = shape_model.with_person(model, landmarks[:, person])
    for name in ("count", "mean", "within", "between", "people"):
        np.testing.assert_allclose(getattr(model, name), getattr(fitted, name), atol=1e-6)
    np.testing.assert_allclose(model.expression, fitted.expression, atol=2e-3)


def test_a_driver_stays_known_where_a_person_is_added(faces, fitted):
    driver, landmarks = jnp.asarray(faces[0][:5, 0]), jnp.asarray(faces[0][:, 1])
    known = shape_model.with_driver(fitted, driver)
    both = shape_model.with_person(known, landmarks)
    np.testing.assert_allclose(both.driver, known.driver)
    np.testing.assert_allclose(both.people[3], fitted.people[1], atol=1e-6)


def test_several_frames_tell_the_shape_better_than_one(fitted, faces):
    _, shape, expression = faces
    weights = np.random.default_rng(3).normal(0, 1, (12, 1, 1))
    driver = jnp.asarray(0.5 + 0.03 * shape[None] + 0.02 * weights * expression[None], jnp.float32)
    truth = np.asarray(fitted.people[0]).reshape(1, POINTS, 2) + 0.02 * weights * expression[None]

    def error(model):
        return np.abs(np.asarray(shape_model.convert(model, driver, 0)) - truth).mean()

    assert error(shape_model.with_driver(fitted, driver)) < error(fitted)


def test_what_the_constraint_takes_away_is_a_share_of_the_deviation(fitted):
    """Twice the limit along one principal direction: half of it is taken."""
    limit, target = 1.5, 2
    direction, deviation = fitted.directions[target][:, 0], fitted.deviations[target][0]
    for factor, share in ((0.0, 0.0), (1.4, 0.0), (3.0, 0.5), (6.0, 0.75)):
        face = (fitted.people[target] + factor * deviation * direction).reshape(1, POINTS, 2)
        np.testing.assert_allclose(shape_model.clamped(fitted, face, target, limit), [share], atol=2e-3)
        held = shape_model.constrain(fitted, face, target, limit).reshape(-1) - fitted.people[target]
        np.testing.assert_allclose(held @ direction, min(factor, limit) * deviation, atol=2e-5)


def test_a_driver_a_person_and_nobody():
    model = small_references.model(constraint=2.0)
    assert model.in_closed_form
    driver = small_references.landmarks(9, seed=77)
    known = model.with_driver(driver)
    assert known.info == model.info
    assert np.abs(known.convert(driver, "bo") - model.convert(driver, "bo")).max() > 1e-4
    held = model.clamped(driver, "bo") > 0
    assert held.shape == (9,)
    far = model.clamped(driver + 0.2, "bo")
    assert (far > 0.5).all()
    with_dora = model.with_person("dora", small_references.images(4), small_references.landmarks(4, 9))
    assert with_dora.info.identities == ("ada", "bo", "cy", "dora")
    with pytest.raises(ValueError, match=r"shape \(68, 2\); expected \(k, N, 2\)"):
        model.with_driver(driver[0])
    assert (small_references.model().clamped(driver + 0.2, "bo") == 0).all()


def test_a_state_without_people_has_nobodys_frames_and_takes_in_others():
    method, state = small_references.phase(), small_references.state()
    stripped = method.without_people(state)
    assert stripped.frozen["references"].images.shape == (0, small_references.COUNT, small_references.SIZE, 64, 3)
    assert stripped.frozen["references"].landmarks.shape[0] == stripped.variables["watch"].mean_face.shape[0] == 0
    for name in ("people", "directions", "deviations"):
        assert len(getattr(stripped.frozen["shape"], name)) == 0
    images, landmarks = jnp.asarray(small_references.images(6)), jnp.asarray(small_references.landmarks(6, 4))
    added = method.with_person(stripped, images, landmarks)
    np.testing.assert_allclose(added.frozen["shape"].people[0], landmarks.mean(0).reshape(-1), atol=1e-6)
