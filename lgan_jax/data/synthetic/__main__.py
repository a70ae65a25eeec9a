"""`python -m lgan_jax.data.synthetic OUT.png`; `--help` says the rest."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from lgan_jax import cli, files
from lgan_jax.action_units import EXPRESSIONS
from lgan_jax.cli import option
from lgan_jax.coordinates import to_pixels
from lgan_jax.data.synthetic import Sample, Settings, draw, sample
from lgan_jax.data.synthetic.canvas import fixed

_DESCRIPTION = """\
Draws an image grid of built-in faces. One row a person: the eight expressions, then turned heads. --wild draws
strangers in place of the cast, --landmarks draws WFLW's 98 points on top."""
_KINDS = (".png", ".jpg", ".jpeg")
_POSES = ((-35, 0, 0), (-18, 8, -8), (18, -12, 8), (35, 0, 0))  # yaw, pitch, roll


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The command's arguments."""

    out: Path = option("the image to write (.png, .jpg)", flag="out", metavar="OUT", required=True)
    size: int = option("side of one face in pixels", default=128)
    people: int = option("number of people", default=5)
    seed: int = option("changes the people", default=0)
    wild: bool = option("strangers, each with its own light and background", default=False)
    landmarks: bool = option("draw the landmarks", default=False)
    overwrite: bool = option(cli.OVERWRITE, default=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the arguments, writes the image grid, returns the exit status."""
    given = cli.read(Options, "lgan_jax.data.synthetic", _DESCRIPTION, arguments)
    settings = Settings(given.people, seed=given.seed, variation="wild" if given.wild else "video")
    suffix = given.out.suffix or ".png"
    if suffix.lower() not in _KINDS:
        raise ValueError(f"{given.out}: images are written as {' or '.join(_KINDS)}")
    _, data = cv2.imencode(suffix, _image_grid(settings, given.size, given.landmarks)[..., ::-1])
    if line := cli.keep_earlier(given.out, given.overwrite):
        print(line)
    files.write_bytes(given.out, data.tobytes())
    return 0


def _image_grid(settings: Settings, size: int, landmarks: bool) -> np.ndarray:
    rows = []
    for index in range(settings.identities):
        drawn = sample(settings, "test", index)
        still = dataclasses.replace(drawn, yaw=0.0, pitch=0.0, roll=0.0, gaze=(0.0, 0.0), shift=(0.0, 0.0))
        faces = [still.with_expression(name) for name in EXPRESSIONS]
        for yaw, pitch, roll in _POSES:
            faces.append(dataclasses.replace(faces[0], yaw=float(yaw), pitch=float(pitch), roll=float(roll)))
        rows.append(np.concatenate([_image(face, size, landmarks) for face in faces], 1))
    return np.concatenate(rows)


def _image(face: Sample, size: int, landmarks: bool) -> np.ndarray:
    drawn = draw(face, size)
    image = drawn["image"]
    if landmarks:
        for x, y in fixed(to_pixels(drawn["landmarks"], size, size)):
            cv2.circle(image, (int(x), int(y)), max(16, size // 8), (80, 255, 80), -1, cv2.LINE_AA, 4)
    return image


if __name__ == "__main__":
    sys.exit(cli.run(main, "synthetic"))
