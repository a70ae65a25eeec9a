"""The commands' common ground: flags from dataclasses; a user's mistake is one line and exit status 2, no traceback.

`sentence` is the boundary: it decides which exceptions are the user's to mend (a file, a setting, a package, a device,
a full memory), and says them in words. Every other exception is a fault of the program and keeps its traceback.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import importlib.metadata
import io
import itertools
import os
import pathlib
import re
import sys
import traceback
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

from lgan_jax import signals

_PACKAGE = pathlib.Path(__file__).resolve().parent
_CONSOLE_SCRIPT = "lgan-jax"
USER_ERROR = 2
INTERRUPTED = 130
Options = TypeVar("Options")
_KINDS = {"int": "a whole number", "float": "a number"}  # by the name of the type that argparse mentions


def run(main: Callable[[], int | None], program: str) -> int:
    """Calls `main` and returns the exit status.

    What `sentence` says of an exception is printed as `program: sentence`, with exit status 2. Any other exception is a
    fault of the program and is raised again. Letters that the console cannot show are replaced.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")
    try:
        with signals.ending():
            return main() or 0
    except KeyboardInterrupt as error:
        print(f"{program}: interrupted", file=sys.stderr)
        return getattr(error, "status", INTERRUPTED)
    except Exception as error:
        if (said := sentence(error)) is None:
            raise
        print(f"{program}: {' '.join(said.split())}", file=sys.stderr)
        return USER_ERROR


def explain(kind: type[BaseException], error: BaseException, trace: types.TracebackType | None) -> None:
    """A `sys.excepthook` for exceptions before `run` is called, while a command's module is imported."""
    if (said := sentence(error)) is None:
        sys.__excepthook__(kind, error, trace)
        return
    print(f"lgan_jax: {' '.join(said.split())}", file=sys.stderr)
    raise SystemExit(USER_ERROR)


def sentence(error: BaseException) -> str | None:
    """The sentence for a user about an error that is theirs to mend; None for a fault of the program.

    A user's are: an `OSError`; a `ValueError` or `FloatingPointError` that this package raised itself; a package that
    is missing, broken or too old; a device that JAX cannot use; no home folder; and too little memory.
    """
    for explain in (_of_file, _of_package, _of_device, _of_home, _of_memory, _of_our_own):
        if said := explain(error):
            return said
    return None


def _of_file(error: BaseException) -> str | None:
    if not isinstance(error, OSError):
        return None
    if error.strerror is None:
        return str(error) or type(error).__name__
    given = (name for name in (error.filename, error.filename2) if isinstance(name, str | bytes | os.PathLike))
    names = [os.fsdecode(name) for name in given]
    return ": ".join([" to ".join(names), error.strerror] if names else [error.strerror])


def _of_package(error: BaseException) -> str | None:
    """A package that cannot be imported; a message of this package about one stays as it is."""
    if isinstance(error, AttributeError) and isinstance(error.obj, types.ModuleType):
        if getattr(error.obj, "__file__", None) is None:  # what is left of a package that was removed in parts
            return f"the package {error.obj.__name__} is not whole: {_reinstall(error.obj.__name__)}"
        return None
    if not isinstance(error, ImportError):
        return None
    from_import = str(error).startswith(("No module named", "cannot import name"))
    if _raised_here(error) and not from_import:
        return str(error)
    name = (error.name or _last_module(error)).partition(".")[0]
    if name == __package__:
        return None
    return f"the package {name} cannot be imported ({error}): {_reinstall(name)}"


def _reinstall(module: str) -> str:
    """The command that installs the distribution which a top-level module belongs to."""
    distributions = importlib.metadata.packages_distributions().get(module, [module])
    return f"pip install --force-reinstall {' '.join(sorted(set(distributions)))}"


def _of_device(error: BaseException) -> str | None:
    """Of JAX's search for devices, which raises a bare `AssertionError` for CUDA that is not there."""
    if not isinstance(error, AssertionError | RuntimeError) or _last_module(error) != "jax._src.xla_bridge":
        return None
    why = str(error).partition(" (set JAX_PLATFORMS")[0] or "there is no such device, or JAX is installed without it"
    asked = os.environ.get("JAX_PLATFORMS")
    if not asked:
        return f"JAX can use no device: {why}"
    return f"JAX cannot use JAX_PLATFORMS={asked} ({why}); unset it, or set it to cpu; a GPU needs lgan_jax[gpu]"


def _of_home(error: BaseException) -> str | None:
    if isinstance(error, RuntimeError) and _last_module(error).partition(".")[0] == "pathlib":
        return "there is no home folder: set HOME, or name folders without ~"
    return None


def _of_memory(error: BaseException) -> str | None:
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "RESOURCE_EXHAUSTED" in str(error)):
        return "there is too little memory; close other programs, or choose a smaller size or batch_size"
    return None


def _of_our_own(error: BaseException) -> str | None:
    return str(error) if isinstance(error, ValueError | FloatingPointError) and _raised_here(error) else None


def _last_frame(error: BaseException) -> types.FrameType | None:
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return frames[-1] if frames else None


def _last_module(error: BaseException) -> str:
    """The name of the module in which `error` was raised."""
    frame = _last_frame(error)
    return frame.f_globals.get("__name__", "") if frame else ""


def _raised_here(error: BaseException) -> bool:
    """Whether `error` was raised in this package."""
    frame = _last_frame(error)
    return frame is not None and _PACKAGE in pathlib.Path(frame.f_code.co_filename).resolve().parents


OVERWRITE = (
    "replace a file that is there already; without it, that file is renamed to OUT-earlier"  # help of --overwrite
)


