"""Graceful stop: SIGTERM, Ctrl-C and SIGHUP end a run after the current step, with a checkpoint."""

from __future__ import annotations

import signal
import threading

import jax
from jax.experimental import multihost_utils

from lgan_jax import signals


class Stopped(Exception):
    """Raised when a signal stopped the run after saving its state; the same command resumes it.

    `status` is the exit status that shells and schedulers expect: 128 + the signal's number, so that a script
    does not mistake the run for a finished run.
    """

    def __init__(self, message: str, signal_number: int):
        super().__init__(message)
        self.status = 128 + signal_number


class Interrupts:
    """A context manager that records SIGTERM, SIGHUP and the first SIGINT; a second SIGINT interrupts at once.

    Ignored signals, as SIGHUP under nohup, stay ignored. With several processes JAX itself handles SIGTERM
    and stops all processes after the same step; the other signals are forwarded to it.
    """

    def __init__(self):
        self.signal_number: int | None = None
        self._passed_on: int | None = None
        self._previous = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            of_jax = {signal.SIGTERM} if jax.process_count() > 1 else set()
            for number in {signal.SIGTERM, signal.SIGINT, signal.SIGHUP} - of_jax:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def requested(self, step: int) -> bool:
        """Whether to stop after this step; all processes call it at every step, with steps that only grow."""
        if jax.process_count() > 1:
            reached = multihost_utils.reached_preemption_sync_point(step)
            if reached:
                self.signal_number = self._passed_on or signal.SIGTERM
            return reached
        return self.signal_number is not None

    def _remember(self, number: int, _) -> None:
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, self._previous[signal.SIGINT])
        if number == signal.SIGHUP:
            signals.leave_terminal()
        if jax.process_count() == 1:
            self.signal_number = number
        else:
            self._passed_on = number
            signal.raise_signal(signal.SIGTERM)
