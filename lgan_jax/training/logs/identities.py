"""Metrics of several identities: the mean, each identity's value, and the worst identity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Values = Mapping[str, Any]  # of metrics: scalars, or arrays with one value for each identity


def means(values: Values) -> dict[str, float]:
    """Means over the identities; scalars are unchanged."""
    return {name: float(np.mean(value)) for name, value in values.items()}


def of_each(values: Values, identities: Sequence[str]) -> dict[str, dict[str, float]]:
    """Identity → metric → value, of the metrics with one value per identity."""
    arrays = {name: value for name, value in values.items() if np.ndim(value)}
    return {who: {name: float(x[i]) for name, x in arrays.items()} for i, who in enumerate(identities) if arrays}


def worst(values: Values, identities: Sequence[str], which: Mapping[str, Callable]) -> dict[str, tuple[str, float]]:
    """Metric → the worst identity and its value: a non-finite value, or the `max` or `min`.

    Empty for a single identity.
    """
    found = {}
    for name, choose in which.items():
        value = np.asarray(values[name], np.float64)
        value = np.where(np.isfinite(value), value, np.inf if choose is max else -np.inf)
        if value.size > 1:
            place = int(np.argmax(value) if choose is max else np.argmin(value))
            found[name] = identities[place], float(values[name][place])
    return found
