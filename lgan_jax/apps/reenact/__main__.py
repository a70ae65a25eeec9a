"""`python -m lgan_jax.apps.reenact`; `--help` says the rest."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from lgan_jax import cli

_PROGRAM = "reenact"
_REFERENCE = """\
a person who was in no training: a clip or a folder of photos, of which up to 128 frames, evenly spaced, are used; the
run's generator must have the form "reference", as configs/celebv.py:cpu and :quick have"""
_DESCRIPTION = """\
Makes a trained person's face follow the face in a video, in photos or in one photo.

--driving is a video, a folder of images (frames in the order of their names) or an image. A video becomes a video with
its sound, frame rate and rotation flag; a folder becomes a folder of PNG files, or a video where --out ends in .mp4;
an image becomes a PNG file. Of several faces the largest is followed. A frame without a face repeats the last good one.

Everything written carries IPTC's DigitalSourceType trainedAlgorithmicMedia, this library's version and the run's name.
Ask those whose face you show. Exit status: 0, 2 where something is wrong with the input, 130 where it was stopped
with Ctrl-C, which closes a file that can be played."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the flags, does the job, returns the exit status."""
    given = vars(_parser().parse_args(arguments))
    from lgan_jax.apps.reenact import job  # after the flags: --help need not wait for JAX

    return job.reenact(job.Options(**given))


def _parser() -> cli.Parser:
    parser = cli.Parser("lgan_jax.apps.reenact", _DESCRIPTION)
    add = parser.add_argument
    add("--workdir", required=True, metavar="RUN", type=Path, help="folder of a trained LandmarkGAN run")
    add("--driving", required=True, metavar="IN", type=Path, help="video, folder of images, or image with the face")
    add("--target", metavar="NAME", help="whose face to make; all: a grid of everybody; with --reference: a new name")
    add("--reference", metavar="IN", type=Path, help=_REFERENCE)
    add("--out", required=True, metavar="OUT", type=Path, help=".mp4, .m4v, .mov or .png file, or a new folder")
    add("--size", type=int, metavar="N", help="side of each made face in pixels (default: the run's)")
    add("--side-by-side", action="store_true", help="show what drives beside what is made")
    add("--paste-back", action="store_true", help="put the made face into the driving picture, which keeps its size")
    add(
        "--no-match-colours",
        dest="match_colours",
        action="store_false",
        help="with --paste-back: leave the face's colours, which otherwise are shifted to those around it",
    )
    add("--relative", action="store_true", help="drive by the change from a neutral frame, not by absolute landmarks")
    add("--neutral", type=int, metavar="FRAME", help="with --relative: number of that frame (default: found)")
    add(
        "--no-constraint",
        dest="constrain",
        action="store_false",
        help="do not hold the landmarks within the poses and expressions that the target's frames show",
    )
    add("--no-steady", dest="steady", action="store_false", help="do not steady the landmarks over time (One-Euro)")
    add(
        "--landmarks",
        choices=("auto", "dlib", "detector"),
        default="auto",
        help="who gives the points of a face that dlib has found: dlib, the run's own detector, or (auto, the default) "
        "dlib where the run has its points",
    )
    add("--no-visible-mark", dest="visible_mark", action="store_false", help="no mark in the corner of a video")
    return parser


if __name__ == "__main__":
    sys.exit(cli.run(main, _PROGRAM))
