"""The sentence that the figures decide: whether ours beats its rival."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float


class Compared(NamedTuple):
    """One measure of ours and of its rival, as means over what was measured for both; NaN where that is nothing."""

    measure: str
    mine: float
    theirs: float
    count: int
    better: Literal["lower", "higher"]

    @property
    def won(self) -> bool:
        """Whether ours is better."""
        return self.mine < self.theirs if self.better == "lower" else self.mine > self.theirs


def compared(
    measure: str,
    mine: Float[np.ndarray, " n"],
    theirs: Float[np.ndarray, " n"],
    better: Literal["lower", "higher"],
) -> Compared:
    """Compares values of the same n pictures; NaN marks what was not measured."""
    both = ~np.isnan(mine) & ~np.isnan(theirs)
    if not both.any():
        return Compared(measure, np.nan, np.nan, 0, better)
    return Compared(measure, float(mine[both].mean()), float(theirs[both].mean()), int(both.sum()), better)


def verdict(ours: str, rival: str, measures: Sequence[Compared], lost_means: str = "") -> tuple[str, bool]:
    """The sentence, and whether ours is better in every measure. `lost_means` ends the sentence where it is not."""
    won, lost = [], []
    for each in measures:
        text = f"{each.measure} ({each.mine:.3f} against {each.theirs:.3f}, over {each.count})"
        (won if each.won else lost).append(text)
    if not lost:
        return f"{ours} beats the {rival} in {' and '.join(won)}.", True
    if not won:
        return f"{ours} does not beat the {rival} in {' or '.join(lost)}{lost_means}.", False
    return f"{ours} beats the {rival} in {' and '.join(won)}, but not in {' or '.join(lost)}{lost_means}.", False
