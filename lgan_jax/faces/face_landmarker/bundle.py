"""Google's Face Landmarker bundle: a zip of three TensorFlow Lite networks. No code in it is run.

Published by Google's MediaPipe under Apache-2.0, at `SOURCE`; the user downloads it and names the file, by an option or
the environment variable `VARIABLE`. One version is read, whose figures are known (docs/face_landmarker.md).
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lgan_jax import untrusted
from lgan_jax.faces.face_landmarker import tflite
from lgan_jax.faces.face_landmarker.tflite import Network
from lgan_jax.media.files import given

VARIABLE = "LGAN_JAX_FACE_LANDMARKER"
SOURCE = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"
)
CHECKSUM = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
_MOST = 64 * 2**20  # bytes of a bundle
_PARTS = {
    "detector": "face_detector.tflite",
    "mesh": "face_landmarks_detector.tflite",
    "blendshapes": "face_blendshapes.tflite",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Bundle:
    """The networks of a bundle.

    Attributes:
      checksum: SHA-256 of the file.
      detector: `(1, 128, 128, 3)` in [-1, 1] → boxes and keypoints of 896 anchors, and their scores.
      mesh: `(1, 256, 256, 3)` in [0, 1] → 478 points in pixels of it, and the logit that there is a face.
      blendshapes: `(1, 146, 2)` points in pixels → 52 scores in [0, 1].
    """

    checksum: str
    detector: Network
    mesh: Network
    blendshapes: Network

    @property
    def weights(self) -> dict[str, Mapping[str, np.ndarray]]:
        """The weights of all networks, by network and tensor."""
        return {name: getattr(self, name).weights for name in _PARTS}


def located(path: str | os.PathLike | None, option: str) -> Path:
    """The bundle's file: `path`, else what the environment variable names.

    Raises `FileNotFoundError` where neither names a file; it names `option`, the variable and the source.
    """
    named = path or os.environ.get(VARIABLE)
    advice = f"download {SOURCE} and name the file by {option} or {VARIABLE}"
    if not named:
        raise FileNotFoundError(f"the Face Landmarker needs Google's face_landmarker.task: {advice}")
    file = given(named)
    if not file.exists():
        raise FileNotFoundError(f"there is no file {file}: {advice}")
    return file


def read(path: Path) -> Bundle:
    """The networks of a bundle.

    Raises `ValueError`, one line that names the file, for a file that is damaged, another bundle or another version of
    this one (its checksum and its parts are named); `OSError` where it cannot be read.
    """
    checksum = hashlib.sha256(untrusted.read_bytes(path, _MOST)).hexdigest()
    try:
        with untrusted.Archive(path) as archive:
            _check(archive, checksum)
            networks = {name: tflite.read(archive.read(part)) for name, part in _PARTS.items()}
    except ValueError as error:
        advice = f"download {SOURCE} again"
        raise ValueError(f"{path} cannot be read: {' '.join(str(error).split()):.500}; {advice}") from None
    return Bundle(checksum, **networks)


def _check(archive: untrusted.Archive, checksum: str) -> None:
    """Raises `ValueError` unless this is the version that is known."""
    if checksum == CHECKSUM:
        return
    parts = f"SHA-256 {checksum}, parts {', '.join(archive.names) or 'none'}"
    if lacking := sorted(set(_PARTS.values()) - set(archive.names)):
        raise ValueError(f"it is another bundle ({parts:.300}) and lacks {', '.join(lacking)}")
    raise ValueError(f"it is another version of the bundle ({parts:.300}); the one that is read has SHA-256 {CHECKSUM}")
