"""The seam between a paper and the training loop: what a phase of a method declares and computes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, ClassVar

import jax
import numpy as np

from lgan_jax.core import Batch, FaceInfo, Finished, Metrics
from lgan_jax.training.train_state import TrainState

EXAMPLES = 64  # training examples that a phase may start from


class Phase:
    """What the loop trains, as pure functions of one `TrainState`. The loop knows nothing else of it.

    A phase is built on the finished earlier phases of its run; and once before the first is trained, on traced states,
    so that phases which do not suit each other are refused then.

    Attributes:
      Settings: a frozen dataclass with at least `steps` and `batch_size`: the phase's section of a config.
      grouping: what an example is, see `data.pipelines`.
      keys: the arrays that its batches need.
      eval_split: the split that is evaluated while training, "validation", or "train" for a phase that knows no other.
      host_step: whether `train_step` compiles what it does by itself. It is called with the state's arrays on the host
        and, on every process, the whole batch, without a mapped axis; a checkpoint follows each step, which is long.
      pretrained: fields of the settings, each a path to published weights of the kind of that name (see `interop`), or
        empty. Their networks are given to the constructor, by kind, as the keyword argument `pretrained`.
      worst: of metrics of `eval_step` with one value for each identity, which value is the worst, `max` or `min`.
      recoverable: metrics of `train_step` that `recover` mends where they are not finite; others stop the training.
        Where it is empty, `recover` is not called.
      settings: of this phase.
      faces: what the phase knows about its data.
    """

    Settings: ClassVar[type]
    grouping: ClassVar[str]
    keys: ClassVar[tuple[str, ...]]
    eval_split: ClassVar[str] = "validation"
    host_step: ClassVar[bool] = False
    pretrained: ClassVar[tuple[str, ...]] = ()
    worst: ClassVar[Mapping[str, Callable]] = {}
    recoverable: ClassVar[frozenset[str]] = frozenset()
    settings: Any
    faces: FaceInfo

    def __init__(self, settings: Any, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """`dtype` is what to compute in; `earlier` are the finished phases before this one, by name."""
        del dtype, earlier
        self.settings, self.faces = settings, faces

    def init(self, key: jax.Array, batch: Batch) -> TrainState:
        """The state at step 0. `batch` holds training examples. Traceable (used under `jax.eval_shape`)."""
        raise NotImplementedError

    def train_step(
        self, state: TrainState, batch: Batch, key: jax.Array, variant: Hashable = None
    ) -> tuple[TrainState, Metrics]:
        """One update. Runs under an axis named `DATA_AXIS`: gradients and metrics are averaged over it.

        `batch` is this device's share; `key` is the same on every device, a function of the run's seed and the step;
        `variant` is what `step_variant` gives.
        """
        raise NotImplementedError

    def eval_step(self, state: TrainState, batch: Batch) -> Metrics:
        """Metrics of a batch, each a mean over the batch: a scalar, or `(identities,)`. No mapped axis."""
        raise NotImplementedError

    def sample_images(self, state: TrainState, batch: Batch) -> Mapping[str, jax.Array]:
        """Sample images, name → `(rows, columns, H, W, 3)` in [-1, 1]."""
        del state, batch
        return {}

    def step_variant(self, step: int) -> Hashable | None:
        """What the step after `step` others does, where steps are not all alike; one compiled program per value."""
        del step
        return None

    def warnings(self, metrics: Mapping[str, float]) -> Sequence[str]:
        """What a user should know of the metrics of `eval_step`."""
        del metrics
        return ()

    def recover(self, state: TrainState, metrics: Mapping[str, np.ndarray]) -> tuple[TrainState, Sequence[str]]:
        """The state, with what has gone wrong mended, and a line for each of that; see `recoverable`.

        Called after each evaluation, with the state's arrays on the host and the means of `eval_step`'s metrics. A
        function of its arguments. Raises `FloatingPointError` where nothing helps.
        """
        del metrics
        return state, ()

    def notes(self, state: TrainState) -> Sequence[str]:
        """What a reader of the report should know of how the state was trained."""
        del state
        return ()

    @classmethod
    def length(cls, settings: Any, examples: int) -> int:
        """The number of steps, for so many training images."""
        del examples
        return settings.steps

    @classmethod
    def left_out(cls, settings: Any) -> tuple[str, ...]:
        """What a run with these settings is trained without, and why."""
        del settings
        return ()

    @classmethod
    def holds_frames(cls, settings: Any) -> bool:
        """Whether the state, and so each checkpoint, holds frames of the people it is trained on."""
        del settings
        return False

    @classmethod
    def examples(cls, settings: Any) -> int:
        """How many training examples `init` is given."""
        del settings
        return EXAMPLES
