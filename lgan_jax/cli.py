"""What the command lines share: an error that a user can mend is one line and exit status 2, never a traceback."""

from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import signal
import stat
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from absl import flags

_PACKAGE = pathlib.Path(__file__).resolve().parent
USER_ERROR = 2
INTERRUPTED = 130
_QUOTES = "'\"\\"


class Ended(KeyboardInterrupt):
    """SIGTERM, or the end of the terminal: as Ctrl-C, so that nothing unfinished is left behind."""

    def __init__(self, number: int):
        super().__init__()
        self.status = 128 + number


def run(main: Callable[[], int | None], program: str) -> int:
    """Calls `main` and returns the exit status.

    An `OSError`, and a `ValueError`, `ImportError` or `FloatingPointError` that this package raised itself, are the
    user's to mend: they are printed as `program: message`. Any other exception is a fault of the program and keeps its
    traceback.
    """
    try:
        with _ended_by_signals():
            return main() or 0
    except KeyboardInterrupt as error:
        print(f"{program}: interrupted", file=sys.stderr)
        return getattr(error, "status", INTERRUPTED)
    except (OSError, ValueError, ImportError, FloatingPointError) as error:
        if not isinstance(error, OSError) and not _raised_here(error):
            raise
        print(f"{program}: {' '.join(str(error).split())}", file=sys.stderr)
        return USER_ERROR


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Makes SIGTERM and SIGHUP raise `Ended`, where they would end the process at once."""

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


def _raised_here(error: BaseException) -> bool:
    """Whether the `raise` that made `error` stands in this package."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return _PACKAGE in pathlib.Path(frames[-1].f_code.co_filename).resolve().parents


class Parser(argparse.ArgumentParser):
    """Of the commands that are modules of this package; what is wrong with the arguments is a one-line `ValueError`."""

    def __init__(self, module: str, description: str) -> None:
        """`description` is shown as it is."""
        super().__init__(
            prog=f"python -m {module}",
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; --help explains the arguments")


class _Integers(flags.ArgumentParser):
    """Of a flag's value: whole numbers with commas between them."""

    syntactic_help = "whole numbers with commas between them"

    def parse(self, argument: str | Sequence[int]) -> tuple[int, ...]:
        """Raises `ValueError` for what is none."""
        return tuple(map(int, argument.split(",") if isinstance(argument, str) else argument))


def define_integers(name: str, help_string: str) -> flags.FlagHolder:
    """A flag of a script of ours for a tuple of whole numbers, such as `--name 0,1,5`; None where it is not given."""
    return flags.DEFINE(_Integers(), name, None, help_string)


def parse_flags(argv: Sequence[str], required: Sequence[str]) -> None:
    """Parses the command line of a script of ours into `absl.flags.FLAGS`.

    Raises `ValueError`, one line, for an unknown flag or config field, a value of the wrong type, a config file that
    cannot be read, a leftover argument, or a flag of `required` that is not given. `--help` prints the help and exits.
    """
    try:
        leftover = flags.FLAGS(list(argv))[1:]
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError, OSError, ImportError) as error:
        raise ValueError(_last_words(error)) from error
    if leftover:
        raise ValueError(f"{leftover[0]!r} is not a flag; flags begin with --")
    for name in required:
        if flags.FLAGS[name].value is None:
            raise ValueError(f"--{name} is not given; --help lists the flags")


def require_together(*names: str) -> None:
    """Raises `ValueError` where some of the flags are given and others are not."""
    given = [name for name in names if flags.FLAGS[name].value is not None]
    missing = [name for name in names if name not in given]
    if given and missing:
        raise ValueError(f"--{missing[0]} is not given, and --{given[0]} needs it; --help lists the flags")


def _last_words(error: Exception) -> str:
    """What an exception of the flag parser says, without the traceback and the quotes that it may hold."""
    text = str(error.args[0]) if error.args else str(error)
    if isinstance(error, KeyError | AttributeError):
        name, *hint = text.replace("\\n", "\n").split("\n")
        text = ". ".join([f"the config has no field {name.strip(_QUOTES)!r}", *(line.rstrip("'") for line in hint)])
    if "Traceback" in text:
        text = text.strip().splitlines()[-1]
    return text.replace("\n", ". ")
