"""Small videos and photos of built-in faces, for the tests of `prepare`."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import cv2
import numpy as np

from lgan_jax.data import synthetic
from lgan_jax.landmarks import WFLW98_TO_IBUG68

_MATRIX = 40  # bytes into a track header's payload (version 0) where the display matrix begins


@functools.cache
def face(
    person: int = 0, size: int = 224, yaw: float = 0.0, expression: str = "neutral"
) -> tuple[np.ndarray, np.ndarray]:
    """A built-in person's image, uint8 `(size, size, 3)`, and the 68 landmarks, fractions of it."""
    sample = synthetic.sample(synthetic.Settings(identities=4), "train", person)
    sample = dataclasses.replace(sample, yaw=yaw, pitch=0.0, roll=0.0, gaze=(0.0, 0.0), shift=(0.0, 0.0), scale=0.325)
    drawn = synthetic.draw(sample.with_expression(expression), size)
    return drawn["image"], drawn["landmarks"][WFLW98_TO_IBUG68]


def scene(*placed: tuple[np.ndarray, int, int], width: int = 320, height: int = 256) -> np.ndarray:
    """A gray image with images pasted at (left, top)."""
    result = np.full((height, width, 3), 96, np.uint8)
    for image, left, top in placed:
        result[top : top + image.shape[0], left : left + image.shape[1]] = image
    return result


def moving(person: int, count: int) -> list[np.ndarray]:
    """Frames in which a person drifts to the right by two pixels a frame."""
    return [scene((face(person)[0], 20 + 2 * i, 16)) for i in range(count)]


def write_video(path: Path, frames: list[np.ndarray], sound_only: bool = False) -> Path:
    """An H.264 MP4 of uint8 RGB frames, at high quality; or one with nothing but a second of silence."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        if sound_only:
            stream = container.add_stream("aac", rate=44100)
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), format="fltp", layout="mono")
            silence.rate = 44100
            container.mux([*stream.encode(silence), *stream.encode(None)])
            return path
        stream = container.add_stream("libx264", rate=25, options={"crf": "12", "g": "8"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def turn_clockwise(path: Path) -> None:
    """Sets the flag that makes a player turn the video a quarter clockwise: (x, y) → (−y, x), y pointing down."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + _MATRIX
    one = 1 << 16
    turn = [0, one, 0, -one, 0, 0, 0, 0, 1 << 30]
    data[matrix : matrix + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in turn)
    path.write_bytes(data)


def write_photo(path: Path, image: np.ndarray) -> Path:
    """A JPEG file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes())
    return path
