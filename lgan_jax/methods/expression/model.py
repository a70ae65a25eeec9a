"""The expression synthesizer for inference: generates faces from sources, landmarks and expression labels."""

from __future__ import annotations

import jax
import numpy as np
from jaxtyping import ArrayLike, Float32

from lgan_jax import checks
from lgan_jax.action_units import EXPRESSIONS
from lgan_jax.core import FaceInfo, TrainedModel
from lgan_jax.methods.expression.phases import SynthesizerPhase
from lgan_jax.nn.chunks import in_chunks
from lgan_jax.training.train_state import TrainState


class ExpressionSynthesizer(TrainedModel):
    """Generates faces of a source's identity with target landmarks and expressions.

    It processes its inputs in chunks of a fixed size (only two shapes are compiled), and returns a numpy array.

    Attributes:
      info: image size, landmark scheme and identities of the training data.
      left_out: parts that were omitted in training, with reasons.
    """

    def __init__(self, info: FaceInfo, phase: SynthesizerPhase, state: TrainState) -> None:
        """Builds the model from its phase and the phase's final state."""
        self.info = info
        self.left_out: tuple[str, ...] = phase.left_out(phase.settings)
        self._state = state.for_use().replace(variables={})
        self._synthesize = jax.jit(phase.synthesize)

    def synthesize(
        self, image: ArrayLike, landmarks: ArrayLike, expression: ArrayLike
    ) -> Float32[np.ndarray, "batch size size 3"]:
        """Generates the faces of `image`, in [-1, 1], with target landmarks and expressions.

        Args:
          image: `(B, size, size, 3)` in [-1, 1].
          landmarks: target landmarks `(B, N, 2)` in [0, 1].
          expression: `(B,)` indices into `action_units.EXPRESSIONS`.

        Raises:
          ValueError: arrays have another shape, images are outside [-1, 1], landmarks are in pixels, or an expression
            is unknown.
        """
        image = checks.images(image, None, self.size, self.size, 3)
        count, scheme = len(image), self.scheme
        landmarks = checks.landmarks(landmarks, count, scheme.count, 2, scheme=scheme.name)
        expression = checks.indices("expressions", expression, (count,), EXPRESSIONS)
        return in_chunks(lambda *chunk: self._synthesize(self._state, *chunk), image, landmarks, expression)
