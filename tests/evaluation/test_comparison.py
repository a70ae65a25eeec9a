import numpy as np
import pytest

from lgan_jax.evaluation.comparison import compared, compared_by, verdict

NAN = np.nan


def test_only_what_both_have_is_compared():
    both = compared("error", np.array([1.0, NAN, 3.0, 9.0]), np.array([2.0, 5.0, 4.0, NAN]), "lower")
    assert (both.model, both.baseline, both.count, both.won) == (2.0, 3.0, 2, True)
    nothing = compared("error", np.array([NAN, 1.0]), np.array([1.0, NAN]), "lower")
    assert nothing.count == 0
    assert not nothing.won


def test_the_first_metric_that_was_measured_for_both_is_compared():
    ours = {"dlib": np.array([NAN, 1.0]), "own": np.array([1.0, 1.0])}
    baseline = {"dlib": np.array([2.0, NAN]), "own": np.array([2.0, 4.0])}
    names = {"absent": "by nobody", "dlib": "by dlib", "own": "by its own"}
    found = compared_by(names, ours, baseline, "lower")
    assert (found.metric, found.baseline) == ("by its own", 3.0)
    assert compared_by(names, ours, baseline | {"dlib": np.array([NAN, 3.0])}, "lower").metric == "by dlib"
    assert compared_by({"dlib": "by dlib"}, ours, baseline, "lower").count == 0


def test_nothing_measured_is_no_verdict():
    nothing = compared("error", np.array([NAN, 1.0]), np.array([1.0, NAN]), "lower")
    text, good = verdict("Ours", "baseline", [nothing, nothing._replace(metric="SSIM")], ": alas")
    assert text == "Ours cannot be compared with the baseline: nothing was measured for both: error, SSIM."
    assert good is None
    assert verdict("Ours", "baseline", [])[1] is None
    assert "beat" not in verdict("Ours", "baseline", [])[0]


def test_what_was_not_measured_decides_nothing():
    nothing = compared("error", np.array([NAN]), np.array([1.0]), "lower")
    better = compared("SSIM", np.array([0.9, 0.8]), np.array([0.5, 0.4]), "higher")
    assert verdict("Ours", "baseline", [nothing, better]) == (
        "Ours beats the baseline in SSIM (0.850 against 0.450, over 2).",
        True,
    )


@pytest.mark.parametrize(
    ("error", "ssim", "sentence", "good"),
    [
        (
            0.1,
            0.9,
            "Ours beats the baseline in error (0.100 against 0.200, over 2) and SSIM (0.900 against 0.500",
            True,
        ),
        (0.1, 0.5, "Ours beats the baseline in error (0.100 against 0.200, over 2), but not in SSIM (0.500", False),
        (0.2, 0.4, "Ours does not beat the baseline in error (0.200 against 0.200, over 2) or SSIM (0.400", False),
    ],
)
def test_sentences(error, ssim, sentence, good):
    ones = np.ones(2)
    errors, similarities = (error * ones, 0.2 * ones), (ssim * ones, 0.5 * ones)
    measures = [compared("error", *errors, "lower"), compared("SSIM", *similarities, "higher")]
    said, found = verdict("Ours", "baseline", measures, ": alas")
    assert said.startswith(sentence)
    assert said.endswith("." if good else ": alas.")
    assert found is good
