"""A trained detector to work with: faces in, landmarks out."""

from __future__ import annotations

import jax
import numpy as np
from jaxtyping import ArrayLike, Float32

from lgan_jax.core import FaceInfo
from lgan_jax.methods.detector.phases import DetectorPhase
from lgan_jax.nn.chunks import detect_in_chunks
from lgan_jax.training.train_state import TrainState


class LandmarkDetector:
    """Finds landmarks in faces.

    Attributes:
      info: the scheme and size of what it was trained on.
    """

    def __init__(self, info: FaceInfo, phase: DetectorPhase, state: TrainState) -> None:
        """From the phase that trained it and its last state."""
        self.info = info
        self._weights = phase.weights(state)
        self._detect = jax.jit(phase.landmarks)

    def detect(self, images: ArrayLike) -> Float32[np.ndarray, "*batch n 2"]:
        """Landmarks in [0, 1] of faces `(..., size, size, 3)` in [-1, 1].

        Raises:
          ValueError: for images of another size, or outside [-1, 1].
        """
        return detect_in_chunks(lambda chunk: self._detect(self._weights, chunk), images, self.info)
