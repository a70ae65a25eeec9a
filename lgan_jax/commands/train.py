"""Trains a config on the devices of this machine."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from lgan_jax import cli
from lgan_jax.cli import option

_DESCRIPTION = """\
Trains a config on the devices of this machine, then evaluates the run.

  lgan-jax train --config celebv --workdir runs/celebv
  lgan-jax train --config celebv:quick --config.loop.seed=1
  lgan-jax train --config celebv:quick --print_config       print all settings: one FIELD=VALUE a line
  python train.py --config configs/celebv.py:quick          the same, in a checkout

The same command resumes an interrupted run."""
_TOGETHER = ("coordinator", "processes", "process")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The command's flags."""

    config: str | None = option("required: a config's name or file; commas between variants", metavar="NAME[:VARIANTS]")
    workdir: Path | None = option("folder of the run (default: runs/, then the config's name)", metavar="RUN")
    print_config: bool = option(
        "print all settings, one FIELD=VALUE a line, and exit", flag="--print_config", default=False
    )
    coordinator: str | None = option("address of process 0 in a multi-process training", metavar="HOST:PORT")
    processes: int | None = option("number of processes", metavar="N")
    process: int | None = option("index of this process, from 0", metavar="I")


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains, and returns the exit status."""
    from lgan_jax.commands import configs

    parser = cli.Parser("train", _DESCRIPTION)
    parser.epilog = (
        f"The configs that come with lgan_jax: {', '.join(configs.names())}. The head of each file (in "
        f"{configs.folder()}) lists its variants. Any field of a config is set by --config.FIELD=VALUE, such as "
        "--config.data.dir=FOLDER for your own data. Exit status: 0; 1 for a non-finite loss; 2 for invalid "
        "input; 130 after Ctrl-C and 143 after SIGTERM, with the state saved."
    )
    parser.add_options(Options)
    flags, fields = parser.parse_known_args(arguments)
    given = Options(**vars(flags))
    together = [name for name in _TOGETHER if getattr(given, name) is not None]
    if together and len(together) < len(_TOGETHER):
        raise ValueError(f"--{together[0]} alone does nothing: give --coordinator, --processes and --process together")
    configs.refuse_others(fields, parser.flags)  # first: a flag that is missing may be one that is misspelt
    if given.config is None:
        parser.error("the following arguments are required: --config")
    config = configs.overridden(configs.load(given.config), fields, parser.flags)
    from flax.traverse_util import flatten_dict

    from lgan_jax import experiment  # after the flags: --help need not wait for JAX
    from lgan_jax.training import parallel

    if given.print_config:
        for field, value in flatten_dict(experiment.described(config.to_dict()), sep=".").items():
            print(f"{field}={value}")
        return 0
    workdir = given.workdir or Path("runs") / configs.run_name(given.config)
    with contextlib.ExitStack() as stack:
        if together:
            stack.enter_context(parallel.joined(given.coordinator, given.processes, given.process))
        return experiment.train(config.to_dict(), workdir)
