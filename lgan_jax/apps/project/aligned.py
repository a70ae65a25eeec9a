"""Photos aligned as FFHQ's were (Karras et al. 2019): turned and cropped by eyes and mouth."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from lgan_jax.apps import video
from lgan_jax.data import align, images
from lgan_jax.data.prepare.tracking import Tracker
from lgan_jax.evaluation.pictures import to_floats
from lgan_jax.faces import Faces
from lgan_jax.landmarks import IBUG68
from lgan_jax.methods.projection.projector import Projector, flat


class Face(NamedTuple):
    """The face in a photo.

    Attributes:
      name: the photo's, without its ending.
      crop: aligned, uint8 RGB.
    """

    name: str
    crop: UInt8[np.ndarray, "side side 3"]


def read(path: Path, flag: str, faces: Faces, size: int) -> Face:
    """The one face in the photo at `path`, cropped to `size` pixels.

    Raises `FileNotFoundError` without the file, `ValueError` for what is no photo, or has no face or more than one.
    """
    check(path, flag)
    return Face(path.stem, cut(images.decode(path.read_bytes()), f"{flag} {path}", Tracker(faces, size, False), size))


def check(path: Path, flag: str) -> None:
    """Whether there is one photo at `path`; raises as `read`."""
    if video.open_source(path).kind != "image":
        raise ValueError(f"{flag} {path} is no photo")


def check_landmarks(crop: UInt8[np.ndarray, "side side 3"], projector: Projector, name: str) -> None:
    """Raises `ValueError` where a projector's network is sure of no landmark of a face."""
    if flat(projector.heatmaps(to_floats(crop[None])), IBUG68.inner)[0]:
        raise ValueError(f"{name}: the heatmaps of its landmarks are flat (a face in profile?)")


def cut(
    image: UInt8[np.ndarray, "_ _ 3"], name: str, tracker: Tracker, size: int, alone: bool = True
) -> UInt8[np.ndarray, "_ _ 3"]:
    """The one face in a picture; without `alone` the one that the tracker follows.

    Raises `ValueError`, in which the picture is called `name`, as `read` does.
    """
    found = tracker.look(image)
    if found is None:
        raise ValueError(f"{name}: there is no face that can be seen")
    if alone and len(tracker.boxes) > 1:
        raise ValueError(f"{name}: there are {len(tracker.boxes)} faces; crop the photo around the one that is meant")
    return align.crop(image, align.ffhq_alignment(found[0] * (image.shape[1], image.shape[0]), size), size)
