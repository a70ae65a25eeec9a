"""The target landmarks of a projection: a face's own, or its change from rest added to the source's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from lgan_jax.apps.project import aligned
from lgan_jax.apps.project.aligned import Face
from lgan_jax.apps.project.command import Options
from lgan_jax.media.images import to_floats
from lgan_jax.methods.projection.projector import Projector

Points = Float32[np.ndarray, "n N 2"]


def landmarks(
    faces: Sequence[Face], projector: Projector, shifts: Points | None = None
) -> Float32[np.ndarray, "n side side 3"] | Points:
    """The projector's input for n faces: the landmarks plus `shifts`, one for each.

    Without shifts, and where no landmarks are known: the crops, for the projector's network.
    """
    if shifts is None and all(face.landmarks is None for face in faces):
        return to_floats(np.stack([face.crop for face in faces]))
    points = np.stack([aligned.landmarks(face, projector) for face in faces])
    return points if shifts is None else points + shifts


def at_rest(options: Options, moving: bool) -> Path | int | None:
    """The starting point of `--relative`: a photo, or of a video the number of a frame, None to have it found.

    Raises `ValueError` for a --neutral that is missing or means nothing, and `FileNotFoundError` without the photo.
    """
    if not options.relative:
        return None
    if moving:
        if options.neutral is not None and not options.neutral.isdecimal():
            raise ValueError(f"--neutral {options.neutral}: of a video it is the number of a frame, from 0 on")
        return None if options.neutral is None else int(options.neutral)
    if options.neutral is None:
        raise ValueError("--relative needs --neutral PHOTO: the person of --landmarks, at rest")
    aligned.check(Path(options.neutral), "--neutral")
    return Path(options.neutral)


def shift(look: Face, at_rest: Float32[np.ndarray, "N 2"], projector: Projector) -> Float32[np.ndarray, "N 2"]:
    """From the landmarks of another person at rest to those of the look, which counts as at rest."""
    return aligned.landmarks(look, projector) - at_rest


def shown(
    pair: tuple[Face, Face], projector: Projector, shift: Float32[np.ndarray, "N 2"] | None = None
) -> tuple[aligned.Image, Float32[np.ndarray, "N 2"]]:
    """An image to draw the target landmarks over, and the landmarks: the driving crop, or with a shift the source."""
    look, other = pair
    points = aligned.landmarks(other, projector)
    return (other.crop, points) if shift is None else (look.crop, points + shift)
