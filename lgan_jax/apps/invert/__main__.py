"""`python -m lgan_jax.apps.invert`; `--help` says the rest."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from lgan_jax import cli

_PROGRAM = "invert"
_DESCRIPTION = """\
Finds the z of which a trained run of BEGAN (configs/celeba.py) makes the face in a photo, all photos at once.

The largest face is found and cut out as the run's training pictures were; a picture of exactly the run's size is taken
as it is. DIR gets, for each photo, NAME.png (the face made of its z), NAME.pts (its landmarks) and NAME.json (z, the
error: Eq. 3 of the paper as a share of the range from black to white, landmarks), and inverted.png, where they are side
by side.

--interpolate makes way.png and way.mp4 besides: the faces between two, each with its landmarks; --mirror the same
between the photo and its mirror image (Fig. 9 of the paper).

Everything written carries IPTC's DigitalSourceType trainedAlgorithmicMedia, this library's version and the run's name.
Ask those whose face you show. Exit status: 0, or 2 where something is wrong with the input."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the flags, does the job, returns the exit status."""
    given = vars(_parser().parse_args(arguments))
    from lgan_jax.apps.invert import job  # after the flags: --help need not wait for JAX

    return job.invert(job.Options(**given))


def _parser() -> cli.Parser:
    parser = cli.Parser("lgan_jax.apps.invert", _DESCRIPTION)
    add = parser.add_argument
    add("--workdir", required=True, metavar="RUN", type=Path, help="folder of a trained run")
    add("--image", nargs="+", default=[], metavar="FACE", type=Path, help="photos with a face")
    add("--interpolate", nargs=2, metavar=("A", "B"), type=Path, help="photos of the faces at both ends")
    add("--mirror", action="store_true", help="with one --image: the way to its mirror image")
    add("--steps", type=int, default=14, metavar="N", help="points of the way, both ends included (default: 14)")
    add("--out", metavar="DIR", type=Path, default=Path("inverted"), help="new or empty folder (default: inverted)")
    return parser


if __name__ == "__main__":
    sys.exit(cli.run(main, _PROGRAM))
