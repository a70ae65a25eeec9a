import numpy as np
import pytest

from lgan_jax.evaluation.verdicts import compared, verdict

NAN = np.nan


def test_only_what_both_have_is_compared():
    both = compared("error", np.array([1.0, NAN, 3.0, 9.0]), np.array([2.0, 5.0, 4.0, NAN]), "lower")
    assert (both.mine, both.theirs, both.count, both.won) == (2.0, 3.0, 2, True)
    nothing = compared("error", np.array([NAN, 1.0]), np.array([1.0, NAN]), "lower")
    assert nothing.count == 0
    assert not nothing.won


def test_nothing_measured_is_no_verdict():
    nothing = compared("error", np.array([NAN, 1.0]), np.array([1.0, NAN]), "lower")
    text, good = verdict("Ours", "rival", [nothing, nothing._replace(measure="SSIM")], ": alas")
    assert text == "Ours cannot be compared with the rival: nothing was measured for both: error, SSIM."
    assert good is None
    assert verdict("Ours", "rival", [])[1] is None
    assert "beat" not in verdict("Ours", "rival", [])[0]


def test_what_was_not_measured_decides_nothing():
    nothing = compared("error", np.array([NAN]), np.array([1.0]), "lower")
    better = compared("SSIM", np.array([0.9, 0.8]), np.array([0.5, 0.4]), "higher")
    assert verdict("Ours", "rival", [nothing, better]) == (
        "Ours beats the rival in SSIM (0.850 against 0.450, over 2).",
        True,
    )


@pytest.mark.parametrize(
    ("error", "ssim", "sentence", "good"),
    [
        (0.1, 0.9, "Ours beats the rival in error (0.100 against 0.200, over 2) and SSIM (0.900 against 0.500", True),
        (0.1, 0.5, "Ours beats the rival in error (0.100 against 0.200, over 2), but not in SSIM (0.500", False),
        (0.2, 0.4, "Ours does not beat the rival in error (0.200 against 0.200, over 2) or SSIM (0.400", False),
    ],
)
def test_sentences(error, ssim, sentence, good):
    ones = np.ones(2)
    errors, similarities = (error * ones, 0.2 * ones), (ssim * ones, 0.5 * ones)
    measures = [compared("error", *errors, "lower"), compared("SSIM", *similarities, "higher")]
    said, found = verdict("Ours", "rival", measures, ": alas")
    assert said.startswith(sentence)
    assert said.endswith("." if good else ": alas.")
    assert found is good
