"""Profiles a range of steps of each phase with `jax.profiler`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jax


class Profile:
    """Records a range of a phase's steps, as far as the phase has them."""

    def __init__(self, folder: Path, steps: tuple[int, ...], wait: Callable[[], None]) -> None:
        """`steps` are the first and the last step, or empty; `wait` returns when all steps are computed."""
        self._folder, self._steps, self._wait, self.recording = folder, steps, wait, False

    def __enter__(self) -> Profile:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends a running recording when the phase ends or is stopped."""
        self._stop()

    def before(self, step: int) -> None:
        """Call before each step: starts the recording when due."""
        if self._steps and self._steps[0] <= step <= self._steps[1] and not self.recording:
            jax.profiler.start_trace(str(self._folder))
            self.recording = True

    def after(self, step: int) -> None:
        """Call after each step: ends the recording after the last step."""
        if self._steps and step >= self._steps[1]:
            self._stop()

    def _stop(self) -> None:
        if self.recording:
            self.recording = False
            self._wait()
            jax.profiler.stop_trace()
