import sys
import threading

import numpy as np

from lgan_jax.evaluation.plots import Series, line_plot, plot

BLUE, ORANGE, GREEN = (31, 119, 180), (255, 127, 14), (44, 160, 44)  # matplotlib's first colors


def _where(image, color):
    """Rows and columns of the pixels that are nearly of a color, left of the legend and below the top."""
    near = np.abs(image.astype(int) - color).max(-1) < 12
    rows, columns = np.nonzero(near[:, :800])
    return rows, columns


def test_lines_rise_where_values_do():
    image = line_plot(["0", "1", "10"], [Series("ours", [60.0, 70.0, 80.0], [1.0, 2.0, 3.0])], "times", "%")
    rows, columns = _where(image, BLUE)
    assert (image.shape, image.dtype) == ((480, 960, 3), np.uint8)
    assert rows[columns.argmin()] > rows[columns.argmax()] + 120


def test_error_bars_and_single_values_are_drawn():
    plain, with_bars, with_points = (
        _where(line_plot(["0", "1"], [Series("ours", [1.0, 1.0], *more)], "x", "y"), BLUE)[0]
        for more in ((), ([0.5, 0.4],), ((), [[0.5, 1.5], [1.0]]))
    )
    assert np.ptp(plain) < 20
    assert np.ptp(with_bars) > 200
    assert np.ptp(with_points) > 200


def test_a_line_passes_over_gaps():
    image = line_plot(["0", "1", "3"], [Series("ours", [1.0] * 3), Series("paper", [2.0, np.nan, 4.0])], "x", "y")
    rows, columns = _where(image, ORANGE)
    assert np.ptp(columns) > 500
    assert np.ptp(rows) > 150


def test_every_line_has_its_color_and_its_place():
    series = [Series(name, [value, value]) for name, value in (("a", 1.0), ("b", 2.0), ("c", 3.0))]
    heights = [np.median(_where(line_plot(["0", "1"], series, "x", "y"), color)[0]) for color in (BLUE, ORANGE, GREEN)]
    assert heights == sorted(heights, reverse=True)


def test_a_plot_of_a_report_has_its_caption():
    made = plot("name", "title", "caption", ["0"], [Series("ours", [0.0])], "x", "y")
    assert (made.name, made.title, made.caption, made.image.shape) == ("name", "title", "caption", (480, 960, 3))


def test_threads_may_draw_at_once_and_pyplot_is_not_used():
    images = [None] * 3

    def draw(i):
        images[i] = line_plot(["0", "1"], [Series("ours", [1.0, 2.0])], "x", "y")

    threads = [threading.Thread(target=draw, args=(i,)) for i in range(3)]
    [each.start() for each in threads]
    [each.join() for each in threads]
    assert all((each == images[0]).all() for each in images)
    assert "matplotlib.pyplot" not in sys.modules
