"""Face descriptors: dlib's 128-d vectors of a face's identity, from the image and its 68 landmarks."""

from __future__ import annotations

import cv2
import numpy as np

from lgan_jax.faces import dlib_models
from lgan_jax.faces.boxes import check_image

_FACE_EXTENT = 300  # pixels that a smaller face is enlarged to first


def face_chip(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The aligned 150x150 image that the descriptor's network expects."""
    check_image(image)
    if landmarks.shape != (68, 2):
        raise ValueError(f"a face's descriptor needs landmarks of shape (68, 2), not {landmarks.shape}")
    dlib = dlib_models.dlib()
    points = landmarks * (image.shape[1], image.shape[0])
    extent = float(np.ptp(points, axis=0).max())
    if not extent > 0:
        raise ValueError("the landmarks span no area (or are not finite)")
    scale = _FACE_EXTENT / extent
    if scale > 1:  # dlib takes whole pixels: enlarge, so that rounding does not matter
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        points = landmarks * (image.shape[1], image.shape[0])
    corners = np.concatenate([points.min(0), points.max(0)]).round().astype(int)
    whole = [dlib.point(int(x), int(y)) for x, y in np.floor(points)]
    return dlib.get_face_chip(
        np.ascontiguousarray(image), dlib.full_object_detection(dlib.rectangle(*corners.tolist()), whole), 150, 0.25
    )
