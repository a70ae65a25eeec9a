"""A bundle that finds a face at one place, whatever the image: networks that answer with constants."""

from __future__ import annotations

import numpy as np
from tiny_tflite import constant_network

from lgan_jax.faces import align
from lgan_jax.faces.face_landmarker import FaceLandmarker, tflite
from lgan_jax.faces.face_landmarker.bundle import Bundle
from lgan_jax.faces.face_landmarker.tables import BLENDSHAPES, LEFT_EYE, POINTS, RIGHT_EYE, TO_IBUG68

ANCHOR = 16 * 2 * 6 + 2 * 9  # the first one of the cell in row 6, column 9, of 16: its middle is (76, 52) of 128 pixels
BOX = (66.0, 46.0, 86.0, 66.0)  # of the face that is found, in the detector's pixels
EYES = ((70.0, 50.0), (82.0, 56.0))  # the subject's right and left one: the head is tilted
SCORES = np.linspace(0, 1, len(BLENDSHAPES), dtype=np.float32)
CHECKSUM = "5" * 64


def mesh_points() -> np.ndarray:
    """478 points `(478, 3)` of a face in the middle of a crop of 256 pixels; all but iBUG's 68 lie in its center."""
    points = np.full((POINTS, 3), (128.0, 128.0, -8.0), np.float32)
    points[TO_IBUG68, :2] = 128 + 150 * (align.MEAN_FACE - 0.5)
    points[RIGHT_EYE, 2], points[LEFT_EYE, 2] = 4, 12
    return points


def detector_answers(face: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Regressors and logits of the detector: one face, or none."""
    regressors, logits = np.zeros((896, 16), np.float32), np.full((896, 1), -9, np.float32)
    middle = np.array([76, 52])
    center, size = (np.array(BOX[:2]) + BOX[2:]) / 2, np.array(BOX[2:]) - BOX[:2]
    regressors[ANCHOR] = np.concatenate([center - middle, size, *(EYES - middle), np.zeros(8)])
    logits[ANCHOR] = 2.5 if face else -9
    return regressors, logits


def small_landmarker(face: bool = True, presence: float = 4.0) -> FaceLandmarker:
    """A landmarker with these networks."""
    regressors, logits = detector_answers(face)
    points = mesh_points().reshape(1, 1, 1, -1)
    return FaceLandmarker(
        Bundle(
            CHECKSUM,
            detector=tflite.read(constant_network((1, 128, 128, 3), regressors[None], logits[None])),
            mesh=tflite.read(constant_network((1, 256, 256, 3), points, np.full((1, 1, 1, 1), presence, np.float32))),
            blendshapes=tflite.read(constant_network((1, 146, 2), SCORES)),
        )
    )
