"""The DFT-Net model for inference: edits faces to target action units."""

from __future__ import annotations

import jax
import numpy as np
from jaxtyping import ArrayLike, Float32

from lgan_jax import action_units, checks
from lgan_jax.core import FaceInfo, Finished
from lgan_jax.faces import Box, Faces
from lgan_jax.landmarks import IBUG68
from lgan_jax.media.images import to_bytes
from lgan_jax.methods.dftnet.editing import EditingPhase
from lgan_jax.methods.dftnet.linear_phase import LinearPhase
from lgan_jax.methods.dftnet.networks import Edited
from lgan_jax.nn.chunks import in_chunks
from lgan_jax.training.train_state import TrainState

_UNITS = len(action_units.NUMBERS)
_BOX = (0.06, 0.04, 0.92, 0.91)  # where dlib finds faces in aligned crops: left, top, right, bottom; a mean over photos


class DFTNet:
    """Edits the expressions of faces by action units, and estimates action units.

    Every method processes its inputs in chunks of a fixed size (only two shapes are compiled), and returns numpy
    arrays. Action units are in the order of `action_units.NUMBERS`.

    Attributes:
      info: image size, landmark scheme and identities of the training data.
      baseline: the run's GANimation; None if it has none.
    """

    baseline: DFTNet | None

    def __init__(
        self, info: FaceInfo, phase: EditingPhase | LinearPhase, state: TrainState, baseline: Finished | None = None
    ) -> None:
        """Builds the model from its phase and the phase's final state, and likewise the baseline."""
        self.info = info
        self.baseline = None if baseline is None else DFTNet(info, *baseline)
        self._by_landmarks = isinstance(phase, LinearPhase)
        self._dlib, self._box = Faces(), Box(*(info.size * np.array(_BOX)))
        self._state = state.for_use("discriminator")
        self._edit, self._estimate = map(jax.jit, (phase.edit, phase.estimate))

    def edit(self, image: ArrayLike, action_units: ArrayLike, own: ArrayLike | None = None) -> Edited:
        """Edits faces `(B, size, size, 3)` in [-1, 1] to the expressions of action units `(B, 17)` in [0, 1].

        A linear model (`linear`) adds changes to a face. For it, `own` are the faces' action units as they are, by
        default those that `estimate` gives, and dlib finds the landmarks. A generator sees the face itself.

        Raises:
          ValueError: arrays have another shape, images are outside [-1, 1], or action units outside [0, 1].
          ModuleNotFoundError: dlib is needed and not installed.
        """
        image = self._faces(image)
        units = self._units("action units", action_units, len(image))
        if not self._by_landmarks:
            return in_chunks(lambda *chunk: self._edit(self._state, *chunk), image, units)
        own = self.estimate(image) if own is None else self._units("own action units", own, len(image))
        landmarks = np.array([self._dlib.landmarks(face, self._box) for face in to_bytes(image)], np.float32)
        landmarks = landmarks.reshape(-1, IBUG68.count, 2)
        return in_chunks(lambda *chunk: self._edit(self._state, *chunk), image, units, own, landmarks)

    def estimate(self, image: ArrayLike) -> Float32[np.ndarray, "batch 17"]:
        """Estimates the action units of faces `(B, size, size, 3)` in [-1, 1] by D_C, clipped to [0, 1].

        Raises:
          ValueError: images have another shape, or values outside [-1, 1].
        """
        found = in_chunks(lambda chunk: self._estimate(self._state, chunk), self._faces(image))
        return np.clip(found, 0, 1)

    def _units(self, what: str, values: ArrayLike, count: int) -> Float32[np.ndarray, "batch 17"]:
        return checks.ranged(what, values, (count, _UNITS), 0.0, 1.0)

    def _faces(self, image: ArrayLike) -> Float32[np.ndarray, "batch size size 3"]:
        return checks.images(image, None, self.info.size, self.info.size, 3)
