from pathlib import Path

import numpy as np

from lgan_jax.action_units import NUMBERS
from studies import edits_on_strangers as study


def units(**values):
    row = np.zeros(17, np.float32)
    for name, value in values.items():
        row[NUMBERS.index(int(name[2:]))] = value
    return row


def test_what_was_asked_moves_and_the_others_stay():
    """A smile of 1 is asked for: with 0.2 there, half of it is 0.4, a fifth 0.16; one smiles already, one is lost."""
    before = np.stack([units(AU12=0.2), units(AU12=0.2), units(AU12=0.2), units(AU12=0.8), units(AU12=0.2)])
    after = np.stack([
        units(AU12=0.61, AU25=0.9, AU45=0.15),
        units(AU12=0.59),
        units(AU12=0.9, AU45=0.17),
        units(AU12=1.0),
        np.full(17, np.nan, np.float32),
    ])  # fmt: skip
    counts, moves, stays = study.outcome("smile", before, after)
    assert counts.tolist() == [True, True, True, False, True]
    assert moves.tolist() == [True, False, True, True, False]
    assert stays.tolist() == [True, True, False, True, False]


def test_each_expression_is_asked_for_alone():
    own = units(AU04=0.3, AU12=0.1)
    own[NUMBERS.index(6)] = np.nan
    asked = study._asked(own)
    expected = [units(AU04=0.3, AU12=1, AU25=0.8), units(AU04=0.3, AU12=0.1, AU25=1, AU26=1)]
    expected += [units(AU04=0.3, AU12=0.1, AU01=1, AU02=1), units(AU04=0.3, AU12=0.1, AU45=1)]
    np.testing.assert_allclose(asked, expected)


def test_splits_share_no_photo():
    paths = [Path(str(i)) for i in range(60)]
    test, validation = study.split(paths, "test"), study.split(paths, "validation")
    assert (len(test), len(validation)) == (32, 16)
    assert not set(test) & set(validation)
