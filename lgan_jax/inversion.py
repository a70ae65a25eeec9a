"""Optimization-based inversion: gradient descent on the inputs of a network for many independent examples at once.

The parameters (a latent, noise maps) are a pytree whose arrays have an example in each row. An objective says how
far each row is from its target; rows are independent, so a batch gives what one after the other would.
A fixed number of rows, the slots, is searched at a time. An example that has converged leaves its slot to the next.
Source: Eq. 3 of Bazrafkan et al., after Berthelot et al., "BEGAN" (2017).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Float32, Int

from lgan_jax import optimizers
from lgan_jax.ops import backend

Parameters = Any  # a tree of arrays `(rows, …)`
Terms = Mapping[str, Float[Array, " rows"]]
Objective = Callable[[Any, Parameters, Any, "Moment"], tuple[Float[Array, " rows"], Terms]]

_ADAM = optimizers.Adam(learning_rate=0.1)


class Moment(NamedTuple):
    """The step of each row.

    Attributes:
      step: `(rows,)` int32: number of updates so far.
      share: `(rows,)`: the same as a share of all steps, in [0, 1].
      keys: `(rows,)` typed keys, other ones for every example and step.
    """

    step: Array
    share: Array
    keys: Array


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the search.

    Attributes:
      steps: largest number of updates of an example.
      optimizer: its fields; its schedule runs over `steps`, for each example from its own start.
      tolerance: an example has converged when its loss has not fallen by this share for `patience` steps; 0: never.
      patience: see `tolerance`.
      best_from: share of the steps after which the parameters of the least loss are the result: 0 of all steps (where
        the objective is the same at every step), 1 of the last step alone.
      slots: examples that are searched at a time.
      every: steps between two checks of convergence, with which progress is reported and slots are filled again.
    """

    steps: int = 300
    optimizer: optimizers.Settings = _ADAM
    tolerance: float = 0.01
    patience: int = 30
    best_from: float = 0.0
    slots: int = 16
    every: int = 10

    def __post_init__(self) -> None:
        for name in ("steps", "patience", "slots", "every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name in ("tolerance", "best_from"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it is a share, from 0 to 1")
        optimizers.learning_rate(self.optimizer, self.steps)  # which refuses what leaves no step to fall in


@dataclasses.dataclass(frozen=True)
class Progress:
    """Progress of a search, one row for each slot; a finished example may be reported again.

    Attributes:
      finished: examples (counting restarts) that are finished, of `total`.
      total: see `finished`.
      example: index of the example in each slot.
      step: its number of updates.
      loss, terms: its objective before the last of these updates.
      parameters: its parameters now, on the device; they are gone after the call, so copy what is needed later.
    """

    finished: int
    total: int
    example: Int[np.ndarray, " slots"]
    step: Int[np.ndarray, " slots"]
    loss: Float32[np.ndarray, " slots"]
    terms: Mapping[str, Float32[np.ndarray, " slots"]]
    parameters: Parameters


@dataclasses.dataclass(frozen=True)
class Found:
    """Results for n targets; of several restarts the best.

    Attributes:
      parameters: tree of host arrays `(n, …)`.
      loss, terms: the objective there.
      steps: updates until it converged or `Settings.steps` were reached.
      restart: index of the restart, from 0.
    """

    parameters: Parameters
    loss: Float32[np.ndarray, " n"]
    terms: Mapping[str, Float32[np.ndarray, " n"]]
    steps: Int[np.ndarray, " n"]
    restart: Int[np.ndarray, " n"]


class Diverged(FloatingPointError):
    """The loss of some targets was not finite at any step that counts, in any of their restarts.

    Attributes:
      rows: indices of the targets.
      found: the results of all targets, `Found` or a caller's own; of these targets, where the search began.
    """

    def __init__(self, rows: Int[np.ndarray, " rows"], found: Any) -> None:
        of = f"{len(rows)} of {len(found.loss)} targets"
        super().__init__(f"the objective of {of} was never finite; the first is number {rows[0]}")
        self.rows, self.found = rows, found


@flax.struct.dataclass
class _Slots:
    """The device's state, a row for each slot: see `Progress`. `mark`: the last loss that counted as a decrease."""

    key: Array
    example: Array
    target: Any
    parameters: Parameters
    optimizer: Any
    step: Array
    loss: Array
    terms: Terms
    best: Parameters
    best_loss: Array
    best_terms: Terms
    mark: Array
    mark_step: Array
    finished: Array


