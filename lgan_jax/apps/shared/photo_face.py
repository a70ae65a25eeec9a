"""The face in a photo: detected, cropped as a run's training images were, and pasted back after an edit."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from lgan_jax.apps.shared.face_reader import Located, Locator
from lgan_jax.faces import Box, align
from lgan_jax.landmarks import IBUG68
from lgan_jax.media import images
from lgan_jax.media.images import to_bytes, to_floats
from lgan_jax.media.paste import edge, paste
from lgan_jax.media.source import Source, open_source
from lgan_jax.methods.dftnet.evaluation.flows import warped
from lgan_jax.protocols import ActionUnitEditor

_FINER = 2  # times the photo's resolution
_MOST = 1024  # pixels a side of an edited face

Image = UInt8[np.ndarray, "_ _ 3"]


class Photo(NamedTuple):
    """A photo and the face in it.

    Attributes:
      image: uint8 RGB.
      face: the largest face, aligned.
      boxes: of all faces that were seen, the best score first.
      alpha: uint8, how opaque each pixel of the photo's file is; None where all of them are.
    """

    image: Image
    face: Located
    boxes: list[Box]
    alpha: UInt8[np.ndarray, "_ _"] | None = None


def read(path: Path, locator: Locator, flag: str) -> Photo:
    """The photo at `path` with its largest face.

    Raises `FileNotFoundError` without the file, `ValueError` for a file that is no photo, or shows no upright face.
    """
    open_photo(path, flag)
    image, alpha = images.read(path)
    return search(image, locator, f"{flag} {path}")._replace(alpha=alpha)


def search(image: Image, locator: Locator, name: str) -> Photo:
    """A photo, which messages call `name`, with its largest face. Raises `ValueError` where no face is upright."""
    face = locator.locate(image)
    if face is None:
        raise ValueError(f"{name}: there is no face{locator.missed(image) or ' that can be seen'}")
    return Photo(image, face, locator.boxes)


def open_photo(path: Path, flag: str) -> Source:
    """What lies at `path`, which must be one photo; raises as `read`."""
    source = open_source(path)
    if source.kind != "image":
        raise ValueError(f"{flag} {path} is a {source.kind}; give one photo")
    return source


def which(photo: Photo, name: str) -> str | None:
    """Which of several faces is edited, as a line about a photo called `name`; None where there is one only."""
    if len(photo.boxes) < 2:
        return None
    box = max(photo.boxes, key=lambda box: box.area)
    order = sorted(photo.boxes, key=lambda box: box.left + box.right)
    middle = round((box.left + box.right) / 2), round((box.top + box.bottom) / 2)
    return (
        f"{len(order)} faces in {name}: the largest is edited, number {order.index(box) + 1} "
        f"from the left, around pixel {middle[0]}, {middle[1]}"
    )


def in_range(photo: Photo) -> Float32[np.ndarray, "1 size size 3"]:
    """The aligned face as a model takes it, in [-1, 1]."""
    return to_floats(photo.face.crop[None])


def edited(
    model: ActionUnitEditor, photo: Photo, units: Float32[np.ndarray, "n 17"], own: Float32[np.ndarray, " 17"]
) -> list[Any]:
    """The face edited by a model, for each of n sets of action units: `Edited`, without the leading axis.

    `own` are the face's action units as they are.
    """
    result = model.edit(np.repeat(in_range(photo), len(units), 0), units, np.repeat(own[None], len(units), 0))
    return [type(result)(*(part[i] for part in result)) for i in range(len(units))]


def original(photo: Photo) -> UInt8[np.ndarray, "side side 3"]:
    """The aligned face, twice as fine as in the photo, at least of the model's size, at most of 1,024 pixels.

    At the photo's own resolution, resampling into the crop, along the flow and back would blur it.
    """
    size = photo.face.crop.shape[0]
    side = min(round(_FINER * size / float(np.hypot(*photo.face.transform[:, 0]))), _MOST)
    if side <= size:
        return photo.face.crop
    return align.crop(photo.image, photo.face.transform * (side / size), side)


def enlarged(result: Any, photo: Photo) -> UInt8[np.ndarray, "side side 3"]:
    """An edited face (an `Edited` of one, without the leading axis) at the resolution that the face has in the photo.

    Where the photo shows more than the model's size, its own pixels are warped by the enlarged flow, and what the edit
    changes beyond the warp is enlarged and added: f(Φ, X) + (X̂ − X_a). This is Eq. 5 but for the detail of the texture
    that the model's size cannot carry, which is the warped photo's.
    """
    crop = original(photo)
    side = crop.shape[0]
    if side == result.image.shape[0]:
        return to_bytes(result.image)
    change = cv2.resize(result.image - result.aligned, (side, side), interpolation=cv2.INTER_CUBIC)
    return to_bytes(np.clip(to_floats(warped(crop, result.flow, cv2.INTER_CUBIC)) + change, -1, 1))


def put_back(photo: Photo, face: UInt8[np.ndarray, "side side 3"], landmarks: np.ndarray | None) -> Image:
    """The photo with the edited face in it, faded in along the outline around it.

    `landmarks` are dlib's of the edited face, in [0, 1] of it, where it sees one: a jaw that drops is shown as well.
    """
    side = face.shape[0]
    outlines = [photo.face.ibug68] + ([] if landmarks is None else [landmarks])
    transform = photo.face.transform * (side / photo.face.crop.shape[0])
    return paste(photo.image, face, edge(outlines, IBUG68, side), transform)