def keep_earlier(out: pathlib.Path, overwrite: bool) -> str | None:
    """Renames an earlier file at `out`, and returns the line that says so.

    None where there is none, or where it shall be overwritten.
    """
    if overwrite or not out.is_file():
        return None
    earlier = unused(out, "earlier")
    out.rename(earlier)
    return f"{out} was there already: it is now {earlier}"


def unused(out: pathlib.Path, word: str) -> pathlib.Path:
    """An unused name beside `out`, with a word added."""
    names = (out.with_name(f"{out.stem}-{word}{'' if i == 1 else i}{out.suffix}") for i in itertools.count(1))
    return next(name for name in names if not name.exists())


def option(help: str, *also: str, flag: str = "", default: Any = None, required: bool = False, **given: Any) -> Any:
    """Declares an argument of a command as a field of a dataclass; `Parser.add_options` adds it.

    (Ours: tyro and simple_parsing print mistakes as several lines, and pair --x with --no-x.)

    Args:
      help: the flag's, without the default.
      also: other names of the flag.
      flag: the name, where it is not the field's: `--data_dir`; without dashes, the argument is positional.
      default: the value without the flag. True makes a flag `--no-NAME`.
      required: whether the flag must be given.
      given: further arguments of `argparse.ArgumentParser.add_argument`, such as `metavar`.
    """
    default = dataclasses.MISSING if required else default
    return dataclasses.field(default=default, metadata={"help": help, "flag": flag, "also": also, **given})


def command(options: type, module: str, description: str, run: str) -> Callable[[Sequence[str] | None], int]:
    """The `main` of a command: reads `options` from the arguments, and calls the function `run` with them.

    `run` is "MODULE:FUNCTION" in the command's package `module`. It is imported when it is called: --help and mistakes
    need not wait for JAX. Its compiled programs are cached.
    """

    def main(arguments: Sequence[str] | None = None) -> int:
        given, (name, function) = read(options, module, description, arguments), run.split(":")
        from lgan_jax import compilation  # of JAX

        compilation.use_cache()
        return getattr(importlib.import_module(f"{module}.{name}"), function)(given)

    return main


def read(options: type[Options], module: str, description: str, arguments: Sequence[str] | None) -> Options:
    """A command's options, from its arguments. Raises `ValueError`, one line, for a mistake in them."""
    parser = Parser(module, description)
    parser.add_options(options)
    return options(**vars(parser.parse_args(arguments)))


class Parser(argparse.ArgumentParser):
    """Parses a command's arguments; a mistake in them is a one-line `ValueError`."""

    def __init__(self, module: str, description: str) -> None:
        """`module` can be started by `python -m`; its last part is the command's name. `description` is shown as is."""
        name = module.rpartition(".")[2]
        program, script = pathlib.Path(sys.argv[0]).name, f"{name}.py"
        by_module = program != _CONSOLE_SCRIPT and "." in module
        started = f"python {script}" if program == script else f"{_CONSOLE_SCRIPT} {name}"
        super().__init__(
            prog=f"python -m {module}" if by_module else started,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.register("type", pathlib.Path, _path)

    def add_options(self, options: type) -> None:
        """Adds an argument for each field of a dataclass that `option` declares; the type is the field's.

        A `Sequence` takes several values, or is given again with `action="append"`; a `Literal` names the choices. An
        argument that is not given is not in the namespace: the dataclass has the defaults.
        """
        kinds = typing.get_type_hints(options)
        for field in dataclasses.fields(options):
            if field.metadata:
                self._add(field, *_kind(kinds[field.name]))

    def _add(self, field: dataclasses.Field, kind: Any, several: bool) -> None:
        given, default = {**field.metadata}, field.default
        flag = given.pop("flag") or f"--{'no-' * (default is True)}{field.name.replace('_', '-')}"
        if kind is bool:
            given.setdefault("action", f"store_{'false' if default else 'true'}")
        elif typing.get_origin(kind):
            given["choices"] = typing.get_args(kind)
        else:
            given.setdefault("type", kind)
        if several and not {"action", "type"} & field.metadata.keys():
            given.setdefault("nargs", "+")
        if kind is not bool and default not in (dataclasses.MISSING, None, (), ""):
            given["help"] += f" (default: {default})"
        if flag.startswith("-"):
            given |= {"required": default is dataclasses.MISSING, "dest": field.name}
        self.add_argument(flag, *given.pop("also"), default=argparse.SUPPRESS, **given)

    @property
    def flags(self) -> list[str]:
        """The names of all flags."""
        return list(self._option_string_actions)

    def error(self, message: str) -> NoReturn:
        invalid = re.fullmatch(r"argument (\S+): invalid (\w+) value: (.*)", message)
        if invalid and invalid[2] in _KINDS:
            message = f"{invalid[1]} is {invalid[3]}; it must be {_KINDS[invalid[2]]}"
        raise ValueError(f"{message}; --help explains the arguments")


def _path(text: str) -> pathlib.Path:
    """The path of an argument; see `files.given`."""
    from lgan_jax.media import files  # --help need not wait for it

    return files.given(text)


def _kind(kind: Any) -> tuple[Any, bool]:
    """The type of one value of a field, None aside, and whether there are several: `Path`, True of `Sequence[Path]`."""
    inner = [each for each in typing.get_args(kind) if each is not types.NoneType]
    if not inner or typing.get_origin(kind) is typing.Literal:
        return kind, False
    one, several = _kind(inner[0])
    return one, several or typing.get_origin(kind) is Sequence
