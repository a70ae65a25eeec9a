"""Progress of a phase on the console, a bar on a terminal, plain lines elsewhere; and the pace of its steps."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich.console import Console

from lgan_jax import progress

_SHOWN = 6  # metrics on a line


class Pace:
    """A stopwatch for steps of `images` images each, without compilation, evaluation, sample images and checkpoints."""

    def __init__(self, images: int):
        self._images = images
        self._steps = self._lap_steps = 0
        self._seconds = self._lap_seconds = 0.0
        self._running_since: float | None = None

    def count(self) -> None:
        """Counts one more step."""
        self._lap_steps += 1

    def resume(self) -> None:
        """Starts the clock; no effect if it is running."""
        if self._running_since is None:
            self._running_since = time.perf_counter()

    def pause(self) -> None:
        """Stops the clock, after all counted steps are finished."""
        if self._running_since is not None:
            self._lap_seconds += time.perf_counter() - self._running_since
            self._running_since = None

    def lap(self, steps_left: int) -> tuple[float, float] | None:
        """Images per second since the previous lap, and the estimated seconds for `steps_left` at the mean pace.

        None where no step was counted since.
        """
        if not self._lap_steps:
            return None
        images_per_second = self._lap_steps * self._images / self._lap_seconds
        self._steps += self._lap_steps
        self._seconds += self._lap_seconds
        self._lap_steps, self._lap_seconds = 0, 0.0
        return images_per_second, steps_left * self._seconds / self._steps


class Progress:
    """One phase's progress. `close` it at the end."""

    def __init__(self, phase: str, start: int, steps: int, console: Console):
        self._phase, self._steps, self._console = phase, steps, console
        self._step, self._doing, self._metrics = start, "", ""
        self._seconds: float | None = None  # per step
        self.bar = None
        if console.is_terminal:
            self.bar = progress.bar(console)
            self._task = self.bar.add_task(phase, total=steps, completed=start, text="")
            self.bar.start()

    def advance(self, step: int) -> None:
        """Advances the bar and the remaining time."""
        self._step = step
        self._show()

    def doing(self, what: str) -> None:
        """Shows the activity between steps, such as "compiling"; empty for none."""
        if what != self._doing:
            self._doing = what
            self._show()

    def report(self, step: int, values: Mapping[str, float], pace: tuple[float, float] | None) -> None:
        """Shows images per second, seconds left (the `pace`) and the first metrics."""
        shown = [f"{name} {value:.4g}" for name, value in list(values.items())[:_SHOWN]]
        speed = f"{_three_digits(pace[0])} images/s" if pace else ""
        if pace and step < self._steps:
            self._seconds = pace[1] / (self._steps - step)
        self._step, self._metrics = step, "  ".join(filter(None, [*shown[:2], speed, *shown[2:]]))
        if self.bar:
            self._show()
        else:
            left = f"{progress.duration(pace[1])} left" if pace else ""
            self.say("  ".join(filter(None, [f"{self._phase} {step:,}/{self._steps:,}", speed, left, *shown])))

    def say(self, line: str) -> None:
        """Prints a line, above the bar if there is one."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Stops the bar."""
        if self.bar:
            self.bar.stop()

    def _show(self) -> None:
        if not self.bar:
            return
        left = f"{progress.duration((self._steps - self._step) * self._seconds)} left" if self._seconds else ""
        now = f"{self._doing} …" if self._doing else left
        parts = [f"{self._step:,}/{self._steps:,}", now, *self._metrics.split("  ")]
        text = progress.fit(parts, progress.room(self._console, self._phase), between="  ")
        self.bar.update(self._task, completed=self._step, text=text)


def _three_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
