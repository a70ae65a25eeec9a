"""All commands under one name: `lgan-jax train`, `lgan-jax reenact`, …

Each command is imported on use, so that the list and `--help` do not wait for JAX.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import NamedTuple

from lgan_jax import __version__, cli

_PROGRAM = "lgan-jax"


class Command(NamedTuple):
    """A command: a module with a function `main(arguments)` that returns an exit status, and its help text."""

    module: str
    what: str


COMMANDS = {
    "train": Command("lgan_jax.commands.train", "train a config, then evaluate the run"),
    "evaluate": Command("lgan_jax.commands.evaluate", "evaluate a trained run: tables, plots, a report"),
    "prepare": Command("lgan_jax.data.prepare.__main__", "build a data set from your own videos and photos"),
    "reenact": Command("lgan_jax.apps.reenact.command", "drive a trained person's face by a video or photos"),
    "edit": Command("lgan_jax.apps.edit.command", "edit landmarks or action units in the browser"),
    "express": Command("lgan_jax.apps.express.command", "edit the expression of the face in a photo"),
    "synthesize": Command("lgan_jax.apps.synthesize.command", "sample faces with landmarks as a data set"),
    "invert": Command("lgan_jax.apps.invert.command", "find the latent of the face in a photo"),
    "project": Command("lgan_jax.apps.project.command", "one photo's appearance with another's expression"),
    "strip_references": Command("lgan_jax.apps.strip_references.command", "copy a run without its training frames"),
    "interop": Command("lgan_jax.interop.__main__", "convert released weights to a run"),
    "synthetic": Command("lgan_jax.data.synthetic.__main__", "draw an image grid of the built-in faces"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command named by the first argument, and returns its exit status."""
    name, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if name in COMMANDS:
        return cli.run(lambda: importlib.import_module(COMMANDS[name].module).main(rest), name)
    return cli.run(lambda: _other(name), _PROGRAM)


def _other(name: str) -> int:
    """Prints help or the version. Raises `ValueError` for an unknown command."""
    if name in ("--help", "-h", "help"):
        lines = (f"  {each:16s} {command.what}" for each, command in COMMANDS.items())
        print("\n".join([f"usage: {_PROGRAM} COMMAND …\n", *lines, f"\n{_PROGRAM} COMMAND --help explains a command."]))
        return 0
    if name == "--version":
        print(f"lgan_jax {__version__}")
        return 0
    raise ValueError(f"there is no command {name!r}; there are {', '.join(COMMANDS)}")
