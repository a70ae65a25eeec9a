"""Config files: found by name or path, executed, and changed by `--config.FIELD=VALUE`."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import re
import sys
import traceback
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from lgan_jax import cli

_PACKAGE = Path(__file__).resolve().parents[1]
_SIBLINGS = "configs"  # the package by which one config imports another
_QUOTES = "'\"\\"
_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    ConfigDict: "a section: set its fields, one by one",
}

# Former names of fields, as regular expressions, and what replaced them (a table is in CHANGELOG.md).
_RENAMED = {
    r"held_out": "eval_images",
    r"loop\.pictures_every": "loop.images_every",
    r"stylegan2\.base": "stylegan2.channel_base",
    r"stylegan2\.most": "stylegan2.channel_max",
    r"stylegan2\.average": "stylegan2.ema_nimg",
    r"(\w+)\.average": r"\1.ema_decay",
    r"(\w+)\.(adversarial|perturbation)_after": r"\1.\2_start",
}


def folder() -> Path:
    """The folder of the library's configs: in the package of an installed wheel, beside it in a checkout."""
    installed = _PACKAGE / "configs"
    return installed if installed.is_dir() else _PACKAGE.parent / "configs"


def names() -> list[str]:
    """The configs that come with the library."""
    return sorted(path.stem for path in folder().glob("*.py"))


def find(argument: str) -> tuple[Path, str]:
    """The file and the variants that `NAME[:VARIANTS]` or `FILE[:VARIANTS]` means.

    Raises `FileNotFoundError`, one line, where there is no such file and no config of that name.
    """
    for name, variants in ((argument, ""), argument.rpartition(":")[::2]):
        path = Path(name).expanduser()
        if path.is_file():
            return path, variants
        if (known := name.removesuffix(".py")) in names():
            return folder() / f"{known}.py", variants
    known = Path(argument.rpartition(":")[0] or argument).stem
    hint = f"--config {known} names the one that comes with lgan_jax" if known in names() else ""
    raise FileNotFoundError(
        f"--config {argument}: there is no such file{'; ' + hint if hint else ', and no config of that name'}; "
        f"the names are {', '.join(names())}"
    )


def run_name(argument: str) -> str:
    """The name of a run of this config: `celebv-quick` for `configs/celebv.py:quick`."""
    path, variants = find(argument)
    return "-".join(filter(None, [path.stem, variants]))


def load(argument: str) -> ConfigDict:
    """The config that `find` finds, with its variants.

    Raises `FileNotFoundError` where there is none, and `ValueError`, one line with the place in the file, for a file
    that is not a config or fails.
    """
    path, variants = find(argument)
    module = types.ModuleType("config")
    module.__file__ = str(path)
    try:
        with _importable(path.resolve().parent):
            exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
            get_config = getattr(module, "get_config", None)
            if not callable(get_config):
                raise ValueError(f"--config {path} is not a config: it has no function get_config()")
            config = get_config(*([variants] if variants else []))
    except Exception as error:
        if cli.sentence(error) is not None:
            raise
        raise ValueError(_fault(error, path)) from error
    if not isinstance(config, ConfigDict):
        raise ValueError(f"--config {path}: get_config() must return a ConfigDict, not {type(config).__name__}")
    return config


@contextlib.contextmanager
def _importable(siblings: Path) -> Iterator[None]:
    """A context manager that makes sibling and library configs importable as `configs`."""
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == _SIBLINGS}
    package = types.ModuleType(_SIBLINGS)
    package.__path__ = [str(siblings), str(folder())]
    sys.modules[_SIBLINGS] = package
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == _SIBLINGS]:
            del sys.modules[name]
        sys.modules.update(before)


def _fault(error: BaseException, path: Path) -> str:
    """The fault of a config file, with its line."""
    if isinstance(error, SyntaxError):
        return f"--config {path} is not a config: line {error.lineno} is not Python ({error.msg})"
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)]
    place = f", line {lines[-1]}" if lines else ""
    return f"--config {path} cannot be used{place}: {type(error).__name__}: {error}"


