"""The DFT-Net model for inference: edits faces to target action units."""

from __future__ import annotations

import jax
import numpy as np
from jaxtyping import ArrayLike, Float32

from lgan_jax import action_units, checks
from lgan_jax.core import FaceInfo, Finished
from lgan_jax.methods.dftnet.editing import EditingPhase
from lgan_jax.methods.dftnet.networks import Edited
from lgan_jax.nn.chunks import in_chunks
from lgan_jax.training.train_state import TrainState

_UNITS = len(action_units.NUMBERS)


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
        self, info: FaceInfo, phase: EditingPhase, state: TrainState, baseline: Finished | None = None
    ) -> None:
        """Builds the model from its phase and the phase's final state, and likewise the baseline."""
        self.info = info
        self.baseline = None if baseline is None else DFTNet(info, *baseline)
        self._state = state.for_use("discriminator")
        self._edit, self._estimate = map(jax.jit, (phase.edit, phase.estimate))

    def edit(self, image: ArrayLike, action_units: ArrayLike) -> Edited:
        """Edits faces `(B, size, size, 3)` in [-1, 1] to the expressions of action units `(B, 17)` in [0, 1].

        Raises:
          ValueError: arrays have another shape, images are outside [-1, 1], or action units outside [0, 1].
        """
        image = self._faces(image)
        units = checks.ranged("action units", action_units, (len(image), _UNITS), 0.0, 1.0)
        return in_chunks(lambda *chunk: self._edit(self._state, *chunk), image, units)

    def estimate(self, image: ArrayLike) -> Float32[np.ndarray, "batch 17"]:
        """Estimates the action units of faces `(B, size, size, 3)` in [-1, 1] by D_C, clipped to [0, 1].

        Raises:
          ValueError: images have another shape, or values outside [-1, 1].
        """
        found = in_chunks(lambda chunk: self._estimate(self._state, chunk), self._faces(image))
        return np.clip(found, 0, 1)

    def _faces(self, image: ArrayLike) -> Float32[np.ndarray, "batch size size 3"]:
        return checks.images(image, None, self.info.size, self.info.size, 3)
