"""Inverts photos, from the options to the written files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from lgan_jax import files, locks
from lgan_jax.apps.invert.command import OWN, Options
from lgan_jax.apps.shared import loading, photo_face
from lgan_jax.apps.shared.face_reader import Locator
from lgan_jax.coordinates import to_pixels
from lgan_jax.core import FaceInfo
from lgan_jax.media import output, provenance, pts
from lgan_jax.media.image_grid import GridRow, draw_landmarks, image_grid
from lgan_jax.media.images import to_bytes, to_floats
from lgan_jax.media.source import open_source, read_photo
from lgan_jax.methods.began.evaluation.image_grids import interpolation_grid
from lgan_jax.methods.began.evaluation.metrics import interpolated
from lgan_jax.methods.began.model import BEGAN
from lgan_jax.protocols import Inverter
from lgan_jax.training import machine

Say = Callable[[str], None]
Faces = UInt8[np.ndarray, "n size size 3"]

_TICKS = 3  # of a 25th of a second, for each face of an interpolation
_SHOWN = 256  # pixels a side of the video at least


def invert(options: Options) -> int:
    """Inverts as `options` say; returns the exit status. Raises one-line errors for a user's mistakes."""
    sources = [photo_face.open_photo(path, options.flag) for path in options.files]
    output.check(options.out, sources[0], ("",))
    with locks.held(options.out, f"--out {options.out}"):
        return _invert(options)


def _invert(options: Options) -> int:
    otherwise = "is no run of BEGAN with landmarks (configs/celeba.py)"
    model = loading.load(options.workdir, BEGAN, otherwise)
    print(machine.device(), flush=True)
    run(options, model, framed(options, model.info, print))
    return 0


def framed(options: Options, info: FaceInfo, say: Say) -> Faces:
    """The faces in the photos as the run's training images show theirs.

    Raises `ValueError` for a photo without a face, `ModuleNotFoundError` where one must be looked for without dlib.
    """
    locator, faces = None, []
    for path in options.files:
        image = read_photo(path, say)
        if image.shape[:2] == (info.size, info.size):
            say(f"{path.name} has the run's size: it is taken as it is")
            faces.append(image)
            continue
        if locator is None:
            locator = Locator(loading.training_landmarks(options.workdir), info, follow=False)
        photo = photo_face.search(image, locator, f"{options.flag} {path}")
        if line := photo_face.which(photo, path.name):
            say(line.replace("is edited", "is taken"))
        faces.append(photo.face.crop)
    return np.stack(faces)


def run(options: Options, model: Inverter, faces: Faces, say: Say = print) -> None:
    """Inverts framed faces with a loaded model, and writes the folder, whole or not at all."""
    targets = np.concatenate([faces, faces[:, :, ::-1]]) if options.mirror else faces
    found = model.invert(to_floats(targets))
    name = options.workdir.resolve().name
    with files.Replacement(options.out, folder=True) as new, new.named():
        part = new.part
        for i, path in enumerate(options.files):
            say(f"{path.name}: error {found.error[i] / 2:.2%} after {int(found.updates[i])} updates")
            _write(part / path.stem, found, i, name)
        provenance.write_png(part / f"{OWN[0]}.png", _grid(options, model, faces, found), name)
        if len(targets) == 2 and (options.mirror or options.interpolate):
            z = interpolated(found.z[0], found.z[1], options.steps)
            image = interpolation_grid(model, z, (np.ascontiguousarray(targets[0]), np.ascontiguousarray(targets[1])))
            provenance.write_png(part / f"{OWN[1]}.png", image, name)
            _write_video(part / f"{OWN[1]}.mp4", options, model, z, name)
        new.commit()
    say(f"{options.out} is written")


def _write(path: Path, found: Any, i: int, run: str) -> None:
    """Face number i: image, landmarks and latent."""
    image, points = to_bytes(found.image[i]), np.asarray(found.landmarks[i], np.float64)
    provenance.write_png(path.with_name(f"{path.name}.png"), image, run)
    path.with_name(f"{path.name}.pts").write_text(pts.text(to_pixels(points, *image.shape[1::-1])))
    about = {
        "made_by": provenance.sentence(run),
        "source_type": provenance.SOURCE_TYPE,
        "error": float(found.error[i]) / 2,
        "updates": int(found.updates[i]),
        "z": np.asarray(found.z[i]).tolist(),
        "landmarks": points.tolist(),
    }
    path.with_name(f"{path.name}.json").write_text(json.dumps(about, indent=1) + "\n")


def _grid(options: Options, model: Inverter, faces: Faces, found: Any) -> UInt8[np.ndarray, "H W 3"]:
    scheme, size = model.info.scheme, model.info.size
    generated = to_bytes(found.image)
    rows = [
        GridRow(
            path.stem,
            [faces[i], generated[i], draw_landmarks(found.landmarks[i], scheme, size, on=generated[i])],
            ["", f"error {found.error[i] / 2:.1%}", ""],
        )
        for i, path in enumerate(options.files)
    ]
    return image_grid(rows, ["photo", "generated from z", "landmarks"], size)


def _write_video(path: Path, options: Options, model: Inverter, z: Float32[np.ndarray, "steps 64"], run: str) -> None:
    """There and back, with landmarks beside the faces."""
    size, scheme = model.info.size, model.info.scheme
    side = size * max(1, -(-_SHOWN // size))
    frames = []
    for face, points in zip(to_bytes(model.generate(z)), model.landmarks(z)):
        drawn = draw_landmarks(points, scheme, size, on=face)
        both = [cv2.resize(each, (side, side), interpolation=cv2.INTER_CUBIC) for each in (face, drawn)]
        frames.append(provenance.mark(np.concatenate(both, 1)))
    with output.open_output(path, open_source(options.files[0]), run) as destination:
        for place, frame in enumerate([*frames, *frames[-2:0:-1]]):
            for tick in range(_TICKS):
                destination.write(frame, place * _TICKS + tick)
        destination.finish(complete=True)
        destination.commit()
