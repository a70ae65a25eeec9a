"""The command `reenact`: its flags, and which of them go together."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

from lgan_jax import cli
from lgan_jax.apps.shared import EVERYBODY
from lgan_jax.cli import option

_DESCRIPTION = """\
Drives the face of a person seen in training by the face in a video, in photos or in one photo.

--driving is a video, a folder of images (frames in the order of their names) or an image. A video becomes a video; its
sound, frame rate and rotation flag are preserved. A folder becomes a folder of PNG files, or a video where --out ends
in .mp4; an image becomes a PNG file. Of several faces the largest is followed. Frames without a detected face reuse the
previous result; their count is reported, and so is the number of frames outside the poses and expressions that the run
knows.

Every file written carries IPTC's DigitalSourceType trainedAlgorithmicMedia, this library's version and the run's name.
Ask the people whose faces you show. Exit status: 0; 2 where something is wrong with the input; 130 after Ctrl-C, which
leaves a file that can be played."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What is asked for. Raises `ValueError`, one line, for flags that do not go together."""

    workdir: Path = option("folder of a trained LandmarkGAN run", metavar="RUN", required=True)
    driving: Path = option("video, folder of images, or image with the driving face", metavar="IN", required=True)
    target: str | None = option(
        "person whose face is generated; all: a grid of all; with --reference: a name for the new person",
        metavar="NAME",
    )
    reference: Path | None = option(
        "a person not seen in training: a clip or a folder of photos, of which up to 128 evenly spaced frames are "
        'used; the run\'s generator must have the form "reference", as configs/celebv.py:cpu and :quick have',
        metavar="IN",
    )
    out: Path = option(".mp4, .m4v, .mov or .png file, or a new folder", metavar="OUT", required=True)
    size: int | None = option("side of each generated face in pixels (default: the run's)", metavar="N")
    side_by_side: bool = option("show the driving face beside the generated one", default=False)
    paste_back: bool = option("paste the generated face into the driving frame, which keeps its size", default=False)
    match_colours: bool = option(
        "with --paste-back: keep the face's colors; by default they are matched to those around it", default=True
    )
    relative: bool = option("drive by the change from a neutral frame, not by absolute landmarks", default=False)
    neutral: int | None = option("with --relative: number of that frame (default: found)", metavar="FRAME")
    constraint: bool = option(
        "do not hold the landmarks within the poses and expressions that the target's frames show", default=True
    )
    steady: bool = option("do not smooth the landmarks over time (One-Euro filter)", default=True)
    landmarks: Literal["auto", "dlib", "detector"] = option(
        "source of the landmarks of a face that dlib has detected: dlib, the run's own detector, or auto: dlib where "
        "its 68 points contain the run's",
        default="auto",
    )
    visible_mark: bool = option("no visible mark in the corner of a video", default=True)
    overwrite: bool = option(cli.OVERWRITE, default=False)

    def __post_init__(self) -> None:
        if self.target is None and self.reference is None:
            raise ValueError("--target is not given; only with --reference it may be left out")
        if self.size is not None and (self.size % 2 or not 32 <= self.size <= 4096):
            raise ValueError(f"--size must be even and between 32 and 4096 pixels, not {self.size}")
        if self.neutral is not None and not self.relative:
            raise ValueError("--neutral says what --relative starts from: give both")
        if self.neutral is not None and self.neutral < 0:
            raise ValueError(f"--neutral is the number of a frame, from 0 on, not {self.neutral}")
        if self.paste_back and self.target == EVERYBODY:
            raise ValueError("--paste-back needs one --target, not all of them")
        if self.paste_back and self.size is not None:
            raise ValueError("--paste-back keeps the size of --driving: leave out --size")
        if not self.match_colours and not self.paste_back:
            raise ValueError("--no-match-colours is for a face that is pasted back: give --paste-back too")


main = cli.command(Options, __package__, _DESCRIPTION, "reenactment:reenact")
