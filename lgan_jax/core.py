"""The few types that everybody here speaks: a batch, a state, metrics, and the seam between a method and the loop."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from lgan_jax import action_units
from lgan_jax.landmarks import Scheme

Batch = Mapping[str, jax.Array]
Metrics = Mapping[str, jax.Array]
State = Any  # a `flax.struct` dataclass with a scalar int32 field `step`; everything that training changes

DATA_AXIS = "data"  # the mapped axis over devices that `train_step` averages over


@runtime_checkable
class Method(Protocol):
    """What one paper trains, as pure functions over one pytree. The loop knows nothing else of it.

    The class of a phase that a config can name also has `Settings`, `grouping` (what an example is: see
    `data.pipelines`) and `keys` (which arrays its batches need). Where training takes networks that others have
    published it has `published` too: fields of its settings, each a path to the weights of the kind of that name (see
    `interop`) or empty; what they hold is given to it, by kind, as the keyword argument `published`. Its settings may
    have `left_out`: what a run with them is trained without, and why. It is built on the finished earlier
    phases; and once before the first is trained, on traced states, so that what does not suit is refused then.

    It may have `looks_at`, "train", where it is evaluated on training pictures while it trains, in the place of
    validation ones; `on_host`, True,
    where its `train_step` compiles what it does by itself: it is called with the state's arrays on the host and, on
    every process, the whole batch, without a mapped axis, and a checkpoint follows each step, which is long;
    `remarks(figures)`: what a user should know of `eval_step`'s figures; `length(settings, pictures)`: the steps,
    where they follow from the number of training pictures; and `turn(step)`: what the step after `step` others does,
    where they are not all alike. `train_step` is given it as a fourth argument, and compiled for each.

    Where it trains networks of several identities, metrics of `eval_step` may have one value for each, in the order of
    `faces.identities`, `faces` being its `FaceInfo`; `worst` has of some of them which value is the worst, `max` or
    `min`. It may have `recover(state, metrics) -> (state, lines)`: called after each evaluation with the state's arrays
    on the host and the means of `eval_step`'s metrics over its batches; it mends what has gone wrong and says so, or
    raises `FloatingPointError`. It must be a function of its arguments. Metrics of `train_step` that are named in
    `recoverable` are left to it where they are not finite; others stop the training. And it may have `notes(state)`:
    what a reader of the report should know of how the state was trained.
    """

    def init(self, key: jax.Array, batch: Batch) -> State:
        """Every parameter, optimizer state and other variable, at step 0. Traceable (used under `jax.eval_shape`)."""

    def train_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Metrics]:
        """One update. Runs under an axis named `DATA_AXIS`: gradients and metrics are averaged over it.

        `batch` is this device's share; `key` is the same on every device, a function of the run's seed and the step.
        """

    def eval_step(self, state: State, batch: Batch) -> Metrics:
        """Metrics of a validation batch, each a mean over the batch: a scalar, or by identity. No axis, one device."""

    def pictures(self, state: State, batch: Batch) -> Mapping[str, jax.Array]:
        """What a person would look at: name → `(rows, columns, H, W, 3)` in [-1, 1]."""


@dataclasses.dataclass(frozen=True)
class FaceInfo:
    """What a method needs to know about its data.

    Attributes:
      scheme: of the landmarks.
      size: of the pictures, pixels a side.
      identities: the people.
      pictures: how many there are to train on; 0 where nothing needs to know.
    """

    scheme: Scheme
    size: int
    identities: tuple[str, ...]
    pictures: int = 0


class Finished(NamedTuple):
    """An earlier phase of a run, as later phases read it."""

    method: Method
    state: State


def blank_batch(method: Any, info: FaceInfo) -> dict[str, np.ndarray]:
    """A batch of one example for the phase `method`, all zeros: shapes for `init` where there is no data."""
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
        key: np.zeros((*lead[method.grouping], *shapes[key]), np.int32 if key in whole else np.float32)
        for key in method.keys
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
