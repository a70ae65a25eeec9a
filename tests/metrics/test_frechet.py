import numpy as np
import pytest
import scipy.linalg

from lgan_jax.metrics.frechet import frechet_distance


def _features(seed, count, width, spread=1.0):
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(width, width)) * spread
    return (rng.normal(size=(count, width)) @ mixing + rng.normal(size=width)).astype(np.float32)


def _by_scipy(one, other, ddof):
    one, other = one.astype(np.float64), other.astype(np.float64)
    first, second = (np.cov(x, rowvar=False, ddof=ddof) for x in (one, other))
    root = scipy.linalg.sqrtm(first @ second).real
    return ((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(first + second - 2 * root)


@pytest.mark.parametrize("ddof", [0, 1])
def test_agrees_with_scipy(ddof):
    one, other = _features(0, 300, 24), _features(1, 200, 24, 1.5)
    assert frechet_distance(one, other, ddof) == pytest.approx(_by_scipy(one, other, ddof), rel=1e-6)


def test_by_hand():
    one = np.array([[0.0, 1.0], [2.0, 1.0], [0.0, 1.0], [2.0, 1.0]])  # variances 4/3 and 0
    other = np.array([[0.0, 0.0], [0.0, 4.0]])  # variances 0 and 8
    assert frechet_distance(one, other) == pytest.approx(1 + 1 + 4 / 3 + 8)
    assert frechet_distance(one, other, ddof=0) == pytest.approx(1 + 1 + 1 + 4)
    assert frechet_distance(one[:, :1], one[:, :1] + 3) == pytest.approx(9)  # a single feature


def test_singular_covariances_give_real_numbers():
    """Of rank 3 of 40, where the square root of the product of two covariances by itself is complex."""
    one = _features(4, 300, 40)
    one = one[:, :3] @ _features(5, 3, 40)
    one = one - one.mean(0)
    spread = np.trace(np.cov(one.astype(np.float64), rowvar=False))
    assert frechet_distance(one, 2 * one) == pytest.approx(spread, rel=1e-5)  # Σ + 4Σ − 2·2Σ
    assert frechet_distance(one, one + 1) == pytest.approx(40, rel=1e-5)


def test_fewer_vectors_than_features():
    one = _features(2, 20, 128)
    assert frechet_distance(one, one) < 1e-6 * frechet_distance(one, one + 1)
    assert frechet_distance(one, one + 1) == pytest.approx(128, rel=1e-5)
    assert frechet_distance(one, _features(3, 20, 128)) > 128


@pytest.mark.parametrize(
    ("one", "other", "ddof", "message"),
    [
        (np.ones((1, 3)), np.ones((4, 3)), 1, "two feature vectors or more, not 1"),
        (np.full((4, 3), np.nan), np.ones((4, 3)), 1, "not finite"),
        (np.ones((4, 3)), np.ones((4, 2)), 1, "not 3 with 2"),
        (np.ones((4, 3)), np.ones((4, 3)), 2, "ddof is 2"),
    ],
)
def test_what_cannot_be_measured_is_refused(one, other, ddof, message):
    with pytest.raises(ValueError, match=message):
        frechet_distance(one, other, ddof)
