"""Training throughput in images per second, excluding compilation, evaluation, sample images and checkpoints."""

from __future__ import annotations

import time


class Pace:
    """A stopwatch for steps of `images` images each."""

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
