import math

import numpy as np
import pytest

from lgan_jax.metrics.verification import needed, pairwise, people, verify


def test_by_hand():
    """Three people in the gallery; of four probes one is nearer to somebody else."""
    distances = np.array([[0.1, 0.8, 0.9], [0.7, 0.2, 0.6], [0.5, 0.9, 0.4], [0.3, 0.8, 0.35]])
    same = people(np.array([0, 1, 2, 2]), np.array([0, 1, 2]))
    found = verify(distances, same, rates=(0.125, 0.25, 0.5))
    assert found.rank1 == 0.75
    assert (found.probes, found.genuine, found.impostor) == (4, 4, 8)
    # impostors: .3 .5 .6 .7 .8 .8 .9 .9; genuine: .1 .2 .35 .4
    assert found.tar == {0.125: 1.0, 0.25: 1.0, 0.5: 1.0}
    harder = verify(np.where(same, distances + 0.2, distances), same, rates=(0.125, 0.25))
    assert harder.tar == {0.125: 0.5, 0.25: 0.75}  # genuine: .3 .4 .55 .6, nearer than .5 and than .6


def test_equal_distances_are_refused_together():
    same = np.eye(5, dtype=bool)
    found = verify(np.where(same, 0.4, 0.4), same, rates=(0.5,))
    assert found.tar == {0.5: 0.0}


def test_a_rate_that_too_few_comparisons_cannot_tell_has_no_figure():
    random = np.random.default_rng(0)
    probes, gallery = np.repeat(np.arange(10), 2), np.arange(10)
    found = verify(random.uniform(0.1, 1, (20, 10)), people(probes, gallery))
    assert (found.genuine, found.impostor) == (20, 180)
    assert not math.isnan(found.tar[0.01])
    assert math.isnan(found.tar[0.001])
    assert needed(0.01) == 100
    assert needed(0.001) == 1000
    assert math.isnan(verify(np.ones((9, 11)), np.eye(9, 11, dtype=bool)).tar[0.01])  # 90 of 100 comparisons


def test_comparisons_that_do_not_count_are_not_looked_at():
    """The image a probe was made from is in the gallery, at distance 0, as is a face that was not found."""
    same = people(np.array([0, 0, 1]), np.array([0, 0, 1]))
    distances = np.array([[0.0, 0.6, 0.5], [0.4, 0.0, 0.5], [0.7, 0.8, np.nan]])
    compared = ~np.eye(3, dtype=bool)
    found = verify(distances, same, compared, rates=(0.5,))
    assert found.rank1 == 0.5
    assert found.probes == 2  # the third has nobody left of its own
    assert (found.genuine, found.impostor) == (2, 2)
    assert found.tar == {0.5: 0.5}


def test_distances_of_descriptors():
    probes, gallery = np.zeros((2, 5)), np.zeros((3, 5))
    probes[1, 0], gallery[2, 1] = 3, 4
    np.testing.assert_allclose(pairwise(probes, gallery), [[0, 0, 4], [3, 3, 5]])
    assert pairwise(probes[:0], gallery).shape == (0, 3)


def test_nobody_to_look_for():
    found = verify(np.zeros((0, 4)), np.zeros((0, 4), bool))
    assert math.isnan(found.rank1)
    assert math.isnan(found.tar[0.01])
    assert found.probes == found.genuine == found.impostor == 0


@pytest.mark.parametrize(
    ("distance", "rate", "message"),
    [(np.nan, 0.01, "not finite"), (-0.1, 0.01, "negative"), (0.5, 0.0, "between 0 and 1, not 0.0")],
)
def test_what_cannot_be_measured_is_refused(distance, rate, message):
    with pytest.raises(ValueError, match=message):
        verify(np.full((2, 3), distance), np.eye(2, 3, dtype=bool), rates=(rate,))
