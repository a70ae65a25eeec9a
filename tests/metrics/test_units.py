import numpy as np
import pytest

from lgan_jax.metrics.units import agreement


def test_agreement_worked_by_hand():
    true = np.array([[0.0, 0.5], [0.2, 0.5], [0.4, 0.5]], np.float32)
    found = np.array([[0.1, 0.5], [0.2, 0.6], [0.6, 0.7]], np.float32)
    result = agreement(found, true)
    # deviations (-.2, -.1, .3) and (-.2, 0, .2): .1 / sqrt(.14 · .08)
    np.testing.assert_allclose(result.correlation[0], 0.1 / np.sqrt(0.14 * 0.08), rtol=1e-5)
    assert np.isnan(result.correlation[1])
    np.testing.assert_allclose(result.error, [0.1, 0.1], rtol=1e-5)
    assert result.count == 3
    with pytest.raises(ValueError, match="at least 2 faces, not 1"):
        agreement(found[:1], true[:1])
    with pytest.raises(ValueError, match=r"action units must be in \[0, 1\]; these are from 0 to 2\.5"):
        agreement(found, true * 5)
