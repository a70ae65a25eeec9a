"""Sample images of a run as PNG files, one for each step: `images/<phase>/<name>/<step>.png`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from lgan_jax import files

_GUTTER = 2  # pixels between the cells of an image grid
_PAPER = 250  # gray level of the gutters


def image_grid(images: np.ndarray) -> np.ndarray:
    """Tiles `(rows, columns, H, W, 3)` in [-1, 1] into one uint8 RGB image grid with thin gutters.

    Raises `ValueError` for other shapes.
    """
    if images.ndim != 5 or images.shape[-1] != 3:
        raise ValueError(f"images must be (rows, columns, H, W, 3), not {images.shape}")
    rows, columns, height, width, _ = images.shape
    cells = np.round((np.clip(images.astype(np.float32), -1, 1) + 1) * 127.5).astype(np.uint8)
    padded = np.full((rows, columns, height + _GUTTER, width + _GUTTER, 3), _PAPER, np.uint8)
    padded[:, :, :height, :width] = cells
    tiled = padded.swapaxes(1, 2).reshape(rows * (height + _GUTTER), columns * (width + _GUTTER), 3)
    return tiled[:-_GUTTER, :-_GUTTER]


def save(folder: Path, step: int, image: np.ndarray) -> None:
    """Writes a uint8 RGB image of step `step` into `folder`. Raises `OSError` if it cannot be written."""
    files.make_folder(folder)
    _, png = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    files.write_bytes(folder / f"{step:08d}.png", png.tobytes())


def rewind(folder: Path, step: int) -> None:
    """Removes the images of a phase (all names) after `step`."""
    for path in folder.glob("*/*.png"):
        if int(path.stem) > step:
            path.unlink()


def history(workdir: Path) -> dict[str, dict[str, list[Path]]]:
    """Phase → name → paths relative to the run's folder, oldest step first."""
    found: dict[str, dict[str, list[Path]]] = {}
    for path in sorted((workdir / "images").glob("*/*/*.png")):
        names = found.setdefault(path.parts[-3], {})
        names.setdefault(path.parts[-2], []).append(path.relative_to(workdir))
    return found
