"""Photos aligned as a generator's pictures were: as FFHQ's (Karras et al. 2019), or as a run's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from lgan_jax.apps import video
from lgan_jax.data import align, images
from lgan_jax.data.prepare.tracking import Tracker
from lgan_jax.evaluation.pictures import to_floats
from lgan_jax.faces import Faces
from lgan_jax.methods.projection.projector import Projector, flat


class Framing(NamedTuple):
    """How faces are found and cropped.

    Attributes:
      faces: finds them.
      size: pixels a side of the crops.
      alignment: of iBUG's 68 points in pixels, as those of `data.align`.
      as_it_is: whether a picture of exactly that size is a crop already.
    """

    faces: Faces
    size: int
    alignment: Callable[[np.ndarray, int], np.ndarray] = align.ffhq_alignment
    as_it_is: bool = False

    def tracker(self, follow: bool) -> Tracker:
        """What looks for a face in each picture."""
        return Tracker(self.faces, self.size, follow)


class Face(NamedTuple):
    """The face in a photo.

    Attributes:
      name: the photo's, without its ending.
      crop: aligned, uint8 RGB.
    """

    name: str
    crop: UInt8[np.ndarray, "side side 3"]


def read(path: Path, flag: str, framing: Framing) -> Face:
    """The one face in the photo at `path`, cropped.

    Raises `FileNotFoundError` without the file, `ValueError` for what is no photo, or has no face or more than one.
    """
    check(path, flag)
    image = images.decode(path.read_bytes())
    if framing.as_it_is and image.shape[:2] == (framing.size, framing.size):
        return Face(path.stem, image)
    return Face(path.stem, cut(image, f"{flag} {path}", framing, framing.tracker(False)))


def check(path: Path, flag: str) -> None:
    """Whether there is one photo at `path`; raises as `read`."""
    if video.open_source(path).kind != "image":
        raise ValueError(f"{flag} {path} is no photo")


def check_landmarks(crop: UInt8[np.ndarray, "side side 3"], projector: Projector, name: str) -> None:
    """Raises `ValueError` where a projector's network is sure of no landmark of a face."""
    if flat(projector.heatmaps(to_floats(crop[None])), projector.scheme.inner)[0]:
        raise ValueError(f"{name}: the heatmaps of its landmarks are flat (a face in profile?)")


def cut(
    image: UInt8[np.ndarray, "_ _ 3"], name: str, framing: Framing, tracker: Tracker, alone: bool = True
) -> UInt8[np.ndarray, "_ _ 3"]:
    """The one face in a picture; without `alone` the one that the tracker follows.

    Raises `ValueError`, in which the picture is called `name`, as `read` does.
    """
    found = tracker.look(image)
    if found is None:
        raise ValueError(f"{name}: there is no face that can be seen")
    if alone and len(tracker.boxes) > 1:
        raise ValueError(f"{name}: there are {len(tracker.boxes)} faces; crop the photo around the one that is meant")
    points = found[0].astype(np.float64) * (image.shape[1], image.shape[0])
    return align.crop(image, framing.alignment(points, framing.size), framing.size)
