"""How smooth a reenacted video is: its mean change between neighboring frames, over that of the video that drives it.

  python -m lgan_jax.apps.reenact --workdir RUN --driving IN.mp4 --target NAME --no-visible-mark --out OUT.mp4
  python -m studies.reenact_smoothness --driving IN.mp4 --reenacted OUT.mp4
  python -m studies.reenact_smoothness --driving IN.mp4 --reenacted GRID.mp4 --cells 3

Both are compared as aligned crops of the same size: the driver's face is located and aligned in each frame as `reenact`
does, and every generated face is a crop already. A change is the mean absolute difference of two neighboring frames,
images in [0, 1]; frames without a face, which repeat another, do not count, nor those after them. A grid (`--target
all`) has its cells row by row. Prints one line a face: its change, the driver's, and their ratio.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lgan_jax import cli
from lgan_jax.apps.reenact.layout import columns, enlarged
from lgan_jax.apps.shared.face_reader import Locator
from lgan_jax.core import FaceInfo
from lgan_jax.faces.align import MEAN_FACE
from lgan_jax.landmarks import IBUG68
from lgan_jax.media.source import Source, open_source

_FILLED = 0.86  # of the crop, by the mean face, as `prepare` frames faces


def main() -> int:
    """Reads the flags and prints the changes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--driving", type=Path, required=True, metavar="IN")
    parser.add_argument("--reenacted", type=Path, required=True, metavar="OUT")
    parser.add_argument("--cells", type=int, default=1, help="faces in each frame (default: %(default)s)")
    given = parser.parse_args()
    driving, reenacted = open_source(given.driving), open_source(given.reenacted)
    faces = list(generated(reenacted, given.cells))
    crops = list(aligned(driving, faces[0].shape[1]))
    if len(crops) != len(faces):
        raise ValueError(f"{given.driving} has {len(crops)} frames, {given.reenacted} has {len(faces)}")
    seen = np.array([crop is not None for crop in crops])
    own = change(np.stack([np.zeros_like(faces[0][0]) if crop is None else crop for crop in crops]), seen)
    for cell in range(given.cells):
        made = change(np.stack([frame[cell] for frame in faces]), seen)
        print(f"face {cell}: change {made:.4f}, the driver's {own:.4f}, ratio {made / own:.2f}")
    return 0


def change(frames: np.ndarray, seen: np.ndarray) -> float:
    """The mean absolute difference of neighboring frames `(n, H, W, 3)`, uint8, where both are `seen`; in [0, 1]."""
    both = seen[1:] & seen[:-1]
    if not both.any():
        raise ValueError("no two neighboring frames show the driver's face")
    differences = [np.abs(frames[i + 1].astype(np.float32) - frames[i]).mean() for i in np.flatnonzero(both)]
    return float(np.mean(differences)) / 255


def generated(source: Source, cells: int) -> Iterator[np.ndarray]:
    """The faces `(cells, size, size, 3)` of each frame of a reenacted video."""
    wide = columns(cells)
    for frame in source.frames():
        size = frame.image.shape[1] // wide
        places = [divmod(cell, wide) for cell in range(cells)]
        yield np.stack(
            [frame.image[row * size : (row + 1) * size, column * size : (column + 1) * size] for row, column in places]
        )


def aligned(source: Source, size: int) -> Iterator[np.ndarray | None]:
    """The driver's aligned crop of each frame, None without a face."""
    framing = {"mean": (0.5 + (MEAN_FACE[None] - 0.5) * _FILLED).astype(np.float32)}
    locator = Locator(framing, FaceInfo(IBUG68, size, ("driver",)))
    for frame in source.frames():
        face = locator.locate(frame.image)
        yield None if face is None else enlarged(face.crop, size)


if __name__ == "__main__":
    sys.exit(cli.run(main, "reenact_smoothness"))
