import dataclasses

import numpy as np
import pytest

from lgan_jax.faces.align import TEMPLATE
from studies import smile_on_strangers as study
from studies.smile_on_strangers import Person, brought_over, interval, linear_changes, sharpness, split, warped

SIZE = 96


def picture():
    """Smooth, so that resampling hardly changes it."""
    x, y = np.meshgrid(*[(np.arange(SIZE) + 0.5) / SIZE] * 2)
    return np.rint(127 + 100 * np.stack([np.sin(5 * x), np.cos(4 * y), x * y], -1)).astype(np.uint8)


def person(name="Ada", change=0.0, unit=0.0):
    scores = np.zeros((2, 52))
    scores[1, study.SMILE] = 0.85 * unit  # action unit 12 at `unit`
    wanted = TEMPLATE.copy()
    wanted[48:] += change
    return Person(name, picture(), TEMPLATE, picture(), wanted, scores, 0.5)


def test_an_image_is_brought_over_by_its_stable_points():
    turn, shift = np.array([[1.1, -0.1], [0.1, 1.1]]), np.array([0.02, -0.01])
    smiling = TEMPLATE @ turn.T + shift
    smiling[48:] += 0.03
    _, points = brought_over(picture(), smiling, TEMPLATE)
    np.testing.assert_allclose(points[:48], TEMPLATE[:48], atol=1e-9)
    assert np.abs(points[48:] - TEMPLATE[48:]).min() > 0.02
    same, points = brought_over(picture(), TEMPLATE, TEMPLATE)
    np.testing.assert_array_equal(same, picture())


def test_a_warp_carries_points_and_leaves_the_border():
    """What is at the target of a point was at the point."""
    target = TEMPLATE + np.array([0.03, -0.02])
    result = warped(picture(), TEMPLATE, target).astype(int)
    for source, place in zip(TEMPLATE[30:60], target[30:60]):
        (x, y), (u, v) = (np.rint(each * SIZE - 0.5).astype(int) for each in (source, place))
        assert np.abs(result[v, u] - picture()[y, x]).max() < 12
    assert np.abs(result[[0, -1]] - picture()[[0, -1]]).max() < 12
    np.testing.assert_array_equal(warped(picture(), TEMPLATE, TEMPLATE), picture())


def test_changes_follow_the_action_units():
    """Mouths move by 0.1 of a smile of 1, half of it over the eyes' distance; another one asks for a smile of 0.75."""
    others = [person(change=0.1 * unit, unit=unit) for unit in (0.0, 0.5, 1.0)]
    (found,) = linear_changes(others, [person(unit=0.75)], 1e-9)
    np.testing.assert_allclose(found[48:], 0.075 / 0.5, rtol=1e-4)
    np.testing.assert_allclose(found[:48], 0, atol=1e-9)
    (stiff,) = linear_changes(others, [person(unit=0.75)], 1e9)
    np.testing.assert_allclose(stiff[48:], 0.05 / 0.5, rtol=1e-4)


def test_intervals_are_paired():
    one = np.array([1.0, 5.0, np.nan, 3.0])
    assert interval(one, one - 0.5) == pytest.approx((0.5, 0.5))
    low, high = interval(one, np.array([0.0, 5.0, 1.0, 3.0]))
    assert low == 0 < 1 / 3 < high <= 1
    assert np.isnan(interval(one, np.full(4, np.nan))).all()


def test_validation_people_see_nothing_of_the_test():
    people = [person(str(i)) for i in range(40)]
    test, known = split(people, "test")
    validation, rest = split(people, "validation")
    names = [{one.name for one in group} for group in (test, known, validation, rest)]
    assert [len(each) for each in names] == [20, 20, 12, 8]
    assert not names[0] & (names[1] | names[2] | names[3])
    assert names[2] | names[3] == names[1]


def test_sharpness_worked_by_hand():
    """One gray pixel of 9 on 0: its Laplacian is −4 times it, its four neighbors' once."""
    image = np.zeros((5, 6, 3), np.uint8)
    image[2, 3] = 9
    assert sharpness(image) == pytest.approx((36**2 + 4 * 9**2) / 30)


def test_a_row_against_itself():
    """Of the ground truth everything is right; the warped copy of another is not. (Nobody sees a face here.)"""

    class Blind:
        def points(self, image):
            return None

        def scores(self, photos):
            return np.stack([one.scores[1], one.scores[0]])

    one = dataclasses.replace(person(change=0.02, unit=1.0), smiling=picture()[:, ::-1].copy())
    row = study.measured(Blind(), [one, one], [one.smiling, one.neutral])
    assert row["SSIM"][0] == 1 > row["SSIM"][1]
    assert row["l1 mouth"][0] == 0 < row["l1 mouth"][1]
    assert row["sharpness"][0] == 1
    assert row["smile rises"].tolist() == [1, 0]
    assert row["found"].tolist() == [0, 0]
    assert np.isnan(row["mouth error"]).all()
    assert "SSIM" in study.table({study.MEAN: row, "same": row})
