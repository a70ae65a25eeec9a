"""The folder that a projection leaves: pictures, w, and a video of how it came about."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from lgan_jax import files
from lgan_jax.apps import output, provenance
from lgan_jax.apps.project.aligned import Face
from lgan_jax.apps.video import Source
from lgan_jax.landmarks import Scheme
from lgan_jax.media import image_grid
from lgan_jax.media.images import encode_png, resized, to_bytes, to_floats
from lgan_jax.methods.projection.projector import Projection, Projector

_SMALLEST = 256  # pixels a side of a picture to draw landmarks on: on a smaller one they would hide the face
_LARGEST = 512  # pixels a side of a panel of the video
_RATE = Fraction(25)

Picture = UInt8[np.ndarray, "_ _ 3"]
Points = Float32[np.ndarray, "N 2"]


def check(out: Path) -> None:
    """Whether a folder can be written, found out before any work.

    Raises `FileNotFoundError` without the folder around it, `FileExistsError` where it has something in it already.
    """
    if not out.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {out.parent} for --out {out.name}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"--out {out} is there already: choose a new or an empty folder")


@contextlib.contextmanager
def folder(out: Path) -> Iterator[Path]:
    """A hidden folder to write into, which becomes `out` at the end; nothing is left of it after an exception."""
    with files.Replacement(out, folder=True) as new, new.named():
        yield new.part
        new.commit()


def write(
    out: Path,
    pairs: Sequence[tuple[Face, Face]],
    wanted: Sequence[tuple[Picture, Points]],
    projector: Projector,
    found: Projection,
    tracks: Sequence[np.ndarray],
    options: Any,
) -> None:
    """Writes the folder `out`; with a folder for each pair where there are several.

    Args:
      out: see `check`.
      pairs: the aligned photos.
      wanted: the landmarks of each pair, and a picture to draw them over.
      projector: what drew.
      found: a row for each pair.
      tracks: the styles that each passed through.
      options: the command's, with `made_by` and `visible_mark`.
    """
    with folder(out) as part:
        for i, (look, landmarks) in enumerate(pairs):
            own = part if len(pairs) == 1 else part / f"{i:03d}-{look.name}-{landmarks.name}"
            own.mkdir(exist_ok=True)
            one = Projection(*_row(tuple(found), i))
            _write_one(
                own, look, landmarks, with_landmarks(*wanted[i], projector.scheme), projector, one, tracks[i], options
            )


def with_landmarks(picture: Picture, landmarks: Points, scheme: Scheme) -> Picture:
    """A picture, of 256 pixels at least, with landmarks in [0, 1] drawn over it."""
    large = resized(picture, max(_SMALLEST, len(picture)))
    return image_grid.trace(large, landmarks, scheme, image_grid.LINE, image_grid.POINT)


def with_seen_landmarks(picture: Picture, projector: Projector) -> Picture:
    """A picture as `with_landmarks` makes it, with those that the projector's network sees."""
    return with_landmarks(picture, projector.locate(to_floats(picture[None]))[0], projector.scheme)


def _write_one(
    folder: Path,
    look: Face,
    landmarks: Face,
    wanted: Picture,
    projector: Projector,
    one: Projection,
    track: np.ndarray,
    options: Any,
) -> None:
    """One pair; `one` has a leading axis of 1."""
    made, run = to_bytes(one.image)[0], options.made_by
    provenance.write_png(folder / "result.png", made, run)
    provenance.write_png(folder / "result-landmarks.png", with_seen_landmarks(made, projector), run)
    for name, face in (("look", look), ("landmarks", landmarks)):
        (folder / f"{name}.png").write_bytes(encode_png(face.crop))  # a photo, which no model made
    features, places = one.style.shape[-1], projector.generator.places
    np.savez(folder / "w.npz", w=np.broadcast_to(one.style.reshape(1, -1, features), (1, places, features)))
    _write_video(folder / "progress.mp4", look.crop, wanted, projector, one, track, options)


def _write_video(
    path: Path,
    look: Picture,
    wanted: Picture,
    projector: Projector,
    one: Projection,
    track: np.ndarray,
    options: Any,
) -> None:
    """Four panels: the look, what was made, the same with its landmarks, those that are wanted."""
    side = min(_LARGEST, max(_SMALLEST, projector.generator.size))
    made = output.Video(path, Source(path, "folder", (), len(track), _RATE, 1 / _RATE), options.made_by)
    last = resized(wanted, side)
    try:
        for time, style in enumerate(track):
            picture = to_bytes(projector.draw(style[None], one.noise))[0]
            panels = [look, picture, with_seen_landmarks(picture, projector)]
            frame = np.concatenate([*(resized(panel, side) for panel in panels), last], 1)
            made.write(provenance.mark(frame) if options.visible_mark else frame, time)
        made.finish(complete=True)
        made.commit(path)
    finally:
        made.discard()


def _row(tree: Any, i: int) -> Any:
    """One row of every array, with its axis."""
    if isinstance(tree, np.ndarray):
        return tree[i : i + 1]
    if isinstance(tree, dict):
        return {name: _row(values, i) for name, values in tree.items()}
    return [_row(values, i) for values in tree]
