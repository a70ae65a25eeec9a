"""Tables that the command prints at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rich.box
import rich.table

from lgan_jax.data.prepare import quality
from lgan_jax.data.split import SPLITS

_RANGES = {  # heading → field of `data.coverage.Coverage` and format
    "yaw, °": ("yaw", ".0f"),
    "pitch, °": ("pitch", ".0f"),
    "mouth, inter-ocular": ("mouth", ".2f"),
    "lids, inter-ocular": ("lids", ".2f"),
}


def totals(people: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """One summary for all people, with the sums of their counts."""
    summaries = people.values()
    return {
        "frames": sum(summary["frames"] for summary in summaries),
        "kept": sum(summary["kept"] for summary in summaries),
        "dropped": {
            reason: sum(summary["dropped"].get(reason, 0) for summary in summaries) for reason in quality.DROPPED
        },
    }


def table(people: Mapping[str, Mapping[str, Any]], splits: Mapping[str, Mapping[str, int]]) -> rich.table.Table:
    """One row per person: frames read, retained, dropped for each reason that occurs, and retained in each split."""
    reasons = [reason for reason in quality.DROPPED if any(each["dropped"].get(reason) for each in people.values())]
    result = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("person", "frames", "kept", *reasons, *SPLITS):
        result.add_column(name, justify="left" if name == "person" else "right", no_wrap=name != "person")
    for name, summary in people.items():
        counts = [summary["frames"], summary["kept"], *(summary["dropped"].get(reason, 0) for reason in reasons)]
        result.add_row(
            name, *map(str, counts), *(str(splits[name][split]) if name in splits else "–" for split in SPLITS)
        )
    return result


def coverage(people: Mapping[str, Mapping[str, Any]]) -> rich.table.Table:
    """One row per person: coverage of the retained frames, each range from the 5th to the 95th percentile."""
    result = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("person", *_RANGES):
        result.add_column(name, justify="left" if name == "person" else "right", no_wrap=name != "person")
    for name, found in people.items():
        ranges = ((*found[key], form) for key, form in _RANGES.values())
        result.add_row(name, *(f"{low:{form}} … {high:{form}}" for low, high, form in ranges))
    return result
