import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax import landmarks

SCHEMES = pytest.mark.parametrize("scheme", landmarks.SCHEMES.values(), ids=lambda s: s.name)


@SCHEMES
def test_every_point_belongs_to_one_group(scheme):
    points = sorted(i for group in scheme.groups.values() for i in group)
    assert points == list(range(scheme.count))


@SCHEMES
def test_mirroring_twice_changes_nothing_and_sides_change_places(scheme):
    mirror = np.array(scheme.mirror)
    np.testing.assert_array_equal(mirror[mirror], np.arange(scheme.count))
    swap = {"right": "left", "left": "right"}
    for name, group in scheme.groups.items():
        side, _, rest = name.partition("_")
        other = f"{swap[side]}_{rest}" if side in swap else name
        assert sorted(mirror[list(group)]) == sorted(scheme.groups[other])


@SCHEMES
def test_an_edge_joins_mirrored_points_where_it_joins_points(scheme):
    mirror = np.array(scheme.mirror)
    edges = {frozenset(map(int, edge)) for edge in scheme.edges}
    assert {frozenset(map(int, mirror[list(edge)])) for edge in edges} == edges


def test_mirrored_landmarks_by_hand():
    points = np.zeros((2, 68, 2), np.float32)
    points[:, 36] = 0.25, 0.5  # the subject's right eye, outer corner
    for array in (points, jnp.asarray(points)):
        flipped = landmarks.mirrored(array, landmarks.IBUG68)
        np.testing.assert_allclose(flipped[:, 45], [[0.75, 0.5]] * 2)
        np.testing.assert_allclose(flipped[:, 36], [[1.0, 0.0]] * 2)


def test_inter_ocular_distance_by_hand():
    points = np.zeros((3, 98, 2), np.float32)
    points[:, 60], points[:, 72] = (0.1, 0.2), (0.4, 0.6)
    np.testing.assert_allclose(landmarks.inter_ocular(points, landmarks.WFLW98), [0.5] * 3, rtol=1e-6)


def test_the_68_points_keep_their_parts_and_sides_among_the_98():
    chosen = landmarks.WFLW98_TO_IBUG68
    for name, group in landmarks.IBUG68.groups.items():
        assert set(chosen[list(group)]) <= set(landmarks.WFLW98.groups[name])
    mirror = np.array(landmarks.WFLW98.mirror)
    np.testing.assert_array_equal(mirror[chosen], chosen[list(landmarks.IBUG68.mirror)])


def test_converting_to_68_points():
    points = np.arange(2 * 98 * 2, dtype=np.float32).reshape(2, 98, 2)
    np.testing.assert_array_equal(landmarks.to_ibug68(points, landmarks.WFLW98), points[:, landmarks.WFLW98_TO_IBUG68])
    with pytest.raises(ValueError, match="inner49 does not contain the 68"):
        landmarks.to_ibug68(points[:, :49], landmarks.INNER49)


def test_converting_to_49_points():
    points = np.arange(2 * 98 * 2, dtype=np.float32).reshape(2, 98, 2)
    inner = points[:, landmarks.WFLW98_TO_IBUG68][:, landmarks.IBUG68_TO_INNER49]
    np.testing.assert_array_equal(landmarks.to_inner49(points, landmarks.WFLW98), inner)
    np.testing.assert_array_equal(landmarks.to_inner49(inner, landmarks.INNER49), inner)


def test_looking_schemes_up():
    assert landmarks.scheme_of_count(98) is landmarks.scheme("wflw98")
    with pytest.raises(ValueError, match="no landmark scheme 'ibug'; the schemes are ibug68"):
        landmarks.scheme("ibug")
    with pytest.raises(ValueError, match="no landmark scheme has 5 points"):
        landmarks.scheme_of_count(5)


def test_outline_and_inner_points_share_out_the_scheme():
    assert len(landmarks.WFLW98.outline) == 33
    assert len(landmarks.WFLW98.inner) == 65
    assert len(landmarks.INNER49.outline) == 0
    assert len(landmarks.INNER49.inner) == 49
