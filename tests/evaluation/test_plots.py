import numpy as np
import pytest

from lgan_jax.evaluation.plots import COLOURS, Series, plot
from lgan_jax.media.image_grid import GROUND, LINE, TRUE


def _places(picture, colour):
    """Rows and columns of the pixels that are nearly of a colour, below the legend."""
    near = np.abs(picture.astype(int) - colour).max(-1) < 12
    rows, columns = np.nonzero(near[40:])
    return rows + 40, columns


def test_lines_rise_where_values_do():
    picture = plot(["0", "1", "10"], [Series("ours", [60.0, 70.0, 80.0], [1.0, 2.0, 3.0])], "times", "%")
    rows, columns = _places(picture, LINE)
    assert picture.shape == (480, 960, 3)
    assert rows[columns.argmin()] > rows[columns.argmax()] + 120
    assert (picture[-1, -1] == GROUND).all()


def test_a_second_line_may_have_gaps():
    picture = plot(["0", "1", "3"], [Series("ours", [1.0, 1.0, 1.0]), Series("paper", [2.0, np.nan, 4.0])], "x", "y")
    rows, columns = _places(picture, TRUE)
    assert np.ptp(columns) > 500
    assert np.ptp(rows) > 150
    flat, _ = _places(picture, LINE)
    assert np.ptp(flat) < 12


def test_three_lines_are_drawn_and_named_each_in_its_colour():
    picture = plot(
        ["0", "1"], [Series(name, [value, value]) for name, value in (("a", 1.0), ("b", 2.0), ("c", 3.0))], "x", "y"
    )
    for (line, _), tick in zip(COLOURS, (3, 2, 1)):
        near = np.abs(picture.astype(int) - line).max(-1) < 12
        assert near[:40].any()
        rows, _ = _places(picture, line)
        assert np.median(rows) == pytest.approx(56 + 180 * (tick - 1), abs=2)


def test_values_that_are_all_alike_can_be_shown():
    assert _places(plot(["0"], [Series("ours", [0.0])], "x", "y"), GROUND)[0].size


def test_bad_input():
    with pytest.raises(ValueError, match="nothing to plot"):
        plot(["0"], [Series("ours", [np.nan])], "x", "y")
    with pytest.raises(ValueError, match="over 2 places"):
        plot(["0", "1"], [Series("ours", [1.0])], "x", "y")
    with pytest.raises(ValueError, match="room for 3 lines, not 4"):
        plot(["0"], [Series("ours", [1.0])] * 4, "x", "y")
