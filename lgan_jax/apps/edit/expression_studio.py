"""Photos that the editor edits by action units. Slow: call the methods in a thread."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8

from lgan_jax.apps.edit import photos
from lgan_jax.apps.shared import photo_face
from lgan_jax.apps.shared.face_reader import Locator
from lgan_jax.apps.shared.photo_face import Photo
from lgan_jax.faces import Faces
from lgan_jax.media import images, paste, provenance
from lgan_jax.media.images import to_bytes
from lgan_jax.protocols import ActionUnitEditor

Units = Float32[np.ndarray, " 17"]

_MEASURED = (
    320  # pixels a side at which landmarks of a generated face are detected; at more, dlib is slower than the network
)


class Portrait(NamedTuple):
    """A photo that is edited.

    Attributes:
      photo: with its face.
      units: the action units that the run's regressor sees in it.
      place: the part of the photo that edits may change: left, top, right, bottom in pixels.
      faces: which of several faces is edited; empty where there is one.
    """

    photo: Photo
    units: Units
    place: tuple[int, int, int, int]
    faces: str


@dataclasses.dataclass(frozen=True)
class ExpressionStudio:
    """A model, and the frame of its faces.

    Attributes:
      model: the trained DFT-Net.
      name: of its run, written into every file.
      known: landmarks that define the frame; see `Locator`.
    """

    model: ActionUnitEditor
    name: str
    known: Mapping[str, np.ndarray]

    def locator(self, faces: Faces) -> Locator:
        """Detects faces in unrelated photos."""
        return Locator(self.known, self.model.info, faces, follow=False)

    def search(self, data: bytes, locator: Locator) -> Photo:
        """The photo in a file's bytes. Raises `ValueError`, one line, for no photo, or one without an upright face."""
        return photo_face.search(photos.decode(data), locator, "the photo")

    def portrait(self, photo: Photo) -> Portrait:
        """The photo with what its face shows now."""
        place = paste.covered(photo.image, photo.face.crop.shape[0], photo.face.transform)
        return Portrait(photo, self.units(photo), place, photo_face.which(photo, "the photo") or "")

    def units(self, photo: Photo) -> Units:
        """The action units that the regressor estimates."""
        return np.asarray(self.model.estimate(photo_face.in_range(photo)), np.float32)[0]

    def edit(self, portrait: Portrait, units: Units) -> Any:
        """The face with these action units; see `photo_face.edited`."""
        return photo_face.edited(self.model, portrait.photo, units[None], portrait.units)[0]

    def put_back(self, portrait: Portrait, result: Any, faces: Faces) -> UInt8[np.ndarray, "H W 3"]:
        """The photo with the edited face pasted into it."""
        face = photo_face.enlarged(result, portrait.photo)
        smaller = images.resized(face, min(face.shape[0], _MEASURED))
        return photo_face.put_back(portrait.photo, face, faces.measure(smaller))

    def seen(self, portrait: Portrait, result: Any, view: str, faces: Faces) -> tuple[bytes, str]:
        """One of `protocol.VIEWS` of an edit, as a file, and the file's kind.

        The result is the part of the photo at the portrait's `place`. The others are the model's own images:
        the warped face, the texture, and the attention, white where it is 1.
        """
        if view == "result":
            left, top, right, bottom = portrait.place
            return images.encode_jpeg(self.put_back(portrait, result, faces)[top:bottom, left:right]), "jpeg"
        if view == "attention":
            return images.encode_png(to_bytes(np.repeat(2 * result.attention - 1, 3, axis=-1))), "png"
        return images.encode_png(to_bytes(getattr(result, view))), "png"

    def png(self, portrait: Portrait, result: Any, faces: Faces) -> bytes:
        """The whole photo with its face edited, as a PNG file with provenance metadata."""
        return provenance.png_bytes(self.put_back(portrait, result, faces), self.name)
