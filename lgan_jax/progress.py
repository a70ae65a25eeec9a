"""Progress of work that takes long: a bar on a terminal, a line now and then elsewhere, both with the time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import rich.console
import rich.progress

_EVERY = 10.0  # seconds between two lines where the output is no terminal
_BAR = 12  # columns
_NAME = 20  # columns at most


def bar(console: rich.console.Console) -> rich.progress.Progress:
    """A bar that fits into the console's width; `show` updates it. Nothing of it is left at the end."""
    return rich.progress.Progress(
        rich.progress.TextColumn("{task.description}", markup=False),
        rich.progress.BarColumn(_BAR),
        rich.progress.TextColumn("{task.fields[text]}", markup=False),
        console=console,
        transient=True,
    )


def room(console: rich.console.Console, name: str) -> int:
    """Columns that a bar of this name leaves for its text."""
    return console.width - min(len(name), _NAME) - _BAR - 2


def shortened(name: str) -> str:
    """A name as a bar shows it."""
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"


def fit(parts: Sequence[str], width: int, between: str = " · ") -> str:
    """As many of the parts, from the first on, as fit into `width` columns; the empty ones are left out."""
    text = ""
    for part in filter(None, parts):
        longer = f"{text}{between}{part}" if text else part
        if len(longer) > width:
            break
        text = longer
    return text


def duration(seconds: float) -> str:
    """Seconds as a person says them: `48 s`, `12 min`, `3 h 05 min`, `2 d 7 h`."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


class Progress:
    """Of work that is counted, in `unit`s. Use as a context manager; all is said on standard error.

    Attributes:
      total: how much there is to do, as far as is known; 0 where it is not. May change while the work goes on.
    """

    def __init__(self, total: int = 0, unit: str = "frames", name: str = ""):
        self.total, self._unit, self._name = total, unit, name
        self._done = self._skipped = 0.0
        self._start = self._said = time.monotonic()
        self._console = rich.console.Console(stderr=True)
        self.bar = bar(self._console) if sys.stderr.isatty() else None
        if self.bar:
            self._task = self.bar.add_task(shortened(name), total=None, text="")

    def __enter__(self) -> Progress:
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, *_) -> None:
        if self.bar:
            self.bar.stop()

    def name(self, name: str) -> None:
        """Says what is being worked on."""
        self._name = name
        self._show(self.bar is None)

    def advance(self, count: int | float) -> None:
        """Counts so much work, done just now."""
        self._done += count
        self._show(self.bar is None and time.monotonic() - self._said > _EVERY)

    def skip(self, count: int | float) -> None:
        """Counts work that an earlier run has done or that is not needed, which is no speed."""
        self._skipped += count
        self._done += count

    def text(self, width: int) -> str:
        """How much is done, how fast, and the time left, in at most `width` columns."""
        worked, left = self._done - self._skipped, max(self.total - self._done, 0.0)
        speed = worked / max(time.monotonic() - self._start, 1e-9)
        counted = f"{self._done:,.0f}/{self.total:,.0f}" if self.total else f"{self._done:,.0f}"
        known = worked > 0 and speed > 0
        return fit(
            [
                f"{counted} {self._unit}",
                f"{duration(left / speed)} left" if known and self.total else "",
                f"{speed:,.1f} {self._unit}/s" if known else "",
            ],
            width,
        )

    def _show(self, line: bool) -> None:
        if self.bar:
            text = self.text(room(self._console, self._name))
            self.bar.update(
                self._task, description=shortened(self._name), completed=self._done, total=self.total or None, text=text
            )
        elif line:
            self._said = time.monotonic()
            print(f"{self._name}: {self.text(sys.maxsize)}", file=sys.stderr, flush=True)
