"""The command `project`: its flags, and which of them go together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from lgan_jax import cli
from lgan_jax.cli import option

_DESCRIPTION = """\
Generates an image with the appearance of one photo and the facial expression of another, by StyleGAN2: searches for
the style and the noise maps with which the generated image is close to --look (LPIPS) and has the landmarks of
--landmarks (heatmaps of a face alignment network).

The photos may have any size; each must show one face. They are rotated and cropped by eyes and mouth, as FFHQ's images
were, or as the run's training images were; with a run, an image of exactly its size is taken as it is. --look and
--landmarks may be folders of photos, taken in the order of their names; one photo goes with all.

--relative preserves A's facial proportions: the difference between B's landmarks and the same person's at rest is
added to A's landmarks. A counts as at rest.

Where --landmarks is a video, DIR gets video.mp4, with its sound: each frame's search starts where the previous one
ended. Frames without a detected face reuse the previous result. Ctrl-C ends the command with the frames generated so
far; pressed again, with none.

--workdir takes generator, landmarks and appearance from a run that was trained with configs/ffhq.py: the detector's
heatmaps, and the features of the discriminator. The landmarks of a photo are then dlib's, since the detector may never
have seen a photo; those of an image that is taken as it is are the detector's. Without --workdir, published networks
are needed; their owners have them here (no code in these files is executed):
  --network  https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/ffhq.pkl
  --fan      https://www.adrianbulat.com/downloads/python-fan/2DFAN4-cd938726ad.zip
  --vgg      https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/vgg16.pt
or, in place of the last:
  --vgg      https://download.pytorch.org/models/vgg16-397923af.pth
  --lpips    https://github.com/richzhang/PerceptualSimilarity/tree/master/lpips/weights/v0.1 (vgg.pth)
NVIDIA's weights, and dlib's, which detects the faces, are for non-commercial use.

Groups of landmarks, for --weight: jaw 0.05, brows 1, nose_bridge 0.1, lower_nose 1, eyes 1, outer_lip 5, inner_lip 5;
right_brow, left_brow, right_eye and left_eye are known too.

DIR gets result.png, the same with its landmarks, the cropped photos, w.npz, and progress.mp4: the source, the generated
image, its landmarks, and the target landmarks. Every generated file carries IPTC's DigitalSourceType
trainedAlgorithmicMedia. Ask the people whose faces you show. Exit status: 0; 2 where something is wrong with the input
or a search diverged; 130 after Ctrl-C."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What is asked for. Raises `ValueError`, one line, for flags that do not go together."""

    workdir: Path | None = option("folder of a trained run, in place of the files that follow", metavar="RUN")
    network: Path | None = option("StyleGAN2's generator, NVIDIA's .pkl", metavar="FILE")
    fan: Path | None = option("face-alignment's network for 68 landmarks", metavar="FILE")
    vgg: Path | None = option("VGG16: NVIDIA's vgg16.pt, or torchvision's", metavar="FILE")
    lpips: Path | None = option("LPIPS's linear weights, where --vgg does not hold them", metavar="FILE")
    look: Path = option("photo with the appearance, or a folder of photos", metavar="A", required=True)
    landmarks: Path = option("photo with the expression, a folder of photos, or a video", metavar="B", required=True)
    out: Path = option("folder to write; it must not exist yet, or be empty", metavar="DIR", required=True)
    weight: Sequence[str] = option(
        "weight of a group of landmarks; may be given again", action="append", metavar="NAME=X", default=()
    )
    look_weight: float = option("weight of the appearance", metavar="X", default=1.0)
    landmark_weight: float | None = option(
        "weight of the landmarks (default: 0.1, and 0.05 is usual too; with --workdir 0.03)", metavar="X"
    )
    prior: float | None = option(
        "weight of how unusual a style is for the generator (default: 0; with --workdir 0.01)", metavar="X"
    )
    candidates: int | None = option(
        "images generated to start from the best; 0: start from the mean style (default: 0; with --workdir 1000)",
        metavar="N",
    )
    space: Literal["w", "w+"] = option(
        "one style for all layers, or one for each: closer to both photos, more artifacts", default="w"
    )
    steps: int = option("steps of the search", metavar="N", default=1000)
    frame_steps: int = option("steps for each frame of a video after the first", metavar="N", default=100)
    relative: bool = option("add B's change from rest to A's landmarks: for another person's B", default=False)
    neutral: str | None = option(
        "with --relative: a photo of B's person at rest; for a video the number of a frame (default: found)",
        metavar="X",
    )
    restarts: int = option("searches for each pair, of which the best is used", metavar="N", default=1)
    at_once: int = option("searches that run together", metavar="N", default=8)
    seed: int = option("seed of the noise", metavar="N", default=0)
    visible_mark: bool = option("no visible mark in the corner of the video", default=True)

    def __post_init__(self) -> None:
        self._check_source()
        _ = self.weights  # raises for values that mean nothing
        for name in ("restarts", "frame_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name.replace('_', '-')} is {getattr(self, name)}; it must be at least 1")
        if self.neutral is not None and not self.relative:
            raise ValueError("--neutral says what --relative starts from: give both")

    def _check_source(self) -> None:
        names = ("network", "fan", "vgg", "lpips")
        given = [f"--{name}" for name in names if getattr(self, name) is not None]
        if self.workdir is not None and given:
            raise ValueError(f"--workdir and {given[0]} exclude one another: give a run, or published networks")
        if self.workdir is None and (missing := [f"--{name}" for name in names[:3] if f"--{name}" not in given]):
            raise ValueError(f"give --workdir RUN, or --network, --fan and --vgg (missing: {', '.join(missing)})")

    @property
    def made_by(self) -> str:
        """The name of the run or of the network, for the files that are written."""
        return self.workdir.resolve().name if self.workdir is not None else self.network.stem

    @property
    def weights(self) -> Mapping[str, float]:
        """What --weight says. Raises `ValueError` for a text that is no NAME=X."""
        weights = {}
        for text in self.weight:
            name, _, number = text.partition("=")
            try:
                weights[name.strip()] = float(number)
            except ValueError:
                raise ValueError(
                    f"--weight {text} must be a group of landmarks and a number, such as jaw=0.1"
                ) from None
        return weights


main = cli.command(Options, __package__, _DESCRIPTION, "projection:project")
