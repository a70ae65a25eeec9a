"""The landmark detector for inference: faces to landmarks."""

from __future__ import annotations

import jax
import numpy as np
from jaxtyping import ArrayLike, Float32

from lgan_jax.core import FaceInfo
from lgan_jax.methods.detector.phases import DetectorPhase
from lgan_jax.nn.chunks import detect_in_chunks
from lgan_jax.training.train_state import TrainState


class LandmarkDetector:
    """Detects landmarks in faces.

    Attributes:
      info: landmark scheme and image size of the model.
    """

    def __init__(self, info: FaceInfo, phase: DetectorPhase, state: TrainState) -> None:
        """Builds the model from its phase and the phase's final state."""
        self.info = info
        self._weights = phase.weights(state)
        self._detect = jax.jit(phase.landmarks)

    def detect(self, images: ArrayLike) -> Float32[np.ndarray, "*batch n 2"]:
        """Detects landmarks in [0, 1] in faces `(..., size, size, 3)` in [-1, 1].

        Raises:
          ValueError: images have another size, or values outside [-1, 1].
        """
        return detect_in_chunks(lambda chunk: self._detect(self._weights, chunk), images, self.info)
