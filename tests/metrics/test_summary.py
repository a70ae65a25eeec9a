import numpy as np
import pytest

from lgan_jax.metrics.summary import Figure, share, summarize


def test_what_was_not_measured_is_counted_and_left_out():
    assert summarize(np.array([1.0, np.nan, 3.0])) == Figure(2.0, 1.0, 2, 3)
    assert summarize(np.array([np.nan, np.nan])) == Figure(None, None, 0, 2)
    assert summarize(np.array([])) == Figure(None, None, 0, 0)


def test_infinity_is_refused():
    with pytest.raises(ValueError, match="1 of 2 values are infinite"):
        summarize(np.array([1.0, np.inf]))


def test_share():
    figure = share(np.array([True, False, True, True]))
    assert (figure.mean, figure.measured, figure.of) == (0.75, 4, 4)
    assert figure.deviation == pytest.approx(0.1875**0.5)
    assert share(np.array([], bool)).mean is None
