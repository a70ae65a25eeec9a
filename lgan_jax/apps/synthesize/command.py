"""The command `synthesize`: its flags."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from lgan_jax import cli
from lgan_jax.cli import option

_DESCRIPTION = """\
Samples faces with landmark annotations from a trained run of BEGAN and its landmark generator (configs/celeba.py).

DIR gets images/NNNNN/NNNNNNN.png with a .pts file beside each (iBUG's format), landmarks.csv with all landmarks in one
table, and in tfds a TFDS data set of array_record files. Landmark detectors train on it:

  python train.py --config configs/wflw.py --config.data.dir=DIR

Face number n of a seed is always the same. An interrupted command continues when it is given again, and a larger
--count adds faces. Exact duplicates of an image are dropped.

Every file written carries IPTC's DigitalSourceType trainedAlgorithmicMedia, this library's version and the run's name.
Exit status: 0; 2 where something is wrong with the input."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What is asked for. Raises `ValueError`, one line, for numbers that are out of range."""

    workdir: Path = option("folder of a trained run", metavar="RUN", required=True)
    count: int = option("number of faces", metavar="N", required=True)
    out: Path = option("folder to write into", metavar="DIR", required=True)
    near_training: bool = option(
        "z near those of training images instead of uniform z: fewer artifacts, but the faces resemble people seen in "
        "training",
        default=False,
    )
    seed: int = option("each seed gives other faces", metavar="S", default=0)

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"--count is {self.count}; it must be at least 1")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"--seed is {self.seed}; it must be at least 0 and less than {2**32}")


main = cli.command(Options, __package__, _DESCRIPTION, "dataset:synthesize")
