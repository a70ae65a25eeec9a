"""Evaluates a trained run: prints a table, and writes report/metrics.json and report/index.html in its folder."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from lgan_jax import cli
from lgan_jax.cli import option

_DESCRIPTION = """\
Evaluates a trained run: a table on the terminal, report/metrics.json and report/index.html in its folder.

  lgan-jax evaluate --workdir runs/quick
  lgan-jax evaluate --workdir runs/ck_plus --compare runs/ck_plus-without_labels --augmentation --factors 0,1,5
  lgan-jax evaluate --workdir runs/began --augmentation --config celeba --config.evaluation.study.seeds=1
  python evaluate.py --workdir runs/quick                   the same, in a checkout

Each flag overrides the field of the same name in the run's `evaluation`; the fields depend on the method. --config
takes all of them from another config first: an older run may lack some."""


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def integers(text: str) -> tuple[int, ...]:
    """Parses comma-separated integers."""
    try:
        return tuple(map(int, text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of whole numbers, such as 0,1,5") from None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The command's flags."""

    workdir: Path = option("folder of the run", metavar="RUN", required=True)
    config: str | None = option("config whose `evaluation` replaces the run's own", metavar="NAME[:VARIANTS]")
    frames: int | None = option("test images (of each person; default: the config's number)", metavar="N")
    inception: str | None = option(
        "pytorch-fid's Inception weights, for FID (expression, began, projection)", metavar="FILE"
    )
    compare: Sequence[str] | None = option(
        "other runs of the same data, for Table 7 (expression)", metavar="RUN,…", type=_names
    )
    augmentation: bool | None = option(
        "also train networks on generated faces (slow): Table 4 (expression), landmark detectors (began)",
        action=argparse.BooleanOptionalAction,
    )
    factors: Sequence[int] | None = option(
        "of Table 4: generated faces for each real one, as 0,1,5", metavar="N,…", type=integers
    )
    seeds: int | None = option("of Table 4: trainings for each factor", metavar="N")
    data_dir: str | None = option("new folder of the run's data set, if it was moved", flag="--data_dir", metavar="DIR")


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluates, and returns the exit status."""
    parser = cli.Parser("evaluate", _DESCRIPTION)
    parser.add_options(Options)
    flags, fields = parser.parse_known_args(arguments)
    given = vars(flags)
    workdir, config, data_dir = given.pop("workdir"), given.pop("config", None), given.pop("data_dir", None)
    overrides = _evaluation(config, fields, parser.flags) | given
    from lgan_jax import compilation, experiment  # after the flags: --help need not wait for JAX

    compilation.use_cache()
    experiment.evaluate(workdir, overrides, data_dir)
    return 0


def _evaluation(config: str | None, fields: Sequence[str], known: Sequence[str]) -> dict:
    """The section `evaluation` of another config, with the overrides of the command line."""
    from ml_collections import ConfigDict

    from lgan_jax.commands import configs

    if config is None:
        if any(field.startswith("--config.") for field in fields):
            raise ValueError(f"{fields[0].partition('=')[0]} changes a field of --config: give --config too")
        configs.overridden(ConfigDict(), fields, known)  # raises for invalid flags
        return {}
    return configs.overridden(configs.load(config), fields, known).evaluation.to_dict()
