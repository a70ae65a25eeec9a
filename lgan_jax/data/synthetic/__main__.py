"""A sheet of built-in faces: `python -m lgan_jax.data.synthetic OUT.png`.

One row a person: the eight expressions, then turned heads. `--wild` draws strangers in place of the cast, `--landmarks`
draws WFLW's 98 points on top.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

import cv2
import numpy as np

from lgan_jax import files
from lgan_jax.action_units import EXPRESSIONS
from lgan_jax.data.synthetic import Sample, Settings, draw, sample
from lgan_jax.data.synthetic.canvas import fixed
from lgan_jax.frames import to_pixels

_POSES = ((-35, 0, 0), (-18, 8, -8), (18, -12, 8), (35, 0, 0))  # yaw, pitch, roll


def main(arguments: list[str] | None = None) -> None:
    """Reads the command line and writes the sheet."""
    parser = argparse.ArgumentParser(prog="python -m lgan_jax.data.synthetic", description="A sheet of built-in faces.")
    parser.add_argument("out", type=Path, help="the picture to write (.png, .jpg)")
    parser.add_argument("--size", type=int, default=128, help="side of one face in pixels (default 128)")
    parser.add_argument("--people", type=int, default=5, help="number of people (default 5)")
    parser.add_argument("--seed", type=int, default=0, help="changes the people (default 0)")
    parser.add_argument(
        "--wild", action="store_true", help="strangers, each with a light and a background of their own"
    )
    parser.add_argument("--landmarks", action="store_true", help="draw the landmarks")
    chosen = parser.parse_args(arguments)
    try:
        settings = Settings(chosen.people, seed=chosen.seed, variation="wild" if chosen.wild else "video")
        sheet = _sheet(settings, chosen.size, chosen.landmarks)
        encoded, data = cv2.imencode(chosen.out.suffix or ".png", sheet[..., ::-1])
        if not encoded:
            raise ValueError(f"cannot write pictures as {chosen.out.suffix!r}; use .png or .jpg")
        files.write_bytes(chosen.out, data.tobytes())
    except (ValueError, OSError, cv2.error) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def _sheet(settings: Settings, size: int, landmarks: bool) -> np.ndarray:
    rows = []
    for index in range(settings.identities):
        drawn = sample(settings, "test", index)
        still = dataclasses.replace(drawn, yaw=0.0, pitch=0.0, roll=0.0, gaze=(0.0, 0.0), shift=(0.0, 0.0))
        faces = [still.with_expression(name) for name in EXPRESSIONS]
        for yaw, pitch, roll in _POSES:
            faces.append(dataclasses.replace(faces[0], yaw=float(yaw), pitch=float(pitch), roll=float(roll)))
        rows.append(np.concatenate([_picture(face, size, landmarks) for face in faces], 1))
    return np.concatenate(rows)


def _picture(face: Sample, size: int, landmarks: bool) -> np.ndarray:
    drawn = draw(face, size)
    image = drawn["image"]
    if landmarks:
        for x, y in fixed(to_pixels(drawn["landmarks"], size, size)):
            cv2.circle(image, (int(x), int(y)), max(16, size // 8), (80, 255, 80), -1, cv2.LINE_AA, 4)
    return image


if __name__ == "__main__":
    main()
