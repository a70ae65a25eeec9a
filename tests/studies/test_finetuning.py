from studies.finetuning import table


def test_the_first_evaluation_that_reaches_the_last_from_scratch_is_named():
    scratch = {10: 0.5, 20: 0.4, 30: 0.3}
    assert "0.3000, from scratch after 30 steps: reached after 20 steps" in table(
        "", scratch, {10: 0.31, 20: 0.3, 30: 0.2}
    )
    assert "not reached by the fine-tuned run" in table("", scratch, {10: 0.4, 20: 0.4, 30: 0.31})
