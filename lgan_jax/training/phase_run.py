"""A phase of a run for the loop: its constructor, number of steps, and data."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from lgan_jax.core import Finished
from lgan_jax.training.phase import Phase
from lgan_jax.training.train_state import TrainState

HostBatch = Mapping[str, np.ndarray]


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
