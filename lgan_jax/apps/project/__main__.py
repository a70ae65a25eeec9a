"""`python -m lgan_jax.apps.project`; `--help` says the rest."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from lgan_jax import cli

_PROGRAM = "project"
_DESCRIPTION = """\
Makes a picture with the look of one photo and the facial expression of another, by StyleGAN2: the style and the noise
maps are searched for with which the generator's picture looks like the one (LPIPS) and has the landmarks of the other
(heatmaps of a face alignment network).

The photos may have any size; in each there must be one face. They are turned and cropped by eyes and mouth, as FFHQ's
were, or as the pictures of the run were; with a run a picture of exactly its size is taken as it is. --look and
--landmarks may be folders of photos, taken in the order of their names; one photo goes with all.

With --relative A keeps the proportions of the own face: what is added to A's landmarks is how those of B differ from
the same person's at rest. A counts as at rest.

Where --landmarks is a video, DIR gets video.mp4, with its sound: each frame's search starts where the last one ended.
A frame in which no face can be seen shows the picture before. Ctrl-C ends it with the frames that are made; pressed
again, with none.

--workdir takes generator, landmarks and look from a run that was trained with configs/ffhq.py: the detector's heatmaps,
and the features of the discriminator. The landmarks of a photo are then dlib's, since the detector may never have seen
a photo; those of a picture that is taken as it is are the detector's. Without it published networks are needed; their
owners have them here (nothing of these files is run):
  --network  https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/ffhq.pkl
  --fan      https://www.adrianbulat.com/downloads/python-fan/2DFAN4-cd938726ad.zip
  --vgg      https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/vgg16.pt
or, in the place of the last:
  --vgg      https://download.pytorch.org/models/vgg16-397923af.pth
  --lpips    https://github.com/richzhang/PerceptualSimilarity/tree/master/lpips/weights/v0.1 (vgg.pth)
NVIDIA's weights, and dlib's, which finds the faces, are for non-commercial use.

Groups of landmarks, for --weight: jaw 0.05, brows 1, nose_bridge 0.1, lower_nose 1, eyes 1, outer_lip 5, inner_lip 5;
right_brow, left_brow, right_eye and left_eye are known too.

DIR gets result.png, the same with its landmarks, the photos as they were cropped, w.npz, and progress.mp4: the look,
what is made, its landmarks, and those that are wanted. What is made carries IPTC's DigitalSourceType
trainedAlgorithmicMedia. Ask those whose face you show. Exit status: 0; 2 where something is wrong
with the input or a search diverged; 130 after Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the flags, does the job, returns the exit status."""
    given = vars(_parser().parse_args(arguments))
    from lgan_jax.apps.project import job  # after the flags: --help need not wait for JAX

    return job.project(job.Options(**{name: value for name, value in given.items() if value is not None}))


def _parser() -> cli.Parser:
    parser = cli.Parser("lgan_jax.apps.project", _DESCRIPTION)
    add = parser.add_argument
    add("--workdir", metavar="RUN", type=Path, help="folder of a trained run, in the place of the files that follow")
    add("--network", metavar="FILE", type=Path, help="StyleGAN2's generator, NVIDIA's .pkl")
    add("--fan", metavar="FILE", type=Path, help="face-alignment's network for 68 landmarks")
    add("--vgg", metavar="FILE", type=Path, help="VGG16: NVIDIA's vgg16.pt, or torchvision's")
    add("--lpips", metavar="FILE", type=Path, help="LPIPS's linear weights, where --vgg does not hold them")
    add("--look", required=True, metavar="A", type=Path, help="photo with the look, or a folder of photos")
    add("--landmarks", required=True, metavar="B", type=Path, help="photo with the expression, a folder, a video")
    add("--out", required=True, metavar="DIR", type=Path, help="folder to write; it must not exist yet, or be empty")
    add("--weight", action="append", metavar="NAME=X", help="weight of a group of landmarks; may be given again")
    add("--look-weight", type=float, metavar="X", help="weight of the look (default: 1)")
    add(
        "--landmark-weight",
        type=float,
        metavar="X",
        help="weight of the landmarks (default: 0.1, and 0.05 is usual too; with --workdir 0.03)",
    )
    add(
        "--prior",
        type=float,
        metavar="X",
        help="weight of how unusual a style is for the generator (default: 0; with --workdir 0.01)",
    )
    add(
        "--candidates",
        type=int,
        metavar="N",
        help="pictures that are made to start at the best; 0: at the mean style (default: 0; with --workdir 1000)",
    )
    add(
        "--space",
        choices=("w", "w+"),
        help="one style for all layers, or one for each: nearer to both photos, more stains (default: w)",
    )
    add("--steps", type=int, metavar="N", help="steps of the search (default: 1000)")
    add("--frame-steps", type=int, metavar="N", help="steps of each frame of a video after the first (default: 100)")
    add("--relative", action="store_true", help="add B's change from rest to A's landmarks: for another person's B")
    add(
        "--neutral",
        metavar="X",
        help="with --relative: a photo of B's person at rest; of a video the number of a frame (default: found)",
    )
    add("--restarts", type=int, metavar="N", help="searches for each pair, of which the best is kept (default: 1)")
    add("--at-once", type=int, metavar="N", help="searches that are worked on at a time (default: 8)")
    add("--seed", type=int, metavar="N", help="of the noise (default: 0)")
    add("--no-visible-mark", dest="visible_mark", action="store_false", help="no mark in the corner of the video")
    return parser


if __name__ == "__main__":
    sys.exit(cli.run(main, _PROGRAM))
