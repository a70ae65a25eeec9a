"""`Faces` by Google's Face Landmarker: detection and 68 landmarks; descriptors stay dlib's."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from lgan_jax.faces import dlib_models
from lgan_jax.faces.boxes import Box
from lgan_jax.faces.dlib_faces import Faces
from lgan_jax.faces.face_landmarker import FaceLandmarker
from lgan_jax.faces.face_landmarker.tables import TO_IBUG68


class LandmarkerFaces(Faces):
    """Finds faces and their landmarks with the Face Landmarker, in the place of dlib.

    Raises `ModuleNotFoundError` where dlib, which gives the descriptors, is not installed: at once, not when the first
    descriptor is asked for.
    """

    def __init__(self, landmarker: FaceLandmarker):
        self._landmarker = landmarker
        self._recognizer = dlib_models.recognizer()

    def find(self, image: np.ndarray, upsample: int = 0, threshold: float = 0.0) -> list[Box]:
        """The faces of an image, best score first. `threshold` is the lowest score (a logit) that counts.

        Raises `ValueError` for `upsample`: the detector scales every image itself.
        """
        if upsample:
            raise ValueError("the Face Landmarker scales images itself: upsample must be 0")
        return [face.box for face in self._landmarker.detect(image, threshold)]

    def landmarks(self, image: np.ndarray, box: Box) -> Float32[np.ndarray, "68 2"]:
        """The 68 landmarks of the face in a box."""
        return self._landmarker.mesh_in_box(image, box).points[TO_IBUG68, :2]
