"""The command `express`: its flags, and which of them go together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from lgan_jax import action_units, cli
from lgan_jax.apps.express import target_units
from lgan_jax.apps.express.target_units import TargetUnits
from lgan_jax.cli import option

_OF_UNITS = ("au", "like", "sweep", "interpolate", "face_landmarker")  # options of DFT-Net runs alone
_DESCRIPTION = f"""\
Edits the expression of the face in a photo, by a trained run of DFT-Net or of landmark and expression guided synthesis
(a config of CK+ or Oulu-CASIA).

The face is detected (the largest of several), cropped as the run's training images were, edited, and pasted back into
the photo.

A run of landmark and expression guided synthesis takes --expression NAME and --landmarks-from OTHER, a photo of any
person's face that shows the expression in the pose to generate.

A DFT-Net run estimates the action units of the face by its own regressor: with --au, unspecified action units keep
their estimated values. --expression and --like set all seventeen; --au given beside them changes single ones. On
photographs, Google's Face Landmarker (--face-landmarker) estimates more reliably; 6, 7, 9, 10, 14 and 15 are 0 to it.

Action units, with intensities from 0 to 1:
{chr(10).join(f"  {number:2d}  {name}" for number, name in action_units.NAMES.items())}

Expressions: {", ".join(action_units.EXPRESSIONS)}.

--sweep and --interpolate write one image with all steps where --out ends in .png, and a short video where it ends in
.mp4, .m4v or .mov.

Every file written carries IPTC's DigitalSourceType trainedAlgorithmicMedia, this library's version and the run's name.
Ask the people whose faces you show. Exit status: 0; 2 where something is wrong with the input."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What is asked for. Raises `ValueError`, one line, for flags that do not go together."""

    workdir: Path = option("folder of a trained run", metavar="RUN", required=True)
    image: Path = option("photo with the face", metavar="FACE", required=True)
    out: Path | None = option("file to write (default: FACE-express.png in this folder)", metavar="OUT")
    expression: str | None = option(
        "an expression; for DFT-Net runs its prototypical combination of action units, at strength X (default: 1)",
        "--emotion",
        metavar="NAME[=X]",
    )
    landmarks_from: Path | None = option("photo of a face whose landmarks to use", metavar="OTHER")
    au: Sequence[str] = option(
        "action unit N at intensity X; may be given again", action="append", metavar="N=X", default=()
    )
    like: Path | None = option("photo of a face whose expression to use", metavar="OTHER")
    face_landmarker: str | None = option(
        "Google's face_landmarker.task: it estimates action units, in place of the run's regressor", metavar="FILE"
    )
    sweep: int | None = option("action unit N from 0 to 1", metavar="N")
    interpolate: Sequence[float] | None = option(
        "interpolate between the face's own action units, at 0, and the target ones, at 1: these positions", metavar="X"
    )
    face_only: bool = option("write the face alone, do not paste it back into the photo", default=False)
    visible_mark: bool = option("no visible mark in the corner of a video", default=True)
    overwrite: bool = option(cli.OVERWRITE, default=False)

    def __post_init__(self) -> None:
        targets = self.targets  # raises for values that mean nothing
        goal = bool(self.au or self.expression or self.like)
        if not goal and self.sweep is None and self.landmarks_from is None:
            raise ValueError("nothing is asked for: give --expression, --landmarks-from, --au, --like or --sweep")
        if self.expression and self.like:
            raise ValueError("--expression and --like both set all action units: give one of them")
        if self.sweep is not None:
            target_units.check_unit(self.sweep, f"--sweep {self.sweep}")
            if self.sweep in targets.changes:
                raise ValueError(f"--sweep {self.sweep} moves this unit: leave it out of --au")
        if self.interpolate is not None:
            self._check_interpolation(goal)

    def _check_interpolation(self, goal: bool) -> None:
        if self.sweep is not None:
            raise ValueError("--sweep and --interpolate each make a series: give one of them")
        if not goal:
            raise ValueError("--interpolate needs --au, --expression or --like, which give the other end")
        for level in self.interpolate or ():
            target_units.check_intensity(level, "--interpolate")
        if self.moving and len(self.interpolate or ()) < 2:
            raise ValueError("--interpolate needs two positions or more for a video")

    def check_units(self) -> None:
        """Raises `ValueError` for options that a DFT-Net run has no use for."""
        if self.landmarks_from is not None:
            raise ValueError(f"--landmarks-from: {self.workdir} is a DFT-Net run, which takes --like in its place")

    def check_label(self) -> None:
        """Raises `ValueError` for options that landmark and expression guided synthesis has no use for, or lacks."""
        this = f"{self.workdir} is a run of landmark and expression guided synthesis"
        for name in _OF_UNITS:
            if getattr(self, name) not in (None, (), []):
                raise ValueError(f"--{name.replace('_', '-')} is for DFT-Net runs, and {this}")
        if self.expression is None or self.landmarks_from is None:
            raise ValueError(f"{this}: it needs both --landmarks-from and --expression")
        target_units.label(self.expression)

    @property
    def targets(self) -> TargetUnits:
        """What --au and --expression say."""
        return TargetUnits.read(self.au, self.expression)

    @property
    def series(self) -> bool:
        """Whether more than one face is generated."""
        return self.sweep is not None or self.interpolate is not None

    @property
    def place(self) -> Path:
        """The file to write."""
        return self.out or Path(f"{self.image.stem}-express.png")

    @property
    def moving(self) -> bool:
        """Whether a video is written."""
        from lgan_jax.media.output import VIDEO_OUT  # --help need not wait for it

        return self.place.suffix.lower() in VIDEO_OUT


main = cli.command(Options, __package__, _DESCRIPTION, "editing:express")