class Inverter:
    """Searches for any number of targets; compiled once for each number of slots.

    The objective is called as `objective(shared, parameters, target, moment)` with a row for each slot, and returns the
    loss of each row and its terms, to be reported. `shared` is the same for all: a network's weights.
    """

    def __init__(
        self,
        objective: Objective,
        settings: Settings,
        project: Callable[[Parameters], Parameters] | None = None,
        rate: optax.Schedule | None = None,
    ) -> None:
        """`project`, if given, moves parameters back into their domain after every update.

        `rate` is the learning rate at each step, instead of the schedule of `settings.optimizer`.
        """
        self.settings, self._form = settings, backend.forms().search
        self._objective = objective
        self._project = project or (lambda parameters: parameters)
        self._optimizer = optimizers.make(settings.optimizer, settings.steps, rate)
        self._advance = jax.jit(self._advanced, donate_argnums=1)
        self._fill = jax.jit(lambda slots, given, fresh: jax.tree.map(functools.partial(_rows, fresh), given, slots))

    def __call__(
        self,
        shared: Any,
        start: Parameters,
        targets: Any,
        key: jax.Array | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Found:
        """Searches from `start` for the parameters of the least loss.

        Args:
          shared: see the class.
          start: tree of arrays `(n·restarts, …)`; the restarts of a target follow each other.
          targets: tree of arrays `(n, …)`; they are on the device only while they are in a slot.
          key: for objectives that draw random numbers; what an example draws does not depend on the others.
          progress: called every so many steps (see `Settings.every`).

        Raises:
          ValueError: there is no target, or starts are not a multiple of them.
          Diverged: the loss of a target was not finite at any step that counts, in any of its restarts.
        """
        start, targets = (jax.tree.map(np.asarray, tree) for tree in (start, targets))
        total, restarts = _counted(start, targets)
        key = jax.random.key(0) if key is None else key
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(total))
        work = _Work(total, min(self.settings.slots, total))
        slots = None
        while work.waiting:
            chosen, fresh = work.next()
            rows = jax.tree.map(lambda x, at=chosen: x[at], start)
            target = jax.tree.map(lambda x, at=chosen // restarts: x[at], targets)
            given = self._start(shared, rows, target, chosen, keys[chosen])
            slots = given if slots is None else self._fill(slots, given, fresh)
            while not work.free:
                slots = self._advance_some(shared, slots)
                report = work.look(slots)
                if progress is not None:
                    progress(report)
        return work.found(restarts)

    def _start(self, shared: Any, parameters: Parameters, target: Any, example: np.ndarray, keys: Array) -> _Slots:
        """Slots before the first step."""
        rows = len(example)
        parameters, target = jax.tree.map(jnp.asarray, (parameters, target))
        step, far = jnp.zeros(rows, jnp.int32), jnp.full(rows, jnp.inf)
        shapes = jax.eval_shape(self._objective, shared, parameters, target, self._moment(keys, step))
        nothing = {name: jnp.zeros(shape.shape) for name, shape in shapes[1].items()}
        return _Slots(
            key=keys,
            example=jnp.asarray(example, jnp.int32),
            target=target,
            parameters=parameters,
            optimizer=jax.vmap(self._optimizer.init)(parameters),
            step=step,
            loss=far,
            terms=nothing,
            best=jax.tree.map(jnp.copy, parameters),
            best_loss=jnp.copy(far),
            best_terms=jax.tree.map(jnp.copy, nothing),
            mark=jnp.copy(far),
            mark_step=jnp.copy(step),
            finished=jnp.zeros(rows, bool),
        )

    def _advance_some(self, shared: Any, slots: _Slots) -> _Slots:
        """`Settings.every` steps; see `backend.Forms.search`."""
        for _ in range(self.settings.every if self._form == "calls" else 1):
            slots = self._advance(shared, slots)
        return slots

    def _advanced(self, shared: Any, slots: _Slots) -> _Slots:
        if self._form == "calls":
            return self._step(shared, slots)
        return jax.lax.fori_loop(0, self.settings.every, lambda _, sofar: self._step(shared, sofar), slots)

    def _step(self, shared: Any, slots: _Slots) -> _Slots:
        """The objective, and an update of those that are not finished. The last step is the objective alone.

        From a loss that is NaN no step leads back: its gradient is.
        """
        moment, settings = self._moment(slots.key, slots.step), self.settings

        def total(parameters: Parameters):
            loss, terms = self._objective(shared, parameters, slots.target, moment)
            return jnp.sum(loss), (loss, dict(terms))

        gradients, (loss, terms) = jax.grad(total, has_aux=True)(slots.parameters)
        updates, optimizer = jax.vmap(self._optimizer.update)(gradients, slots.optimizer, slots.parameters)
        moved = self._project(jax.tree.map(jnp.add, slots.parameters, updates))
        better = (loss < slots.best_loss) & (moment.share >= settings.best_from)
        fell = (loss < slots.mark - settings.tolerance * jnp.abs(slots.mark)) | jnp.isinf(slots.mark)
        mark_step = jnp.where(fell & jnp.isfinite(loss), slots.step, slots.mark_step)
        stands = bool(settings.tolerance) & (slots.step - mark_step >= settings.patience)
        last = slots.step >= settings.steps
        finished = last | jnp.isnan(loss) | (stands & (moment.share >= settings.best_from))
        pick = functools.partial(_rows, better)
        after = slots.replace(
            parameters=jax.tree.map(functools.partial(_rows, finished), slots.parameters, moved),
            optimizer=optimizer,
            step=slots.step + ~finished,
            loss=loss,
            terms=terms,
            best=jax.tree.map(pick, slots.parameters, slots.best),
            best_loss=pick(loss, slots.best_loss),
            best_terms=jax.tree.map(pick, terms, slots.best_terms),
            mark=jnp.where(fell & jnp.isfinite(loss), loss, slots.mark),
            mark_step=mark_step,
            finished=finished,
        )
        return jax.tree.map(functools.partial(_rows, slots.finished), slots, after)

    def _moment(self, keys: Array, step: Array) -> Moment:
        return Moment(step, step / self.settings.steps, jax.vmap(jax.random.fold_in)(keys, step))


class _Work:
    """The assignment of examples to slots, and the results of finished ones."""

    def __init__(self, total: int, slots: int) -> None:
        self._total, self._next = total, 0
        self._there = np.zeros(slots, bool)  # slots whose example is not finished
        self._example = np.zeros(slots, np.int64)
        self._steps = np.zeros(total, np.int64)
        self._loss = np.full(total, np.inf, np.float32)
        self._parameters: list[Any] = [None] * total
        self._terms: list[Any] = [None] * total
        self._finished = 0

    @property
    def waiting(self) -> bool:
        """Whether there are examples that are not finished."""
        return self._finished < self._total

    @property
    def free(self) -> bool:
        """Whether there is a slot for an example that waits, or nothing more to do."""
        return not self._there.any() or (self._next < self._total and not self._there.all())

    def next(self) -> tuple[np.ndarray, np.ndarray]:
        """The example of each slot, and which slots are to be filled with it anew."""
        fresh = np.zeros(len(self._there), bool)
        for slot in np.flatnonzero(~self._there)[: self._total - self._next]:
            fresh[slot], self._example[slot] = True, self._next
            self._next += 1
        self._there |= fresh
        return self._example.copy(), fresh

    def look(self, slots: _Slots) -> Progress:
        """Takes out finished examples."""
        finished, step, loss, terms = jax.device_get((slots.finished, slots.step, slots.loss, slots.terms))
        example = self._example.copy()
        if (done := np.flatnonzero(finished & self._there)).size:
            best, best_loss, best_terms = jax.device_get((slots.best, slots.best_loss, slots.best_terms))
            for slot in done:
                at = example[slot]
                self._parameters[at], self._terms[at] = (
                    jax.tree.map(lambda x, row=slot: x[row].copy(), tree) for tree in (best, best_terms)
                )
                self._loss[at], self._steps[at] = best_loss[slot], step[slot]
            self._there[done] = False
            self._finished += len(done)
        return Progress(self._finished, self._total, example, step, loss, terms, slots.parameters)

    def found(self, restarts: int) -> Found:
        """The best result of each target. Raises `Diverged`."""
        restart = self._loss.reshape(-1, restarts).argmin(1)
        chosen = np.arange(len(restart)) * restarts + restart
        parameters, terms = (
            jax.tree.map(lambda *rows: np.stack(rows), *(of_all[i] for i in chosen))
            for of_all in (self._parameters, self._terms)
        )
        found = Found(parameters, self._loss[chosen], terms, self._steps[chosen], restart)
        if (rows := np.flatnonzero(~np.isfinite(found.loss))).size:
            raise Diverged(rows, found)
        return found


def _counted(start: Parameters, targets: Any) -> tuple[int, int]:
    """The number of examples, and of examples for each target."""
    starts, count = ({len(x) for x in jax.tree.leaves(tree)} for tree in (start, targets))
    if len(starts) != 1 or len(count) != 1:
        raise ValueError(f"arrays with as many rows as each other are needed; starts have {starts}, targets {count}")
    total, number = starts.pop(), count.pop()
    if not number or not total or total % number:
        raise ValueError(f"there are {total} starts for {number} targets; they must be a multiple of them, and some")
    return total, total // number


def _rows(flags: Array, one: Array, other: Array) -> Array:
    """The rows of `one` where a flag is set, otherwise those of `other`."""
    return jnp.where(flags.reshape(-1, *(1,) * (one.ndim - 1)), one, other)