def overridden(config: ConfigDict, arguments: Sequence[str], known: Sequence[str]) -> ConfigDict:
    """The config with the overrides `--config.FIELD=VALUE` of a command's remaining arguments.

    `known` are the command's own flags. Raises `ValueError`, one line, for an unknown field, or a
    value of another type.

    A `name` that changes the kind of a section, such as an optimizer, first resets the section to the kind's defaults,
    independent of the order of arguments.
    """
    refuse_others(arguments, known)
    arguments = [_renamed(argument) for argument in arguments]
    values = flags.FlagValues()
    argv = ["", *arguments]
    try:
        _switch_kinds(config, arguments)
        config_flags.DEFINE_config_dict("config", config, flag_values=values, sys_argv=argv)
        leftover = values(argv)[1:]
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(_words(error, config)) from error
    if leftover:
        raise ValueError(f"{leftover[0]!r} is not a flag; flags begin with --")
    return values["config"].value


def _renamed(argument: str) -> str:
    """The argument with the field's present name; a line on stderr says where a former one was given."""
    given = re.match(r"(--?config\.)([^=]+)", argument)
    for former, present in _RENAMED.items() if given else ():
        if found := re.fullmatch(former, given[2]):
            name = found.expand(present)
            print(f"NOTE: --config.{given[2]} is now --config.{name}", file=sys.stderr)
            return f"{given[1]}{name}{argument[given.end() :]}"
    return argument


def _switch_kinds(config: ConfigDict, arguments: Sequence[str]) -> None:
    """Resets sections whose `name` the arguments change to the defaults of that kind."""
    from lgan_jax import experiment  # imported late: --help need not wait for it

    named = {}
    for argument, following in zip(arguments, [*arguments[1:], ""]):
        if match := re.fullmatch(r"--?config\.([^=]+)\.name(?:=(.*))?", argument):
            named[match[1]] = match[2] or following
    for place in sorted(named, key=lambda place: place.count(".")):  # an optimizer before its schedule
        section = _field(config, place)
        kinds = experiment.kinds_at(config.to_dict(), place) if isinstance(section, ConfigDict) else {}
        if named[place] in kinds and section.name != named[place]:
            within, _, last = place.rpartition(".")
            _field(config, within)[last] = dataclasses.asdict(kinds[named[place]]())


def refuse_others(arguments: Sequence[str], known: Sequence[str]) -> None:
    """Raises `ValueError`, one line, for a flag that is neither `known` nor one of a config's fields."""
    for argument in arguments:
        if re.match(r"--?[A-Za-z]", argument) and not re.match(r"--(no)?config\.", argument):
            name = argument.partition("=")[0]
            close = difflib.get_close_matches(f"--{name.lstrip('-')}", known, n=1)
            hint = f"did you mean {close[0]}?" if close else "--help lists the flags"
            raise ValueError(f"{name} is not a flag of this command; {hint}")


def _words(error: Exception, config: ConfigDict) -> str:
    """The message of a flag parser's exception, without traceback and quotes."""
    text = str(error.args[0]) if error.args else str(error)
    if isinstance(error, KeyError | AttributeError):
        name, *hint = text.replace("\\n", "\n").split("\n")
        text = ". ".join([f"the config has no field {name.strip(_QUOTES)!r}", *(line.rstrip("'") for line in hint)])
    elif typed := re.match(r"flag --config\.([^=]+)=(.*?): ", text, re.DOTALL):
        kind = _KINDS.get(type(_field(config, typed[1])))
        if kind:
            return f"--config.{typed[1]} is {typed[2]!r}; it must be {kind}"
    return text.replace("\n", ". ")


def _field(config: Any, path: str) -> Any:
    for part in path.split("."):
        config = config.get(part) if isinstance(config, ConfigDict) else None
    return config
