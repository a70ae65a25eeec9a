import numpy as np
import pytest

from studies.reenact_smoothness import change


def test_changes_count_between_frames_that_both_show_a_face():
    frames = np.zeros((5, 4, 6, 3), np.uint8)
    frames[:, ..., 1] = np.array([0, 51, 255, 0, 102])[:, None, None]  # a fifth of the range, in one of three channels
    everywhere, some = np.ones(5, bool), np.array([True, True, False, True, True])
    assert change(frames, everywhere) == pytest.approx((51 + 204 + 255 + 102) / 4 / 3 / 255)
    assert change(frames, some) == pytest.approx((51 + 102) / 2 / 3 / 255)
    with pytest.raises(ValueError, match="no two neighboring frames"):
        change(frames, np.array([True, False, True, False, True]))
