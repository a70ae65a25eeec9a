import numpy as np
import pytest

from lgan_jax.metrics.identity import identity_distance


def test_distance_by_hand():
    one, other = np.zeros((2, 128), np.float32), np.zeros((2, 128), np.float32)
    one[:, 0], other[:, 0] = 1, 1
    other[1, 5] = 0.6
    np.testing.assert_allclose(identity_distance(one, other), [0, 0.6], rtol=1e-6)


@pytest.mark.parametrize(("value", "message"), [(np.nan, "not finite"), (0.0, "all zero")])
def test_faces_that_were_not_found_are_refused(value, message):
    good = np.full((3, 128), 0.1, np.float32)
    bad = good.copy()
    bad[1] = value
    with pytest.raises(ValueError, match=message):
        identity_distance(good, bad)
