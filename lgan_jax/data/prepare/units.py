"""Action units of a prepared person, estimated from the landmarks or from the Face Landmarker's blendshape scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from lgan_jax import action_units, files
from lgan_jax.data.builders import openface
from lgan_jax.data.prepare.output_folder import annotated
from lgan_jax.faces.face_landmarker import FaceLandmarker
from lgan_jax.faces.face_landmarker.action_units import ESTIMATED as FROM_BLENDSHAPES
from lgan_jax.faces.unit_estimate import ESTIMATED, estimate, neutral_head
from lgan_jax.landmarks import IBUG68
from lgan_jax.media import images

UNITS = "action_units.csv"
_NOTE = "An estimate by lgan_jax from {}, from 0 to 5 as OpenFace's; units that they do not show are omitted"
_CHUNK = 64  # crops in memory


def add_units(folder: Path, landmarker: FaceLandmarker | None = None) -> None:
    """Writes the action units of a prepared person's images beside the landmarks, if missing.

    With `landmarker`, they are estimated from its blendshape scores; images without a detected face are skipped.
    """
    file = folder / UNITS
    if file.exists():
        return
    points, names = annotated(folder)
    if landmarker is None:
        units, numbers = estimate(points, neutral_head(points, IBUG68), IBUG68), ESTIMATED
        note = "landmarks, relative to the person's neutral face"
    else:
        units, numbers = np.concatenate(list(_blendshape_units(folder, names, landmarker))), FROM_BLENDSHAPES
        note = f"the blendshape scores of Google's Face Landmarker (SHA-256 {landmarker.bundle.checksum})"
        found = np.isfinite(units).all(1)
        units, names = units[found], [name for name, each in zip(names, found, strict=True) if each]
    files.write_bytes(file, openface.table_text(names, units, numbers, _NOTE.format(note)).encode())


def _blendshape_units(folder: Path, names: Sequence[str], landmarker: FaceLandmarker) -> Iterator[np.ndarray]:
    columns = [action_units.NUMBERS.index(number) for number in FROM_BLENDSHAPES]
    for first in range(0, len(names), _CHUNK):
        crops = [images.decode((folder / "Image" / name).read_bytes()) for name in names[first : first + _CHUNK]]
        yield landmarker.action_units(crops, aligned=True)[:, columns]
