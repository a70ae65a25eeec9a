"""The command `strip_references`: its flags."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from lgan_jax import cli
from lgan_jax.cli import option

_DESCRIPTION = """\
Writes a copy of a run without the frames of its training identities, to share.

A LandmarkGAN run whose generator has the form "reference" keeps frames of each training identity in its checkpoints.
The copy has the networks and the mean face; it has no person's frames, names, landmarks or statistics, no report, logs
or sample images. It knows no person: reenact and edit need --reference, and lgan_jax.load(OUT) a call of with_person.
The networks were still trained on these people."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What is asked for."""

    workdir: Path = option("folder of a trained LandmarkGAN run", metavar="RUN", required=True)
    out: Path = option("folder to write; it must not exist yet", metavar="OUT", required=True)


main = cli.command(Options, __package__, _DESCRIPTION, "stripped_run:strip_references")
