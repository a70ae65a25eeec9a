import numpy as np
import pytest

from lgan_jax.metrics.alignment import align, auc, by_attribute, failure_rate

ERRORS = np.array([0.0, 0.02, 0.06, 0.10, 0.30])


def test_by_hand():
    assert failure_rate(ERRORS) == pytest.approx(1 / 5)  # 0.10 itself has not failed
    assert auc(ERRORS) == pytest.approx((1.0 + 0.8 + 0.4 + 0.0 + 0.0) / 5)
    assert align(ERRORS).nme == pytest.approx(0.096)


def test_area_is_that_of_the_integrated_curve():
    errors = np.random.default_rng(0).gamma(2.0, 0.03, 501)
    grid = np.linspace(0, 0.1, 100_001)
    curve = np.searchsorted(np.sort(errors), grid, side="right") / len(errors)
    assert auc(errors) == pytest.approx(np.trapezoid(curve, grid) / 0.1, abs=1e-4)


def test_attributes_have_their_own_figures_and_counts():
    groups = by_attribute(ERRORS, {"pose": np.array([0, 0, 0, 1, 1], bool), "blur": np.zeros(5, bool)})
    assert list(groups) == ["all", "pose", "blur"]
    assert (groups["pose"].nme, groups["pose"].failure_rate, groups["pose"].count) == (pytest.approx(0.2), 0.5, 2)
    assert (groups["blur"].nme, groups["blur"].auc, groups["blur"].count) == (None, None, 0)


@pytest.mark.parametrize("errors", [np.array([]), np.array([0.1, np.nan]), np.array([-0.1])])
def test_bad_errors_are_refused(errors):
    with pytest.raises(ValueError, match="errors"):
        auc(errors)
    with pytest.raises(ValueError, match="errors"):
        failure_rate(errors)


def test_threshold_must_be_positive():
    with pytest.raises(ValueError, match="above 0"):
        auc(ERRORS, threshold=0.0)
