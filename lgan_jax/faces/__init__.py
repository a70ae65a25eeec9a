"""Seeing faces without a trained run: detection, landmarks, descriptors, alignment, estimates of expressions.

`Faces` is dlib's detector, 68 landmarks and descriptor; `face_landmarker` is Google's detector, 478 landmarks and
blendshape scores.
"""

from lgan_jax.faces.boxes import Box
from lgan_jax.faces.dlib_faces import Faces

__all__ = ["Box", "Faces"]
