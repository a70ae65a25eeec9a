"""Training phases: the base class, which is the interface between a method and the loop, and a phase of a run."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import jax
import numpy as np

from lgan_jax.core import Batch, FaceInfo, Finished, Metrics
from lgan_jax.training.train_state import TrainState

HostBatch = Mapping[str, np.ndarray]

EXAMPLES = 64  # training examples for initialization


class Phase:
    """A training phase: pure functions of one `TrainState`. The loop uses only this interface.

    A phase is built on the finished earlier phases of its run. All phases are also built once on traced states before
    training, so that incompatible phases are refused early.

    Attributes:
      Settings: a frozen dataclass with at least `steps` and `batch_size`: the phase's section of a config.
      grouping: the form of an example, see `data.pipelines`.
      keys: names of the arrays in its batches.
      eval_split: the split that is evaluated while training, "validation", or "train" for a phase that applies
        only to training examples.
      host_step: whether `train_step` does its own compilation. It is called with the state's arrays on the host
        and, on every process, the whole batch, without a mapped axis; a checkpoint follows each (long) step.
      pretrained: fields of the settings, each a path to pretrained weights of the kind of that name (see `interop`), or
        empty. The networks are passed to the constructor, by kind, as the keyword argument `pretrained`.
      worst: for metrics of `eval_step` with one value per identity, which value is the worst, `max` or `min`.
      recoverable: metrics of `train_step` that `recover` repairs if they are not finite; other non-finite metrics stop
        the training. If empty, `recover` is not called.
      holds_frames: whether the state, and so each checkpoint, holds training frames.
      per_identity: parameters with a leading axis of identities, by path; see `train_state.by_path`. A path stands for
        all that it contains.
      network_variables: variables of the state that belong to the networks, such as statistics of batch normalization.
      settings: settings of this phase.
      faces: description of the data.
    """

    Settings: ClassVar[type]
    grouping: ClassVar[str]
    keys: ClassVar[tuple[str, ...]]
    eval_split: ClassVar[str] = "validation"
    host_step: ClassVar[bool] = False
    pretrained: ClassVar[tuple[str, ...]] = ()
    worst: ClassVar[Mapping[str, Callable]] = {}
    recoverable: ClassVar[frozenset[str]] = frozenset()
    holds_frames: ClassVar[bool] = False
    per_identity: ClassVar[tuple[str, ...]] = ()
    network_variables: ClassVar[tuple[str, ...]] = ()
    settings: Any
    faces: FaceInfo

    def __init__(self, settings: Any, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """`dtype` is the compute dtype; `earlier` are the finished phases before this one, by name."""
        del dtype, earlier
        self.settings, self.faces = settings, faces

    def init(self, key: jax.Array, batch: Batch) -> TrainState:
        """The state at step 0. `batch` holds training examples. Traceable (used under `jax.eval_shape`)."""
        raise NotImplementedError

    def start_from(self, state: TrainState, weights: Mapping[str, np.ndarray]) -> TrainState:
        """The state at step 0 with weights of another run, by path, in place of its own; see `start_weights`."""
        return state.started_from(weights)

    def train_step(
        self, state: TrainState, batch: Batch, key: jax.Array, variant: Hashable = None
    ) -> tuple[TrainState, Metrics]:
        """One update. Runs under an axis named `DATA_AXIS`: gradients and metrics are means over it.

        `batch` is this device's share; `key` is the same on every device, a function of the run's seed and the step;
        `variant` is the value of `step_variant`.
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
        """The variant of step `step` (from 0), where steps differ; hashable, one compiled program per value."""
        del step
        return None

    def warnings(self, metrics: Mapping[str, float]) -> Sequence[str]:
        """Warnings about the metrics of `eval_step`."""
        del metrics
        return ()

    def recover(self, state: TrainState, metrics: Mapping[str, np.ndarray]) -> tuple[TrainState, Sequence[str]]:
        """The repaired state, and a line for each repair; see `recoverable`.

        Called after each evaluation, with the state's arrays on the host and the means of `eval_step`'s metrics. Pure.
        Raises `FloatingPointError` where no repair is possible.
        """
        del metrics
        return state, ()

    def notes(self, state: TrainState) -> Sequence[str]:
        """Notes for the report on how the state was trained."""
        del state
        return ()

    @classmethod
    def variant(cls, settings: Any) -> type[Phase]:
        """The class that trains a phase with these settings, where a setting chooses between classes."""
        del settings
        return cls

    @classmethod
    def length(cls, settings: Any, examples: int) -> int:
        """The number of steps, for `examples` training images."""
        del examples
        return settings.steps

    @classmethod
    def left_out(cls, settings: Any) -> tuple[str, ...]:
        """Optional parts that a run with these settings is trained without, with reasons."""
        del settings
        return ()

    @classmethod
    def examples(cls, settings: Any) -> int:
        """The number of training examples passed to `init`."""
        del settings
        return EXAMPLES


@dataclasses.dataclass(frozen=True)
class PhaseRun:
    """One phase of a run.

    `build` creates the phase from the finished earlier phases, by name. `batches` creates the data: an endless Grain
    `DatasetIterator` of host batches, each this process's share of `batch_size` examples.
    `example` is a batch of training examples for `init`: for shapes, and for statistics of phases that initialize from
    data. `eval_batches` are the evaluation batches, at least one.
    `sample_batch` is the batch for sample images. `start` gives the weights of another run that the phase starts from,
    by path; none by default.
    """

    name: str
    steps: int
    batch_size: int
    build: Callable[[Mapping[str, Finished]], Phase]
    batches: Callable[[], Iterator[HostBatch]]
    example: HostBatch
    eval_batches: Sequence[HostBatch]
    sample_batch: HostBatch
    start: Callable[[], Mapping[str, np.ndarray]] = dict

    def __post_init__(self):
        if self.steps < 1 or self.batch_size < 1:
            raise ValueError(f"phase {self.name}: steps ({self.steps}) and batch_size ({self.batch_size}) must be ≥ 1")
        if not self.eval_batches:
            raise ValueError(f"phase {self.name}: there is no batch to evaluate; the validation split is empty")

    def keys(self, seed: int | jax.Array) -> tuple[jax.Array, jax.Array]:
        """The phase's PRNG keys for `init` and for the steps: functions of the run's seed and the phase's name."""
        own = jax.random.fold_in(jax.random.key(seed), zlib.crc32(self.name.encode()))
        return jax.random.fold_in(own, 0), jax.random.fold_in(own, 1)

    def abstract_state(self, init: Callable) -> TrainState:
        """Shapes and dtypes of the state that `init` returns, without computing it."""
        return jax.eval_shape(lambda: init(self.keys(0)[0], as_arrays(self.example)))


def as_arrays(batch: HostBatch) -> dict[str, Any]:
    """A host batch as JAX's arrays, on the default device (or abstract, while tracing)."""
    return {name: jax.numpy.asarray(value) for name, value in batch.items()}
