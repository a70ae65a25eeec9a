"""Progress on the console: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from rich import progress
from rich.console import Console

_SHOWN = 6  # how many figures a line has room for


class Progress:
    """One phase's progress. `close` it at the end."""

    def __init__(self, phase: str, start: int, steps: int, console: Console):
        self._phase, self._steps, self._console = phase, steps, console
        self._bar = None
        if console.is_terminal:
            self._bar = progress.Progress(
                progress.TextColumn("[bold]{task.description}"),
                progress.BarColumn(),
                progress.TextColumn("{task.completed:,.0f}/{task.total:,.0f}  {task.fields[figures]}"),
                console=console,
            )
            self._task = self._bar.add_task(phase, total=steps, completed=start, figures="compiling …")
            self._bar.start()

    def advance(self, step: int) -> None:
        """Moves the bar."""
        if self._bar:
            self._bar.update(self._task, completed=step)

    def report(self, step: int, values: Mapping[str, float], pace: tuple[float, float] | None) -> None:
        """Shows images per second, seconds left (the `pace`) and the figures that come first."""
        shown = "  ".join(f"{name} {value:.4g}" for name, value in list(values.items())[:_SHOWN])
        speed = f"{_three_digits(pace[0])} images/s  {duration(pace[1])} left  " if pace else ""
        figures = speed + shown
        if self._bar:
            self._bar.update(self._task, completed=step, figures=figures)
        else:
            self.say(f"{self._phase} {step:,}/{self._steps:,}  {figures}")

    def say(self, line: str) -> None:
        """Prints a line, above the bar if there is one."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Leaves the bar as it stands."""
        if self._bar:
            self._bar.stop()


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


def _three_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
