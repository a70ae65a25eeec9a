"""Inverting photos, from the options to the written files."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

import lgan_jax
from lgan_jax import experiment, files, locks
from lgan_jax.apps import device, output, provenance, video
from lgan_jax.apps.driving import Locator
from lgan_jax.apps.express import photo as photos
from lgan_jax.apps.synthesize.job import pts
from lgan_jax.core import FaceInfo
from lgan_jax.frames import to_pixels
from lgan_jax.media import images
from lgan_jax.media.image_grid import GridRow, draw_landmarks, image_grid
from lgan_jax.media.images import to_bytes, to_floats
from lgan_jax.methods.began.evaluation.image_grids import interpolation_grid
from lgan_jax.methods.began.evaluation.metrics import interpolated
from lgan_jax.methods.began.model import LandmarkedFaces

Say = Callable[[str], None]
Faces = UInt8[np.ndarray, "n size size 3"]

_OWN = ("inverted", "way")  # files that are written besides
_TICKS = 3  # of a 25th of a second, that a face of the way is seen
_SHOWN = 256  # pixels a side of the video at least


@runtime_checkable
class Model(Protocol):
    """What is needed of a trained model; see `LandmarkedFaces`."""

    info: FaceInfo

    def invert(self, image: Any) -> Any:
        """What was found of faces in [-1, 1]: `z`, `image`, `landmarks`, `error`, `updates`."""

    def generate(self, z: Any) -> Any:
        """Faces in [-1, 1]."""

    def landmarks(self, z: Any) -> Any:
        """Landmarks in [0, 1]."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What is asked for; the command's flags have the same names, and explain them."""

    workdir: Path
    image: Sequence[Path] = ()
    interpolate: Sequence[Path] | None = None
    mirror: bool = False
    steps: int = 14
    out: Path = Path("inverted")

    def __post_init__(self) -> None:
        if not self.image and not self.interpolate:
            raise ValueError("nothing is asked for: give --image or --interpolate")
        if self.image and self.interpolate:
            raise ValueError("--image and --interpolate both name photos: give one of them")
        if self.mirror and len(self.image) != 1:
            raise ValueError("--mirror needs one --image: the way leads to its own mirror image")
        if self.steps < 2:
            raise ValueError(f"--steps is {self.steps}; a way has two ends or more")
        stems = [path.stem for path in self.files]
        if len(set(stems)) < len(stems) or set(stems) & set(_OWN):
            raise ValueError(f"photos need names of their own, and not {' or '.join(_OWN)}: {', '.join(stems)}")

    @property
    def files(self) -> tuple[Path, ...]:
        """All photos."""
        return tuple(self.interpolate or self.image)

    @property
    def flag(self) -> str:
        """Which flag names them."""
        return "--interpolate" if self.interpolate else "--image"


def invert(options: Options) -> int:
    """Does what `options` ask for; returns the exit status. Raises a one-line error for what a user can mend."""
    sources = [photos.open_photo(path, options.flag) for path in options.files]
    output.check(options.out, sources[0], ("",))
    with locks.held(options.out, f"--out {options.out}"):
        return _invert(options)


def _invert(options: Options) -> int:
    model = lgan_jax.load(options.workdir)
    if not isinstance(model, LandmarkedFaces):
        raise ValueError(f"--workdir {options.workdir} is no run of BEGAN with landmarks (configs/celeba.py)")
    print(device.line(), flush=True)
    run(options, model, framed(options, model.info, print))
    return 0


def framed(options: Options, info: FaceInfo, say: Say) -> Faces:
    """The faces in the photos as the run's training pictures show theirs.

    Raises `ValueError` for a photo without a face, `ModuleNotFoundError` where one must be looked for without dlib.
    """
    locator, faces = None, []
    for path in options.files:
        image = images.read(path).image
        if image.shape[:2] == (info.size, info.size):
            say(f"{path.name} has the run's size: it is taken as it is")
            faces.append(image)
            continue
        if locator is None:
            known = experiment.training_landmarks(options.workdir)
            locator = Locator({who: points for who, points in known.items() if len(points)}, info, follow=False)
        photo = photos.read(path, locator, options.flag)
        if line := photos.which(photo, path.name):
            say(line.replace("is edited", "is taken"))
        faces.append(photo.face.crop)
    return np.stack(faces)


