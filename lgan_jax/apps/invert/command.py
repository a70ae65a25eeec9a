"""The command `invert`: its flags, and which of them go together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from lgan_jax import cli
from lgan_jax.cli import option

OWN = ("inverted", "way")  # files that are written besides those of the photos
_DESCRIPTION = """\
Finds the latent z from which a trained run of BEGAN (configs/celeba.py) generates the face in a photo, for all photos
at once (optimization-based inversion).

The largest face is detected and cropped as the run's training images were; an image of exactly the run's size is taken
as it is. DIR gets, for each photo, NAME.png (the face generated from its z), NAME.pts (its landmarks) and NAME.json (z,
landmarks, and the error: Eq. 3 of the paper as a share of the range from black to white), and inverted.png, an image
grid of all.

--interpolate also writes way.png and way.mp4, which interpolate between two faces, each with its landmarks; --mirror
interpolates between the photo and its mirror image (Fig. 9 of the paper).

Every file written carries IPTC's DigitalSourceType trainedAlgorithmicMedia, this library's version and the run's name.
Ask the people whose faces you show. Exit status: 0; 2 where something is wrong with the input."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What is asked for. Raises `ValueError`, one line, for flags that do not go together."""

    workdir: Path = option("folder of a trained run", metavar="RUN", required=True)
    image: Sequence[Path] = option("photos with a face", metavar="FACE", default=())
    interpolate: Sequence[Path] | None = option("photos of the faces at both ends", metavar=("A", "B"), nargs=2)
    mirror: bool = option("with one --image: interpolate to its mirror image", default=False)
    steps: int = option("faces of an interpolation, both ends included", metavar="N", default=14)
    out: Path = option("new or empty folder", metavar="DIR", default=Path("inverted"))

    def __post_init__(self) -> None:
        if not self.image and not self.interpolate:
            raise ValueError("nothing is asked for: give --image or --interpolate")
        if self.image and self.interpolate:
            raise ValueError("--image and --interpolate both name photos: give one of them")
        if self.mirror and len(self.image) != 1:
            raise ValueError("--mirror needs one --image: it interpolates to its mirror image")
        if self.steps < 2:
            raise ValueError(f"--steps is {self.steps}; an interpolation has two ends or more")
        stems = [path.stem for path in self.files]
        if len(set(stems)) < len(stems) or set(stems) & set(OWN):
            raise ValueError(f"photos need names of their own, and not {' or '.join(OWN)}: {', '.join(stems)}")

    @property
    def files(self) -> tuple[Path, ...]:
        """All photos."""
        return tuple(self.interpolate or self.image)

    @property
    def flag(self) -> str:
        """The flag that names them."""
        return "--interpolate" if self.interpolate else "--image"


main = cli.command(Options, __package__, _DESCRIPTION, "inversion:invert")
