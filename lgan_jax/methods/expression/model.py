"""A trained synthesizer to work with: faces, landmarks and expressions in, faces out."""

from __future__ import annotations

import jax
import numpy as np
from jaxtyping import ArrayLike, Float32

from lgan_jax import checks
from lgan_jax.action_units import EXPRESSIONS
from lgan_jax.core import FaceInfo
from lgan_jax.landmarks import Scheme
from lgan_jax.methods.expression.phases import SynthesizerPhase
from lgan_jax.nn.chunks import in_chunks
from lgan_jax.training.train_state import TrainState


class ExpressionSynthesizer:
    """Makes faces of people with other landmarks and expressions.

    It works through its inputs in chunks of a fixed size (only two shapes are ever compiled), and returns a numpy
    array.

    Attributes:
      info: the size of the faces it was trained on, their landmarks' scheme, the people of its data.
      left_out: what it was trained without, and why.
    """

    def __init__(self, info: FaceInfo, phase: SynthesizerPhase, state: TrainState) -> None:
        """From the phase that trained it and its last state."""
        self.info = info
        self.left_out: tuple[str, ...] = phase.left_out(phase.settings)
        self._state = state.for_use().replace(variables={})
        self._synthesize = jax.jit(phase.synthesize)

    @property
    def size(self) -> int:
        """Pixels a side of the faces that it takes and makes."""
        return self.info.size

    @property
    def scheme(self) -> Scheme:
        """Of the landmarks that it takes."""
        return self.info.scheme

    def synthesize(
        self, image: ArrayLike, landmarks: ArrayLike, expression: ArrayLike
    ) -> Float32[np.ndarray, "batch size size 3"]:
        """The faces of `image`, in [-1, 1], with these landmarks and expressions.

        Args:
          image: `(B, size, size, 3)` in [-1, 1].
          landmarks: `(B, N, 2)` in [0, 1], of a picture that shows the face as it is wanted.
          expression: `(B,)` indices into `action_units.EXPRESSIONS`.

        Raises:
          ValueError: for arrays of another shape, images outside [-1, 1], landmarks in pixels, or an expression that is
            none.
        """
        image = checks.images(image, None, self.size, self.size, 3)
        count, scheme = len(image), self.scheme
        landmarks = checks.landmarks(landmarks, count, scheme.count, 2, scheme=scheme.name)
        expression = checks.indices("expressions", expression, (count,), EXPRESSIONS)
        return in_chunks(lambda *chunk: self._synthesize(self._state, *chunk), image, landmarks, expression)