def run(options: Options, model: Model, faces: Faces, say: Say = print) -> None:
    """Inverts framed faces with a model that is ready, and writes the folder, the whole folder or nothing."""
    targets = np.concatenate([faces, faces[:, :, ::-1]]) if options.mirror else faces
    found = model.invert(to_floats(targets))
    name = options.workdir.resolve().name
    with files.Replacement(options.out, folder=True) as new, new.named():
        part = new.part
        for i, path in enumerate(options.files):
            say(f"{path.name}: error {found.error[i] / 2:.2%} after {int(found.updates[i])} updates")
            _write(part / path.stem, found, i, name)
        provenance.write_png(part / f"{_OWN[0]}.png", _sheet(options, model, faces, found), name)
        if len(targets) == 2 and (options.mirror or options.interpolate):
            z = interpolated(found.z[0], found.z[1], options.steps)
            picture = interpolation_grid(model, z, (np.ascontiguousarray(targets[0]), np.ascontiguousarray(targets[1])))
            provenance.write_png(part / f"{_OWN[1]}.png", picture, name)
            _write_video(part / f"{_OWN[1]}.mp4", options, model, z, name)
        new.commit()
    say(f"{options.out} is written")


def _write(path: Path, found: Any, i: int, run: str) -> None:
    """Face number i: picture, landmarks, and all that was found of it."""
    picture, points = to_bytes(found.image[i]), np.asarray(found.landmarks[i], np.float64)
    provenance.write_png(path.with_name(f"{path.name}.png"), picture, run)
    path.with_name(f"{path.name}.pts").write_text(pts(to_pixels(points, *picture.shape[1::-1])))
    about = {
        "made_by": provenance.sentence(run),
        "source_type": provenance.SOURCE_TYPE,
        "error": float(found.error[i]) / 2,
        "updates": int(found.updates[i]),
        "z": np.asarray(found.z[i]).tolist(),
        "landmarks": points.tolist(),
    }
    path.with_name(f"{path.name}.json").write_text(json.dumps(about, indent=1) + "\n")


def _sheet(options: Options, model: Model, faces: Faces, found: Any) -> UInt8[np.ndarray, "H W 3"]:
    scheme, size = model.info.scheme, model.info.size
    made = to_bytes(found.image)
    rows = [
        GridRow(
            path.stem,
            [faces[i], made[i], draw_landmarks(found.landmarks[i], scheme, size, on=made[i])],
            ["", f"error {found.error[i] / 2:.1%}", ""],
        )
        for i, path in enumerate(options.files)
    ]
    return image_grid(rows, ["photo", "made of its z", "landmarks"], size)


def _write_video(path: Path, options: Options, model: Model, z: Float32[np.ndarray, "steps 64"], run: str) -> None:
    """There and back, with landmarks beside the faces."""
    size, scheme = model.info.size, model.info.scheme
    side = size * max(1, -(-_SHOWN // size))
    frames = []
    for face, points in zip(to_bytes(model.generate(z)), model.landmarks(z)):
        drawn = draw_landmarks(points, scheme, size, on=face)
        both = [cv2.resize(each, (side, side), interpolation=cv2.INTER_CUBIC) for each in (face, drawn)]
        frames.append(provenance.mark(np.concatenate(both, 1)))
    made = output.open_output(path, video.open_source(options.files[0]), run)
    try:
        for place, frame in enumerate([*frames, *frames[-2:0:-1]]):
            for tick in range(_TICKS):
                made.write(frame, place * _TICKS + tick)
        made.finish(complete=True)
        made.commit(path)
    finally:
        made.discard()
