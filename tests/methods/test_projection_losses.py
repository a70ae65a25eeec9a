import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.landmarks import IBUG68, INNER49, WFLW98
from lgan_jax.methods.projection import losses
from lgan_jax.ops.heatmaps import gaussians, peaks


def test_weights_of_the_published_tool():
    """The tip of the nose, point 30, counts to the lower nose."""
    weights = losses.landmark_weights(IBUG68)
    expected = [0.05] * 17 + [1.0] * 10 + [0.1] * 3 + [1.0] * 18 + [5.0] * 20
    np.testing.assert_allclose(weights, expected)


def test_weights_are_changed_by_name():
    changes = {"jaw": 0.5, "inner_lip": 7.0, "eyes": 2.0, "lower_nose": 3.0}
    weights = losses.landmark_weights(WFLW98, changes)
    for group, value in {
        "outline": 0.5,
        "inner_lip": 7.0,
        "left_eye": 2.0,
        "lower_nose": 3.0,
        "left_brow": 1.0,
    }.items():
        assert set(weights[list(WFLW98.groups[group])]) == {np.float32(value)}
    assert weights[54] == 3.0
    assert len(losses.landmark_weights(INNER49)) == 49
    with pytest.raises(
        ValueError, match="ibug68 has no group of landmarks 'ears'; the groups are jaw, brows, eyes, outl"
    ):
        losses.landmark_weights(IBUG68, {"ears": 1.0})
    with pytest.raises(ValueError, match=r"the weight of jaw is -1\.0; it must be a number from 0 on"):
        losses.landmark_weights(IBUG68, {"jaw": -1.0})


def test_what_the_networks_are_given():
    image = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (2, 512, 512, 3)), jnp.float32)
    assert losses.reduced(image).shape == (2, 256, 256, 3)
    np.testing.assert_allclose(losses.reduced(image)[1, 3, 5], image[1, 6:8, 10:12].mean((0, 1)), atol=1e-6)
    small = image[:, :64, :64] * jnp.array([0.5, 0.1]).reshape(2, 1, 1, 1)
    given = losses.for_landmarks(small)
    assert given.shape == (2, 256, 256, 3)
    np.testing.assert_allclose(given.min((1, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(given.max((1, 2, 3)), 1, atol=1e-6)
    np.testing.assert_allclose(given[0, 4:8, 252:, 1], jnp.full((4, 4), given[0, 5, 253, 1]))


def test_heatmaps_are_far_by_one_root_over_everything():
    made, target = jnp.zeros((2, 3, 4, 2)), jnp.zeros((2, 3, 4, 2)).at[1, 0, 0, 0].set(3.0).at[1, 2, 1, 1].set(2.0)
    distance = losses.heatmap_distance(made, target, jnp.array([1.0, 2.0]))
    np.testing.assert_allclose(distance, [0.0, 5.0])


def test_regularity_of_noise_is_that_of_its_pyramid():
    """Worked out level by level; the maps of 4 pixels are not halved."""
    rng = np.random.default_rng(0)
    maps = [rng.normal(size=(2, side, side)).astype(np.float32) for side in (4, 16)]

    def squares(x):
        return sum(np.mean(x * np.roll(x, 1, axis), (1, 2)) ** 2 for axis in (1, 2))

    half = (maps[1][:, ::2, ::2] + maps[1][:, 1::2, ::2] + maps[1][:, ::2, 1::2] + maps[1][:, 1::2, 1::2]) / 4
    expected = squares(maps[0]) + squares(maps[1]) + squares(half)
    np.testing.assert_allclose(losses.noise_regularity([jnp.asarray(x) for x in maps]), expected, rtol=1e-5)
    normal = losses.normalized_noise(jnp.asarray(3 * maps[1] + 2))
    np.testing.assert_allclose(normal.mean((1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose((normal**2).mean((1, 2)), 1, rtol=1e-5)


def test_peaks_of_heatmaps():
    """To a quarter of a pixel of 16 or 24; with either coordinate at the border the pixel itself, in both."""
    places = np.random.default_rng(0).uniform(0.1, 0.9, (2, 5, 2)).astype(np.float32)
    places[0, 0], places[1, 3] = (0.01, 0.5), (0.5, 0.99)
    found, height = peaks(0.7 * gaussians(jnp.asarray(places), 16, 24, 1.5))
    assert found.shape == (2, 5, 2)
    bounds = np.full((2, 5, 1), 0.36)
    bounds[0, 0], bounds[1, 3] = 0.501, 0.501
    np.testing.assert_array_less(np.abs(found - places) * (24, 16), np.broadcast_to(bounds, (2, 5, 2)))
    np.testing.assert_allclose(height, 0.7, atol=0.08)
