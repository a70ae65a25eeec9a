import numpy as np
import pytest

from lgan_jax.action_units import EXPRESSIONS, NAMES, NUMBERS, expression_units, units


def test_units_are_openfaces_in_its_order():
    assert NUMBERS == (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
    assert NAMES[12] == "lip corner puller"


def test_a_vector_from_numbers():
    vector = units({12: 0.8, 25: 0.5})
    assert vector.dtype == np.float32
    assert dict(zip(NUMBERS, vector.tolist())) == dict.fromkeys(NUMBERS, 0.0) | {12: np.float32(0.8), 25: 0.5}
    with pytest.raises(ValueError, match="no action unit 3"):
        units({3: 1.0})


def test_expressions_are_their_combinations():
    assert expression_units("neutral").sum() == 0
    assert [NUMBERS[i] for i in np.flatnonzero(expression_units("happiness"))] == [6, 12, 25]
    assert all(0 <= expression_units(name).min() <= expression_units(name).max() <= 1 for name in EXPRESSIONS)
    with pytest.raises(ValueError, match=r"no expression 'joy'.*happiness"):
        expression_units("joy")
