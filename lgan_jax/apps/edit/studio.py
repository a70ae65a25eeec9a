"""What the editor makes of landmarks: pictures, sheets and videos. All of it may take long: call it in a thread."""

from __future__ import annotations

import dataclasses
import itertools
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8

from lgan_jax.apps import output, provenance
from lgan_jax.apps.coverage import Coverage
from lgan_jax.apps.edit import shapes
from lgan_jax.apps.edit.protocol import Look
from lgan_jax.apps.video import Source
from lgan_jax.media import image_grid, images
from lgan_jax.media.images import to_bytes
from lgan_jax.protocols import Reenactor

Maker = Callable[[np.ndarray], np.ndarray]  # landmarks (N, 2) to the pictures (people, size, size, 3) of a look

_COLUMNS = 8  # of a sheet
_HOLD, _MOVE = 10, 20  # frames, at 25 a second, that an edit is held, and that the way to the next one takes
_LEAST_SIDE = 256  # of a video's pictures in pixels


@runtime_checkable
class Model(Reenactor, Protocol):
    """What the editor needs of a trained LandmarkGAN beside what an evaluation does."""

    def clamped(self, landmarks: Any, target: Any) -> Any:
        """How much of landmarks, converted to the targets, the constraint takes away: `(n,)` in [0, 1]."""


class Made(NamedTuple):
    """Pictures of each of n people, the landmarks that their generators were given, and the networks' time.

    `clamped` is the share in [0, 1] of the edit that the constraint took away, 0 where it is off or there is none.
    """

    pictures: UInt8[np.ndarray, "n size size 3"]
    landmarks: Float32[np.ndarray, "n N 2"]
    clamped: Float32[np.ndarray, " n"]
    seconds: float


@dataclasses.dataclass(frozen=True)
class Studio:
    """A model with what its training landmarks teach.

    Attributes:
      model: the trained LandmarkGAN.
      name: of its run, written into every file.
      known: its training landmarks.
      sliders: learned from them.
      coverage: likewise.
      marked: whether videos carry a small visible mark.
      framing: landmarks that say how the run's faces are framed; those of `known` where there are no others.
    """

    model: Model
    name: str
    known: Mapping[str, np.ndarray]
    sliders: tuple[shapes.Slider, ...]
    coverage: Coverage
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
        return cls(model, name, known, learned, Coverage(known), marked, framing or known)

    def make(self, landmarks: Float32[np.ndarray, "N 2"], look: Look) -> Made:
        """One picture for each of `look.people`.

        A blend with a second person t₂ mixes the outputs of both decoders, (1 − a)·Ψ_t(Φ(L)) + a·Ψ_t₂(Φ(L)); both
        generators draw these common landmarks, and their pictures are mixed likewise. Networks that were trained apart
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
        return Made(to_bytes(floats), points, clamped, seconds)

    def _converted(self, landmarks: np.ndarray, people: list[int], look: Look) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks for each of these people, and how much of the edit the constraint took away."""
        repeated, free = np.repeat(landmarks[None], len(people), axis=0), np.zeros(len(people), np.float32)
        if not look.convert:
            return repeated, free
        constrain = look.constrain and bool(self.model.constraint)
        clamped = np.asarray(self.model.clamped(repeated, people), np.float32) if constrain else free
        return np.asarray(self.model.convert(repeated, people, constrain)), clamped

    def png(self, landmarks: Float32[np.ndarray, "N 2"], look: Look) -> bytes:
        """The pictures side by side, as a PNG file that says what made it."""
        return provenance.png_bytes(np.concatenate(self.make(landmarks, look).pictures, 1), self.name)

    def sheet(self, edits: Float32[np.ndarray, "n N 2"], look: Look, make: Maker) -> bytes:
        """Edits from left to right, their landmarks above the faces (Fig. 4 of the paper), as a PNG file."""
        info, made = self.model.info, [make(edit) for edit in edits]
        rows = []
        for first in range(0, len(edits), _COLUMNS):
            places = range(first, min(first + _COLUMNS, len(edits)))
            free = [None] * (min(_COLUMNS, len(edits)) - len(places))
            drawn = [image_grid.draw_landmarks(edits[i], info.scheme, info.size) for i in places]
            rows.append(image_grid.GridRow("landmarks", [*drawn, *free]))
            for row, person in enumerate(look.people):
                rows.append(image_grid.GridRow(info.identities[person], [*(made[i][row] for i in places), *free]))
        columns = [""] * len(rows[0].cells)
        return provenance.png_bytes(image_grid.image_grid(rows, columns, info.size), self.name)

    def video(self, edits: Float32[np.ndarray, "n N 2"], make: Maker) -> bytes:
        """A short film from each edit to the next, as an MP4 file that says what made it.

        Raises `ModuleNotFoundError` where PyAV is missing.
        """
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "edits.mp4"
            film = output.Video(path, Source(Path(folder), "folder", (), 0), self.name)
            for time, points in enumerate(steps(edits)):
                frame = _row(make(points))
                film.write(provenance.mark(frame) if self.marked else frame, time)
            film.finish(complete=True)
            film.commit(path)
            return path.read_bytes()


def steps(edits: Float32[np.ndarray, "n N 2"]) -> list[np.ndarray]:
    """The landmarks of each frame of a film that rests at each edit and glides to the next."""
    t = (np.arange(1, _MOVE + 1) / (_MOVE + 1))[:, None, None]
    eased = t * t * (3 - 2 * t)
    found = [edits[0]] * _HOLD
    for one, other in itertools.pairwise(edits):
        found += [*((1 - eased) * one + eased * other).astype(np.float32), *([other] * _HOLD)]
    return found


def _row(pictures: UInt8[np.ndarray, "n size size 3"]) -> UInt8[np.ndarray, "H W 3"]:
    """Pictures side by side, small ones enlarged by a whole factor."""
    size = pictures.shape[1]
    factor = -(-_LEAST_SIDE // size)
    return np.concatenate([images.resized(picture, factor * size) for picture in pictures], 1)
