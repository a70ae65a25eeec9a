"""Commands that end in order when they are ended from outside: nothing unfinished is left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import threading
from collections.abc import Iterator


class Ended(KeyboardInterrupt):
    """SIGTERM, or the end of the terminal: as Ctrl-C, with an exit `status` of its own."""

    def __init__(self, number: int):
        super().__init__()
        self.status = 128 + number


@contextlib.contextmanager
def ending() -> Iterator[None]:
    """Makes SIGTERM and SIGHUP raise `Ended` while entered, where they would end the process at once."""

    def end(number: int, _) -> None:
        if number == signal.SIGHUP:
            leave_terminal()
        raise Ended(number)

    numbers = (signal.SIGTERM, signal.SIGHUP) if threading.current_thread() is threading.main_thread() else ()
    caught = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]
    for number in caught:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in caught:
            signal.signal(number, signal.SIG_DFL)


def leave_terminal() -> None:
    """Lets what is still printed go nowhere, except to a file: to write to a closed terminal or pipe is an error."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (1, 2):
        with contextlib.suppress(OSError):  # it is closed already
            if not stat.S_ISREG(os.fstat(number).st_mode):
                os.dup2(nowhere, number)
    os.close(nowhere)
