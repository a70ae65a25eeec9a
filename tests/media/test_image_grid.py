import numpy as np
import pytest

from lgan_jax.landmarks import IBUG68
from lgan_jax.media.image_grid import CELL, GROUND, TARGET, GridRow, cell_side, draw_landmarks, image_grid, plain, trace


@pytest.mark.parametrize(("size", "side"), [(64, 192), (128, 256), (256, 256), (512, 256), (17, 187)])
def test_small_images_are_enlarged_by_whole_factors(size, side):
    assert cell_side(size) == side


def test_cells_lie_under_their_headings():
    red = np.zeros((64, 64, 3), np.uint8) + np.uint8([200, 0, 0])
    grid = image_grid(
        [GridRow("", [red, None, red]), GridRow("", [None, red, None], ("", "why", ""))], ["a", "b", "c"], 64
    )
    is_red = (grid == [200, 0, 0]).all(-1)
    rows, columns = np.flatnonzero(is_red.any(1)), np.flatnonzero(is_red.any(0))
    assert is_red.sum() == 3 * 192 * 192
    assert len(columns) == 3 * 192
    assert len(rows) == 2 * 192
    assert (grid == CELL).all(-1).sum() >= 3 * 192 * 192
    assert (grid[-2:] == GROUND).all()


def test_text_is_written():
    empty = np.zeros((64, 64, 3), np.uint8)
    with_words = image_grid([GridRow("Ada Lovelace", [empty])], ["driving"], 64)
    without = image_grid([GridRow(" ", [empty])], [""], 64)
    assert with_words.shape == without.shape
    changed = (with_words != without).any(-1)
    assert changed[:36].any()  # above the column
    assert changed[36:, :112].any()  # beside the row


def test_a_long_name_stays_in_its_place():
    image = np.full((64, 64, 3), 7, np.uint8)
    grid = image_grid(
        [GridRow("Wolfeschlegelsteinhausenbergerdorff", [image])], ["Wolfeschlegelsteinhausenbergerdorff " * 2], 64
    )
    assert (grid == 7).all(-1).sum() == 192 * 192


def test_landmarks_are_drawn_where_they_are():
    landmarks = np.full((68, 2), 0.25, np.float32)
    landmarks[:, 1] = 0.75
    drawn = draw_landmarks(landmarks, IBUG68, 64)
    y, x = np.nonzero((drawn != CELL).any(-1))
    assert (x.mean() + 0.5) / 192 == pytest.approx(0.25, abs=0.003)
    assert (y.mean() + 0.5) / 192 == pytest.approx(0.75, abs=0.003)
    far = trace(drawn, landmarks + 100, IBUG68, TARGET, TARGET)  # beyond the image: nothing, and no error
    np.testing.assert_array_equal(far, drawn)


def test_letters_that_cannot_be_drawn():
    assert plain("Zoë_Müller → 李") == "Zoe Muller > ?"


def test_ragged_rows_are_refused():
    with pytest.raises(ValueError, match="rows of 2 cells"):
        image_grid([GridRow("", [None])], ["a", "b"], 64)
    with pytest.raises(ValueError, match="rows of 1 cells"):
        image_grid([], ["a"], 64)
