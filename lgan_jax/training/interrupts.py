"""Stopping when asked to: SIGTERM and Ctrl-C end a run after the step that it is in, with everything saved."""

from __future__ import annotations

import signal
import threading

import jax
from jax.experimental import multihost_utils


class Stopped(Exception):
    """The run was asked to stop and has saved its state; the same command continues it.

    `status` is the exit status that shells and schedulers expect: 128 + the signal's number, so that a script
    does not take the run for a finished one.
    """

    def __init__(self, message: str, signal_number: int):
        super().__init__(message)
        self.status = 128 + signal_number


class Interrupts:
    """While entered, SIGTERM and the first SIGINT are remembered; a second SIGINT interrupts at once.

    With several processes JAX itself listens for SIGTERM and brings all of them to stop after the same step.
    """

    def __init__(self):
        self.signal_number: int | None = None
        self._previous = {}

    def __enter__(self) -> Interrupts:
        if jax.process_count() == 1 and threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._previous[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def requested(self, step: int) -> bool:
        """Whether to stop after this step; all processes call it at every step, with steps that only grow."""
        if jax.process_count() > 1 and multihost_utils.reached_preemption_sync_point(step):
            self.signal_number = signal.SIGTERM
        return self.signal_number is not None

    def _remember(self, number: int, _) -> None:
        self.signal_number = number
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, self._previous[signal.SIGINT])
