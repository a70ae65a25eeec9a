"""`python -m lgan_jax.apps.express`; `--help` says the rest."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from lgan_jax import action_units, cli

_PROGRAM = "express"
_DESCRIPTION = f"""\
Gives the face in a photo another expression, by a trained run of DFT-Net or of landmark and expression guided
synthesis (a config of CK+ or Oulu-CASIA).

The face is found (of several the largest), cut out as the run's training pictures were, edited, and put back into the
photo.

A run of landmark and expression guided synthesis takes --expression NAME and --landmarks-from OTHER, a photo of a face,
anybody's, that shows the expression in the pose that is wanted.

Of a DFT-Net run's face, what it shows now is estimated by the run's own regressor: with --au, units that are not named
keep that value. --expression and --like set all seventeen; --au given beside them changes single ones.

Action units, with intensities from 0 to 1:
{chr(10).join(f"  {number:2d}  {name}" for number, name in action_units.NAMES.items())}

Expressions: {", ".join(action_units.EXPRESSIONS)}.

--sweep and --interpolate write one picture with all steps where --out ends in .png, and a short video where it ends in
.mp4, .m4v or .mov.

Everything written carries IPTC's DigitalSourceType trainedAlgorithmicMedia, this library's version and the run's name.
Ask those whose face you show. Exit status: 0, or 2 where something is wrong with the input."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the flags, does the job, returns the exit status."""
    given = vars(_parser().parse_args(arguments))
    from lgan_jax.apps.express import job  # after the flags: --help need not wait for JAX

    return job.express(job.Options(**given))


def _parser() -> cli.Parser:
    parser = cli.Parser("lgan_jax.apps.express", _DESCRIPTION)
    add = parser.add_argument
    add("--workdir", required=True, metavar="RUN", type=Path, help="folder of a trained run")
    add("--image", required=True, metavar="FACE", type=Path, help="photo with the face")
    add("--out", metavar="OUT", type=Path, help="what to write (default: FACE-express.png in this folder)")
    add(
        "--expression",
        "--emotion",
        metavar="NAME[=X]",
        help="an expression; of DFT-Net runs the usual combination of action units, at strength X (default: 1)",
    )
    add("--landmarks-from", metavar="OTHER", type=Path, help="photo of a face whose landmarks to take over")
    add("--au", action="append", default=[], metavar="N=X", help="action unit N at intensity X; may be given again")
    add("--like", metavar="OTHER", type=Path, help="photo of a face whose expression to take over")
    add("--sweep", type=int, metavar="N", help="action unit N from 0 to 1")
    add(
        "--interpolate",
        nargs="+",
        type=float,
        metavar="X",
        help="on the way from the face's own action units, at 0, to the wanted ones, at 1: these places",
    )
    add("--face-only", action="store_true", help="write the face alone, do not put it back into the photo")
    add("--no-visible-mark", dest="visible_mark", action="store_false", help="no mark in the corner of a video")
    cli.add_overwrite(parser)
    return parser


if __name__ == "__main__":
    sys.exit(cli.run(main, _PROGRAM))
