"""Tiny copies of CK+ and Oulu-CASIA in their owners' layouts, with drawn faces that dlib finds."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from small_videos import face, scene

from lgan_jax.action_units import EXPRESSIONS

PLACE = (60, 20)  # of the face in a frame, pixels from the left and from the top
SIDE = 224  # of the face's image


def frame(person: int, expression: str) -> np.ndarray:
    """A frame of 320×256 pixels, uint8 RGB."""
    return scene((face(person, SIDE, expression=expression)[0], *PLACE))


def landmarks(person: int, expression: str) -> np.ndarray:
    """The 68 landmarks of that frame, in pixels with 0 at the center of the first one."""
    return face(person, SIDE, expression=expression)[1] * SIDE + PLACE - 0.5


def write(path: Path, image: np.ndarray) -> Path:
    """An image file, of an RGB image or a gray one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)
    return path


def recording(folder: Path, person: int, expression: str, names: list[str]) -> None:
    """Frames of these names: the first half neutral, then the expression; one in the middle is noise."""
    for i, name in enumerate(names):
        image = frame(person, "neutral" if i < len(names) // 2 else expression)
        if len(names) % 2 and i == len(names) // 2:
            image = np.random.default_rng(i).integers(0, 256, image.shape, np.uint8)
        write(folder / name, image)


def ck_plus(root: Path, recordings: dict[str, tuple[int, str]], count: int = 7) -> Path:
    """Writes `recordings` ("S###/###" → person and expression), of `count` frames each, and returns the root."""
    for name, (person, expression) in recordings.items():
        start = name.replace("/", "_")
        names = [f"{start}_{i + 1:08d}" for i in range(count)]
        recording(root / "cohn-kanade-images" / name, person, expression, [f"{each}.png" for each in names])
        label(root, name, f"   {EXPRESSIONS.index(expression):.7e}\n", f"{names[-1]}_emotion.txt")
    return root


def label(root: Path, name: str, text: str, file: str) -> None:
    """A label file of a sequence of CK+."""
    folder = root / "Emotion" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(text)


def oulu_casia(root: Path, recordings: dict[str, tuple[int, str]], count: int = 6) -> Path:
    """Writes `recordings` ("P###/Expression" → person and expression), of `count` frames each, and returns the root."""
    for name, (person, expression) in recordings.items():
        names = [f"{i:03d}.jpeg" for i in range(count)]
        recording(root / "VL" / "Strong" / name, person, expression, names)
    return root
