"""The types that all packages share: a batch, metrics, what a phase knows of its data, a finished phase."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lgan_jax import action_units
from lgan_jax.landmarks import Scheme

Batch = Mapping[str, jax.Array]
Metrics = Mapping[str, jax.Array]

DATA_AXIS = "data"  # the mapped axis over devices that `train_step` averages over


@dataclasses.dataclass(frozen=True)
class FaceInfo:
    """What a phase needs to know about its data.

    Attributes:
      scheme: of the landmarks.
      size: of the images, pixels a side.
      identities: the people.
      images: how many there are to train on; 0 where nothing needs to know.
    """

    scheme: Scheme
    size: int
    identities: tuple[str, ...]
    images: int = 0


class TrainedModel:
    """A method's model for users; `info` is the landmark scheme, image size and identities of its data."""

    info: FaceInfo

    @property
    def size(self) -> int:
        """Size in pixels of input and generated images."""
        return self.info.size

    @property
    def scheme(self) -> Scheme:
        """Landmark scheme of the model's landmarks."""
        return self.info.scheme


class Finished(NamedTuple):
    """A phase of a run as later phases and models read it: a `training.phase.Phase` and its `TrainState`."""

    phase: Any
    state: Any


def blank_batch(phase: Any, info: FaceInfo) -> dict[str, np.ndarray]:
    """A batch of one example for a `training.phase.Phase`, all zeros: shapes for `init` where there is no data."""
    lead = {"single": (1,), "pairs": (1, 2), "expressions": (1, 2), "one_of_each": (1, len(info.identities))}
    shapes = {
        "image": (info.size, info.size, 3),
        "landmarks": (info.scheme.count, 2),
        "action_units": (len(action_units.NUMBERS),),
        "expression": (),
        "index": (),
    }
    whole = {"expression", "index"}  # the others are numbers with fractions
    return {
        key: np.zeros((*lead[phase.grouping], *shapes[key]), np.int32 if key in whole else np.float32)
        for key in phase.keys
    }


def example_keys(key: jax.Array, count: int) -> jax.Array:
    """One key `(count,)` for each example of this device's share of a batch, under `DATA_AXIS`.

    The key of an example depends on its place in the whole batch alone, so one device draws what eight draw.
    """
    first = jax.lax.axis_index(DATA_AXIS) * count
    return jax.vmap(lambda i: jax.random.fold_in(key, first + i))(jnp.arange(count))


def folded(keys: jax.Array, number: int) -> jax.Array:
    """Other keys `(count,)`, one an example."""
    return jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)
