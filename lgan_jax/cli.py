"""What the command lines share: an error that a user can mend is one line and exit status 2, never a traceback."""

from __future__ import annotations

import argparse
import pathlib
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from absl import flags

from lgan_jax import signals

_PACKAGE = pathlib.Path(__file__).resolve().parent
USER_ERROR = 2
INTERRUPTED = 130
_QUOTES = "'\"\\"


def run(main: Callable[[], int | None], program: str) -> int:
    """Calls `main` and returns the exit status.

    An `OSError`, and a `ValueError`, `ImportError` or `FloatingPointError` that this package raised itself, are the
    user's to mend: they are printed as `program: message`. Any other exception is a fault of the program and keeps its
    traceback.
    """
    try:
        with signals.ending():
            return main() or 0
    except KeyboardInterrupt as error:
        print(f"{program}: interrupted", file=sys.stderr)
        return getattr(error, "status", INTERRUPTED)
    except (OSError, ValueError, ImportError, FloatingPointError) as error:
        if not isinstance(error, OSError) and not _raised_here(error):
            raise
        print(f"{program}: {' '.join(str(error).split())}", file=sys.stderr)
        return USER_ERROR


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
        self.register("type", pathlib.Path, _path)

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; --help explains the arguments")


def _path(text: str) -> pathlib.Path:
    """What `type=Path` makes of an argument: see `files.given`."""
    from lgan_jax.media import files  # --help need not wait for it

    return files.given(text)


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
    if 0 < len(given) < len(names):
        raise ValueError(f"--{given[0]} alone does nothing: give {', '.join(f'--{name}' for name in names)} together")


def _last_words(error: Exception) -> str:
    """What an exception of the flag parser says, without the traceback and the quotes that it may hold."""
    text = str(error.args[0]) if error.args else str(error)
    if isinstance(error, KeyError | AttributeError):
        name, *hint = text.replace("\\n", "\n").split("\n")
        text = ". ".join([f"the config has no field {name.strip(_QUOTES)!r}", *(line.rstrip("'") for line in hint)])
    if "Traceback" in text:
        text = text.strip().splitlines()[-1]
    return text.replace("\n", ". ")
