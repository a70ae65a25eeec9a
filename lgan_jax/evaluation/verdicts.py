"""The sentence that the figures decide: whether ours beats its rival."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from lgan_jax.metrics.summary import interval_over_groups


class Compared(NamedTuple):
    """One measure of ours and of its baseline, as means over what was measured for both; NaN where that is nothing.

    `interval` is the 95 % interval of ours less theirs, over people; None where it was not asked for.
    """

    measure: str
    mine: float
    theirs: float
    count: int
    better: Literal["lower", "higher"]
    interval: tuple[float, float] | None = None

    @property
    def won(self) -> bool:
        """Whether ours is better."""
        return self.mine < self.theirs if self.better == "lower" else self.mine > self.theirs


def compared(
    measure: str,
    mine: Float[np.ndarray, " n"],
    theirs: Float[np.ndarray, " n"],
    better: Literal["lower", "higher"],
    people: Int[np.ndarray, " n"] | None = None,
) -> Compared:
    """Compares values of the same n images; NaN marks what was not measured. `people` says who is in each."""
    both = ~np.isnan(mine) & ~np.isnan(theirs)
    if not both.any():
        return Compared(measure, np.nan, np.nan, 0, better)
    interval = None if people is None else interval_over_groups(mine - theirs, people)
    return Compared(measure, float(mine[both].mean()), float(theirs[both].mean()), int(both.sum()), better, interval)


def verdict(ours: str, rival: str, measures: Sequence[Compared], lost_means: str = "") -> tuple[str, bool | None]:
    """The sentence, and whether ours is better in every measure; None where nothing was measured for both.

    `lost_means` ends the sentence where ours is not better. A measure that nothing was measured by is left out.
    """
    won, lost = [], []
    for each in measures:
        if not each.count:
            continue
        over = f"over {each.count}"
        if each.interval:
            over += "; 95 % interval of the difference over people {:+.3f} to {:+.3f}".format(*each.interval)
        text = f"{each.measure} ({each.mine:.3f} against {each.theirs:.3f}, {over})"
        (won if each.won else lost).append(text)
    if not (won or lost):
        names = f": {', '.join(each.measure for each in measures)}" if measures else ""
        return f"{ours} cannot be compared with the {rival}: nothing was measured for both{names}.", None
    if not lost:
        return f"{ours} beats the {rival} in {' and '.join(won)}.", True
    if not won:
        return f"{ours} does not beat the {rival} in {' or '.join(lost)}{lost_means}.", False
    return f"{ours} beats the {rival} in {' and '.join(won)}, but not in {' or '.join(lost)}{lost_means}.", False
