"""`python -m lgan_jax.apps.synthesize`; `--help` says the rest."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from lgan_jax import cli

_PROGRAM = "synthesize"
_DESCRIPTION = """\
Makes faces that come with their landmarks, by a trained run of BEGAN and its landmark generator (configs/celeba.py).

DIR gets images/NNNNN/NNNNNNN.png with a .pts file beside each (iBUG's format), landmarks.csv with all of them in one
table, and in tfds a TFDS data set of array_record files. Detectors learn from it:

  python train.py --config configs/wflw.py --config.data.dir=DIR

Face number n of a seed is always the same one. A job that was stopped goes on when the same command is given again, and
a larger --count adds faces to those that are there. Of faces that are equal to the last bit the first alone is kept.

Everything written carries IPTC's DigitalSourceType trainedAlgorithmicMedia, this library's version and the run's name.
Exit status: 0, or 2 where something is wrong with the input."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the flags, does the job, returns the exit status."""
    given = vars(_parser().parse_args(arguments))
    from lgan_jax.apps.synthesize import job  # after the flags: --help need not wait for JAX

    return job.synthesize(job.Options(**given))


def _parser() -> cli.Parser:
    parser = cli.Parser("lgan_jax.apps.synthesize", _DESCRIPTION)
    add = parser.add_argument
    add("--workdir", required=True, metavar="RUN", type=Path, help="folder of a trained run")
    add("--count", required=True, metavar="N", type=int, help="how many faces")
    add("--out", required=True, metavar="DIR", type=Path, help="folder to write into")
    add(
        "--near-training",
        action="store_true",
        help="z near those of training pictures in place of uniform ones: fewer torn faces, but of people who were "
        "trained on",
    )
    add("--seed", type=int, default=0, metavar="S", help="other faces for every seed (default: 0)")
    return parser


if __name__ == "__main__":
    sys.exit(cli.run(main, _PROGRAM))
