import numpy as np
import pytest

from lgan_jax.landmarks import IBUG68, WFLW98
from lgan_jax.metrics.lmk import checked_nme, lmk


def test_lmk_is_one_root_over_the_whole_vector():
    one = np.zeros((2, 3, 2), np.float32)
    other = one.copy()
    other[0] = [[0.3, 0.0], [0.0, 0.4], [0.0, 0.0]]  # √(0.09 + 0.16) = 0.5, not 0.3 + 0.4
    other[1, :, 0] = 0.1  # √(3 · 0.01)
    np.testing.assert_allclose(lmk(one, other), [0.5, 0.1 * 3**0.5], rtol=1e-6)


def test_error_is_a_mean_distance_over_the_distance_of_the_eyes():
    true = np.full((68, 2), 0.5, np.float32)
    true[36], true[45] = (0.3, 0.4), (0.7, 0.4)  # 0.4 apart
    found = true + np.float32([0.03, 0.04])  # every point 0.05 off
    np.testing.assert_allclose(checked_nme(found, true, IBUG68), 0.05 / 0.4, rtol=1e-5)
    found = true.copy()
    found[10, 1] += 0.2  # one of 68 points
    np.testing.assert_allclose(checked_nme(found, true, IBUG68), 0.2 / 68 / 0.4, rtol=1e-5)


def test_the_unit_is_that_of_the_true_face_and_of_its_scheme():
    true = np.full((98, 2), 0.5, np.float32)
    true[60], true[72] = (0.25, 0.5), (0.75, 0.5)
    found = true * 0.5
    expected = np.linalg.norm(found - true, axis=-1).mean() / 0.5
    np.testing.assert_allclose(checked_nme(found, true, WFLW98), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("landmarks", "message"),
    [
        (np.full((68, 2), np.nan, np.float32), "not finite"),
        (np.full((68, 2), 128.0, np.float32), "fractions of the image"),
        (np.full((49, 2), 0.5, np.float32), "68 landmarks, these are 49"),
        (np.full((68, 2), 0.5, np.float32), "in one place"),
    ],
)
def test_bad_landmarks_are_refused(landmarks, message):
    with pytest.raises(ValueError, match=message):
        checked_nme(landmarks, landmarks, IBUG68)
