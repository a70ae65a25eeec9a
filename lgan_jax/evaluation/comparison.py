"""The verdict of a report: whether the model beats its baseline, metric by metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from lgan_jax.evaluation.tables import Values
from lgan_jax.metrics.summary import interval_over_groups


class Compared(NamedTuple):
    """One metric of the model and its baseline: means over the cases measured for both; NaN where there are none.

    `interval` is the 95 % interval of the model's less the baseline's, over identities; None where not asked for.
    """

    metric: str
    model: float
    baseline: float
    count: int
    better: Literal["lower", "higher"]
    interval: tuple[float, float] | None = None

    @property
    def won(self) -> bool:
        """Whether the model is better."""
        return self.model < self.baseline if self.better == "lower" else self.model > self.baseline


def compared(
    metric: str,
    model: Float[np.ndarray, " n"],
    baseline: Float[np.ndarray, " n"],
    better: Literal["lower", "higher"],
    identities: Int[np.ndarray, " n"] | None = None,
) -> Compared:
    """Compares values of the same n cases; NaN marks what was not measured. `identities` says who is in each."""
    both = ~np.isnan(model) & ~np.isnan(baseline)
    if not both.any():
        return Compared(metric, np.nan, np.nan, 0, better)
    interval = None if identities is None else interval_over_groups(model - baseline, identities)
    means = (float(values[both].mean()) for values in (model, baseline))
    return Compared(metric, *means, int(both.sum()), better, interval)


def compared_by(
    metrics: Mapping[str, str],
    model: Values,
    baseline: Values,
    better: Literal["lower", "higher"],
    identities: Int[np.ndarray, " n"] | None = None,
) -> Compared:
    """Compares by the first of `metrics` (key → name) that was measured for both on any case, or else by the last."""
    found = [
        compared(name, model[key], baseline[key], better, identities) for key, name in metrics.items() if key in model
    ]
    return next((each for each in found if each.count), found[-1])


def verdict(model: str, baseline: str, metrics: Sequence[Compared], if_lost: str = "") -> tuple[str, bool | None]:
    """The sentence, and whether the model is better in every metric; None where nothing was measured for both.

    `if_lost` ends the sentence where the model is not better. A metric that was not measured is left out.
    """
    won, lost = [], []
    for each in metrics:
        if not each.count:
            continue
        over = f"over {each.count}"
        if each.interval:
            over += "; 95 % interval of the difference over people {:+.3f} to {:+.3f}".format(*each.interval)
        text = f"{each.metric} ({each.model:.3f} against {each.baseline:.3f}, {over})"
        (won if each.won else lost).append(text)
    if not (won or lost):
        names = f": {', '.join(each.metric for each in metrics)}" if metrics else ""
        return f"{model} cannot be compared with the {baseline}: nothing was measured for both{names}.", None
    if not lost:
        return f"{model} beats the {baseline} in {' and '.join(won)}.", True
    if not won:
        return f"{model} does not beat the {baseline} in {' or '.join(lost)}{if_lost}.", False
    return f"{model} beats the {baseline} in {' and '.join(won)}, but not in {' or '.join(lost)}{if_lost}.", False
