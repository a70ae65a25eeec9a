"""The folder that a projection writes: images, w, and a video of the search."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from lgan_jax import files
from lgan_jax.apps.project.aligned import Face
from lgan_jax.landmarks import Scheme
from lgan_jax.media import image_grid, output, provenance
from lgan_jax.media.images import encode_png, resized, to_bytes, to_floats
from lgan_jax.media.source import Source
from lgan_jax.methods.projection.projector import Projection, Projector

_SMALLEST = 256  # pixels a side of an image to draw landmarks on: on a smaller one they would hide the face
_LARGEST = 512  # pixels a side of a panel of the video
_RATE = Fraction(25)

Image = UInt8[np.ndarray, "_ _ 3"]
Points = Float32[np.ndarray, "N 2"]


def check(out: Path) -> None:
    """Checks, before any work, that a folder can be written.

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
    targets: Sequence[tuple[Image, Points]],
    projector: Projector,
    found: Projection,
    tracks: Sequence[np.ndarray],
    options: Any,
) -> None:
    """Writes the folder `out`; with a folder for each pair where there are several.

    Args:
      out: see `check`.
      pairs: the aligned photos.
      targets: the landmarks of each pair, and an image to draw them over.
      projector: generated the images.
      found: a row for each pair.
      tracks: the styles along each search.
      options: the command's, with `made_by` and `visible_mark`.
    """
    with folder(out) as part:
        for i, (look, landmarks) in enumerate(pairs):
            own = part if len(pairs) == 1 else part / f"{i:03d}-{look.name}-{landmarks.name}"
            own.mkdir(exist_ok=True)
            one = Projection(*_row(tuple(found), i))
            _write_one(
                own, look, landmarks, with_landmarks(*targets[i], projector.scheme), projector, one, tracks[i], options
            )


def with_landmarks(image: Image, landmarks: Points, scheme: Scheme) -> Image:
    """An image, of 256 pixels at least, with landmarks in [0, 1] drawn over it."""
    large = resized(image, max(_SMALLEST, len(image)))
    return image_grid.trace(large, landmarks, scheme, image_grid.LINE, image_grid.POINT)


def with_seen_landmarks(image: Image, projector: Projector) -> Image:
    """An image as from `with_landmarks`, with the landmarks that the projector's network detects."""
    return with_landmarks(image, projector.locate(to_floats(image[None]))[0], projector.scheme)


def _write_one(
    folder: Path,
    look: Face,
    landmarks: Face,
    target: Image,
    projector: Projector,
    one: Projection,
    track: np.ndarray,
    options: Any,
) -> None:
    """One pair; `one` has a leading axis of 1."""
    result, run = to_bytes(one.image)[0], options.made_by
    provenance.write_png(folder / "result.png", result, run)
    provenance.write_png(folder / "result-landmarks.png", with_seen_landmarks(result, projector), run)
    for name, face in (("look", look), ("landmarks", landmarks)):
        (folder / f"{name}.png").write_bytes(encode_png(face.crop))  # a photo, not generated
    features, places = one.style.shape[-1], projector.generator.places
    np.savez(folder / "w.npz", w=np.broadcast_to(one.style.reshape(1, -1, features), (1, places, features)))
    _write_video(folder / "progress.mp4", look.crop, target, projector, one, track, options)


def _write_video(
    path: Path, look: Image, target: Image, projector: Projector, one: Projection, track: np.ndarray, options: Any
) -> None:
    """Four panels: the source, the generated image, the same with its landmarks, the target landmarks."""
    side = min(_LARGEST, max(_SMALLEST, projector.generator.size))
    source, last = Source(path, "folder", (), len(track), _RATE, 1 / _RATE), resized(target, side)
    with output.Video(path, source, options.made_by) as video:
        for time, style in enumerate(track):
            image = to_bytes(projector.draw(style[None], one.noise))[0]
            panels = [look, image, with_seen_landmarks(image, projector)]
            frame = np.concatenate([*(resized(panel, side) for panel in panels), last], 1)
            video.write(provenance.mark(frame, options.visible_mark), time)
        video.finish(complete=True)
        video.commit()


def _row(tree: Any, i: int) -> Any:
    """One row of every array, with its axis."""
    if isinstance(tree, np.ndarray):
        return tree[i : i + 1]
    if isinstance(tree, dict):
        return {name: _row(values, i) for name, values in tree.items()}
    return [_row(values, i) for values in tree]
