"""Google's Face Landmarker in pure JAX: a face detector, 478 landmarks with depth, 52 blendshape scores.

    landmarker = face_landmarker.load("face_landmarker.task")
    landmarker.landmarks(images, "ibug68")

The user names the published bundle (Apache-2.0); nothing of it is part of this library.
"""

from lgan_jax.faces.face_landmarker.landmarker import MESH, FaceLandmarker, load

__all__ = ["MESH", "FaceLandmarker", "load"]
