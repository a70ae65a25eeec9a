import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.action_units import NUMBERS
from lgan_jax.faces.align import TEMPLATE
from lgan_jax.methods.dftnet import linear
from lgan_jax.methods.dftnet.linear import Linear

SMILE, JAW = NUMBERS.index(12), NUMBERS.index(26)
CORNERS, LOWER_LIP = [48, 54], [56, 57, 58, 65, 66, 67]
SKIN = -0.2


def units(number, *values):
    return jnp.zeros((len(values), 17)).at[:, number].set(jnp.array(values))


def faces(count, size=64):
    """Gray faces with the mean face's landmarks, and darker below the nose."""
    image = np.full((count, size, size, 3), SKIN, np.float32)
    return jnp.asarray(image), jnp.repeat(jnp.asarray(TEMPLATE, jnp.float32)[None], count, 0)


def model(displacement=(), mouth=None):
    """Coefficients that are zero but for (feature, points, x, y), and one color of mouths for all openings."""
    moves = jnp.zeros((linear.FEATURES, 68, 2))
    for feature, points, x, y in displacement:
        moves = moves.at[feature, jnp.array(points)].set(jnp.array([x, y]))
    known = mouth is not None
    shape = len(linear.OPENINGS), linear.ROWS, linear.COLUMNS, 3
    return Linear(
        moves,
        jnp.zeros((linear.FEATURES, linear.SIDE, linear.SIDE, 3)),
        jnp.full(shape, mouth if known else 0.0),
        jnp.full(len(linear.OPENINGS), known),
    )


edited = jax.jit(linear.edited)


def test_features_are_zero_for_the_same_expression_and_negative_on_the_way_back():
    one, other = units(SMILE, 0.3), units(SMILE, 0.9)
    np.testing.assert_array_equal(linear.features(one, one), 0)
    there = linear.features(one, other)
    np.testing.assert_allclose(linear.features(other, one), -there)
    np.testing.assert_allclose(there[0, SMILE], 0.6, rtol=1e-6)
    np.testing.assert_allclose(there[0, 17 + SMILE], np.sqrt(0.91) - np.sqrt(0.31), rtol=1e-5)


def test_without_a_change_the_face_stays_as_it_is():
    image, landmarks = faces(2)
    image = image.at[:, ::7].set(0.5)
    result = edited(model([(SMILE, CORNERS, 0.0, -0.05)]), image, jnp.zeros((2, linear.FEATURES)), landmarks)
    np.testing.assert_allclose(result.image, image, atol=1e-3)


def test_the_flow_moves_the_landmarks_by_what_the_action_units_say():
    image, landmarks = faces(1)
    change = linear.features(units(SMILE, 0.0), units(SMILE, 1.0))
    flow = edited(model([(SMILE, CORNERS, 0.0, -0.05)]), image, change, landmarks).flow[0]
    x, y = (landmarks[0, 48] + jnp.array([0.0, -0.05])) * 64
    np.testing.assert_allclose(flow[int(y), int(x)], [0, 0.05], atol=0.012)
    assert float(jnp.abs(flow[2, 32]).max()) < 0.01


def test_lips_that_would_cross_meet_in_the_middle():
    _, landmarks = faces(1)
    displacement = jnp.zeros((1, 68, 2)).at[:, 66, 1].set(-0.2)
    found = linear.moved(landmarks, displacement)
    upper, lower = found[0, 62, 1], found[0, 66, 1]
    assert 0 < float(lower - upper) < 0.004
    np.testing.assert_allclose((upper + lower) / 2, landmarks[0, [62, 66], 1].mean() - 0.1, atol=1e-5)
    np.testing.assert_array_equal(np.delete(found[0], [62, 66], 0), np.delete(landmarks[0], [62, 66], 0))


def test_lips_that_part_show_a_stored_mouth_in_the_skins_brightness():
    image, landmarks = faces(1)
    change = linear.features(units(JAW, 0.0), units(JAW, 1.0))
    result = edited(model([(JAW, LOWER_LIP, 0.0, 0.1)], mouth=0.5), image, change, landmarks)
    x, y = (jnp.mean(landmarks[0, jnp.array([62, 66])], 0) + jnp.array([0.0, 0.05])) * 64
    brightness = (SKIN + 1) / 2
    np.testing.assert_allclose(result.image[0, int(y), int(x)], 2 * 0.5 * brightness**0.5 - 1, atol=0.03)
    np.testing.assert_allclose(result.image[0, :20], SKIN, atol=1e-3)


def test_an_open_mouth_keeps_its_own_inside():
    image, landmarks = faces(1)
    landmarks = landmarks.at[:, jnp.array(LOWER_LIP), 1].add(0.1)
    change = linear.features(units(JAW, 0.5), units(JAW, 0.6))
    result = edited(model([(JAW, LOWER_LIP, 0.0, 0.01)], mouth=0.5), image, change, landmarks)
    np.testing.assert_allclose(result.image, SKIN, atol=0.05)


def test_no_stored_mouth_leaves_what_the_flow_gives():
    image, landmarks = faces(1)
    change = linear.features(units(JAW, 0.0), units(JAW, 1.0))
    result = edited(model([(JAW, LOWER_LIP, 0.0, 0.1)]), image, change, landmarks)
    np.testing.assert_allclose(result.image, SKIN, atol=1e-3)


def test_mouths_are_read_where_lips_are_parted():
    image, landmarks = faces(2, 128)
    landmarks = landmarks.at[0, jnp.array([65, 66, 67])].set(landmarks[0, jnp.array([63, 62, 61])])
    landmarks = landmarks.at[1, jnp.array(LOWER_LIP), 1].add(0.08)
    x, y = np.rint(np.asarray(landmarks[1, 62] + landmarks[1, 66]) / 2 * 128).astype(int)
    image = image.at[1, y - 2 : y + 3, x - 6 : x + 6].set(0.9)
    windows, quality, bins = jax.jit(linear.mouths)(image, landmarks, *linear.on_reference(image, landmarks))
    assert float(quality[0]) < 0 < float(quality[1])
    wide = float(linear.opening(landmarks)[1])
    assert abs(linear.OPENINGS[int(bins[1])] - wide) == min(abs(each - wide) for each in linear.OPENINGS)
    np.testing.assert_allclose(windows[0], ((SKIN + 1) / 2) ** 0.5, atol=0.02)  # all is skin
    assert float(windows[1].max()) == pytest.approx(0.95 / ((SKIN + 1) / 2) ** 0.5, rel=0.1)
