"""What the command prints while it works and when it is done."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

import rich.box
import rich.console
import rich.progress
import rich.table

from lgan_jax.data.prepare import quality
from lgan_jax.data.split import SPLITS

_EVERY = 10.0  # seconds between two lines where the output is no terminal
_RANGES = {  # heading → field of `data.coverage.Coverage` and format
    "yaw, °": ("yaw", ".0f"),
    "pitch, °": ("pitch", ".0f"),
    "mouth, inter-ocular": ("mouth", ".2f"),
    "lids, inter-ocular": ("lids", ".2f"),
}


class Progress:
    """A bar with frames/s and the time left; a line now and then where standard error is no terminal."""

    def __init__(self, total: int):
        """`total` is the number of frames, as far as the files tell; 0 where they do not."""
        self._total, self._done, self._start = total, 0.0, time.monotonic()
        self._skipped, self._said, self._name = 0.0, self._start, ""
        self._bar: rich.progress.Progress | None = None
        if sys.stderr.isatty():
            self._bar = rich.progress.Progress(
                rich.progress.TextColumn("{task.description}"),
                rich.progress.BarColumn(),
                rich.progress.TextColumn("{task.fields[speed]}"),
                console=rich.console.Console(stderr=True),
            )
            self._task = self._bar.add_task("", total=total or None, speed="")

    def __enter__(self) -> Progress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_) -> None:
        if self._bar:
            self._bar.stop()

    def name(self, name: str) -> None:
        """Says what is being worked on."""
        self._name = name
        self._show(self._bar is None)

    def advance(self, frames: float) -> None:
        """Counts so many frames' worth of work, done just now."""
        self._done += frames
        self._show(self._bar is None and time.monotonic() - self._said > _EVERY)

    def skip(self, frames: float) -> None:
        """Counts frames' worth of work that an earlier run has done or that is not needed, which is no speed."""
        self._skipped += frames
        self._done += frames

    def _show(self, line: bool) -> None:
        speed = (self._done - self._skipped) / max(time.monotonic() - self._start, 1e-9)
        text = f"{self._done:.0f}/{self._total or '?'} frames"
        if self._done > self._skipped:
            text += f" · {speed:.1f} frames/s"
        if self._done > self._skipped and self._total:
            left = max(self._total - self._done, 0.0) / speed
            text += f" · {int(left) // 60}:{int(left) % 60:02d} left"
        if self._bar:
            self._bar.update(self._task, description=self._name, completed=self._done, speed=text)
        elif line:
            self._said = time.monotonic()
            print(f"{self._name}: {text}", file=sys.stderr, flush=True)


def table(people: Mapping[str, Mapping[str, Any]], splits: Mapping[str, Mapping[str, int]]) -> rich.table.Table:
    """One row a person: frames seen, kept, dropped for each reason, and of the kept ones those in each split."""
    result = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("person", "frames", "kept", *quality.DROPPED, *SPLITS):
        result.add_column(name, justify="left" if name == "person" else "right", no_wrap=name != "person")
    for name, summary in people.items():
        counts = [summary["frames"], summary["kept"], *(summary["dropped"][reason] for reason in quality.DROPPED)]
        result.add_row(
            name, *map(str, counts), *(str(splits[name][split]) if name in splits else "–" for split in SPLITS)
        )
    return result


def coverage(people: Mapping[str, Mapping[str, Any]]) -> rich.table.Table:
    """One row a person: what the kept frames show, each range from the 5th to the 95th percentile."""
    result = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("person", *_RANGES):
        result.add_column(name, justify="left" if name == "person" else "right", no_wrap=name != "person")
    for name, found in people.items():
        ranges = ((*found[key], form) for key, form in _RANGES.values())
        result.add_row(name, *(f"{low:{form}} … {high:{form}}" for low, high, form in ranges))
    return result
