"""Images, image grids and videos that the editor generates from landmarks. Slow: call them in a thread."""

from __future__ import annotations

import dataclasses
import itertools
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8

from lgan_jax.apps.edit import shapes
from lgan_jax.apps.edit.protocol import Look
from lgan_jax.apps.shared.training_distance import TrainingDistance
from lgan_jax.media import image_grid, images, output, provenance
from lgan_jax.media.images import to_bytes
from lgan_jax.media.source import Source
from lgan_jax.protocols import ClampingReenactor

Maker = Callable[[np.ndarray], np.ndarray]  # landmarks (N, 2) to the images (people, size, size, 3) of a look

_COLUMNS = 8  # of an image grid
_HOLD, _MOVE = 10, 20  # frames, at 25 a second, of an edit at rest, and of the transition to the next
_LEAST_SIDE = 256  # of a video's images in pixels


class Generated(NamedTuple):
    """Images of each of n people, the landmarks that their generators were given, and the networks' time.

    `clamped` is the share in [0, 1] of the edit that the constraint took away, 0 where it is off or there is none.
    """

    images: UInt8[np.ndarray, "n size size 3"]
    landmarks: Float32[np.ndarray, "n N 2"]
    clamped: Float32[np.ndarray, " n"]
    seconds: float


@dataclasses.dataclass(frozen=True)
class Studio:
    """A model, with sliders and a distance learned from its training landmarks.

    Attributes:
      model: the trained LandmarkGAN.
      name: of its run, written into every file.
      known: its training landmarks.
      sliders: learned from them.
      coverage: distance of landmarks to them.
      marked: whether videos carry a small visible mark.
      framing: landmarks that define the run's frame; `known` by default.
    """

    model: ClampingReenactor
    name: str
    known: Mapping[str, np.ndarray]
    sliders: tuple[shapes.Slider, ...]
    coverage: TrainingDistance
    marked: bool
    framing: Mapping[str, np.ndarray]

    @classmethod
    def of(
        cls,
        model: Any,
        name: str,
        known: Mapping[str, np.ndarray],
        marked: bool = True,
        framing: Mapping[str, np.ndarray] | None = None,
    ) -> Studio:
        """Learns from the training landmarks `known`. Raises `ValueError` where they are too few."""
        learned = shapes.learn_sliders(known, model.info.scheme)
        return cls(model, name, known, learned, TrainingDistance(known), marked, framing or known)

    def make(self, landmarks: Float32[np.ndarray, "N 2"], look: Look) -> Generated:
        """One image for each of `look.people`.

        A blend with a second person t₂ mixes the outputs of both decoders, (1 − a)·Ψ_t(Φ(L)) + a·Ψ_t₂(Φ(L)); both
        generators draw these common landmarks, and their images are mixed likewise. Networks that were trained apart
        have no common parameters to mix. (Ours; the paper has no such blend.)
        """
        start = time.perf_counter()
        people = list(look.people)
        points, clamped = self._converted(landmarks, people, look)
        blended = look.to is not None and look.amount > 0
        if blended:
            second, _ = self._converted(landmarks, [look.to], look)
            points = ((1 - look.amount) * points + look.amount * second).astype(np.float32)
        floats = np.asarray(self.model.synthesize(points, people, convert=False))
        if blended:
            others = self.model.synthesize(points, [look.to] * len(people), convert=False)
            floats = (1 - look.amount) * floats + look.amount * np.asarray(others)
        seconds = time.perf_counter() - start
        return Generated(to_bytes(floats), points, clamped, seconds)

    def _converted(self, landmarks: np.ndarray, people: list[int], look: Look) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks for each of these people, and how much of the edit the constraint took away."""
        repeated, free = np.repeat(landmarks[None], len(people), axis=0), np.zeros(len(people), np.float32)
        if not look.convert:
            return repeated, free
        constrain = look.constrain and bool(self.model.constraint)
        clamped = np.asarray(self.model.clamped(repeated, people), np.float32) if constrain else free
        return np.asarray(self.model.convert(repeated, people, constrain)), clamped

    def png(self, landmarks: Float32[np.ndarray, "N 2"], look: Look) -> bytes:
        """The images side by side, as a PNG file with provenance metadata."""
        return provenance.png_bytes(np.concatenate(self.make(landmarks, look).images, 1), self.name)

    def grid(self, edits: Float32[np.ndarray, "n N 2"], look: Look, make: Maker) -> bytes:
        """Edits from left to right, their landmarks above the faces (Fig. 4 of the paper), as a PNG file."""
        info, generated = self.model.info, [make(edit) for edit in edits]
        rows = []
        for first in range(0, len(edits), _COLUMNS):
            places = range(first, min(first + _COLUMNS, len(edits)))
            free = [None] * (min(_COLUMNS, len(edits)) - len(places))
            drawn = [image_grid.draw_landmarks(edits[i], info.scheme, info.size) for i in places]
            rows.append(image_grid.GridRow("landmarks", [*drawn, *free]))
            for row, person in enumerate(look.people):
                rows.append(image_grid.GridRow(info.identities[person], [*(generated[i][row] for i in places), *free]))
        columns = [""] * len(rows[0].cells)
        return provenance.png_bytes(image_grid.image_grid(rows, columns, info.size), self.name)

    def video(self, edits: Float32[np.ndarray, "n N 2"], make: Maker) -> bytes:
        """A short video from each edit to the next, as an MP4 file with provenance metadata.

        Raises `ModuleNotFoundError` where PyAV is missing.
        """
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "edits.mp4"
            video = output.Video(path, Source(Path(folder), "folder", (), 0), self.name)
            for time, points in enumerate(steps(edits)):
                frame = _row(make(points))
                video.write(provenance.mark(frame, self.marked), time)
            video.finish(complete=True)
            video.commit()
            return path.read_bytes()


def steps(edits: Float32[np.ndarray, "n N 2"]) -> list[np.ndarray]:
    """The landmarks of each frame of a video that rests at each edit and glides to the next."""
    t = (np.arange(1, _MOVE + 1) / (_MOVE + 1))[:, None, None]
    eased = t * t * (3 - 2 * t)
    found = [edits[0]] * _HOLD
    for one, other in itertools.pairwise(edits):
        found += [*((1 - eased) * one + eased * other).astype(np.float32), *([other] * _HOLD)]
    return found


def _row(faces: UInt8[np.ndarray, "n size size 3"]) -> UInt8[np.ndarray, "H W 3"]:
    """Images side by side, small ones enlarged by a whole factor."""
    size = faces.shape[1]
    factor = -(-_LEAST_SIDE // size)
    return np.concatenate([images.resized(face, factor * size) for face in faces], 1)
