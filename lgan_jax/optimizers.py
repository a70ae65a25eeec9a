"""Optimizers and learning-rate schedules, from a config's sections to an `optax` transformation.

A config's section of an optimizer is one of `Adam` and `RMSProp`, chosen by its `name`; its `schedule` is one of
`Constant`, `Step`, `Cosine` and `Linear`, likewise. Each has its own fields and no others, and replaces another whole:
see `config.kinds`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from lgan_jax import config
from lgan_jax.nn import stacked


@dataclasses.dataclass(frozen=True)
class _Schedule:
    """A learning rate over a phase.

    Attributes:
      name: kind of the schedule.
      warmup_steps: steps of a linear warm-up from 0, before the schedule starts.
    """

    name: str
    warmup_steps: int = 0

    def __post_init__(self) -> None:
        config.within(self, 0, math.inf, "warmup_steps")


@dataclasses.dataclass(frozen=True)
class Constant(_Schedule):
    """The highest learning rate throughout."""

    name: Literal["constant"] = "constant"

    def after_warmup(self, highest: float, steps: int) -> optax.Schedule:
        """The learning rate of the `steps` steps after the warm-up."""
        del steps
        return optax.constant_schedule(highest)


@dataclasses.dataclass(frozen=True)
class _Decay(_Schedule):
    """A learning rate that falls.

    Attributes:
      final_learning_rate: the lowest.
    """

    final_learning_rate: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        config.within(self, 0, math.inf, "final_learning_rate")


@dataclasses.dataclass(frozen=True)
class Step(_Decay):
    """Step decay: times `factor` after every `every` steps, never below `final_learning_rate`."""

    name: Literal["step"] = "step"
    factor: float = 0.9
    every: int = 2500

    def __post_init__(self) -> None:
        super().__post_init__()
        _above_zero(self, "factor")
        config.within(self, 1, math.inf, "every")

    def after_warmup(self, highest: float, steps: int) -> optax.Schedule:
        """The learning rate of the `steps` steps after the warm-up."""
        del steps
        lowest = self.final_learning_rate
        return optax.exponential_decay(highest, self.every, self.factor, staircase=True, end_value=lowest)


@dataclasses.dataclass(frozen=True)
class _DecayToEnd(_Decay):
    """To `final_learning_rate` at the end of the phase.

    Attributes:
      constant_fraction: share of the phase, after the warm-up, with the highest learning rate, before it falls.
    """

    constant_fraction: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= (share := self.constant_fraction) < 1:
            raise ValueError(f"constant_fraction is {share}; it is a share of the phase, at least 0 and less than 1")

    def after_warmup(self, highest: float, steps: int) -> optax.Schedule:
        """The learning rate of the `steps` steps after the warm-up.

        Raises `ValueError` where `constant_fraction` leaves none of them to fall in.
        """
        constant = round(self.constant_fraction * steps)
        if constant == steps:
            raise ValueError(
                f"constant_fraction is {self.constant_fraction}: of {steps} steps none is left to fall in; "
                "lower constant_fraction or add steps"
            )
        falling = self._falling(highest, steps - constant)
        return optax.join_schedules([optax.constant_schedule(highest), falling], [constant]) if constant else falling


@dataclasses.dataclass(frozen=True)
class Cosine(_DecayToEnd):
    """Cosine decay, after a share of the phase with the highest learning rate."""

    name: Literal["cosine"] = "cosine"

    def _falling(self, highest: float, steps: int) -> optax.Schedule:
        return optax.cosine_decay_schedule(highest, steps, alpha=self.final_learning_rate / highest)


@dataclasses.dataclass(frozen=True)
class Linear(_DecayToEnd):
    """Linear decay, after a share of the phase with the highest learning rate."""

    name: Literal["linear"] = "linear"

    def _falling(self, highest: float, steps: int) -> optax.Schedule:
        return optax.linear_schedule(highest, self.final_learning_rate, steps)


Schedule = Constant | Step | Cosine | Linear


@dataclasses.dataclass(frozen=True)
class _Optimizer:
    """What all optimizers have.

    Attributes:
      name: kind of the optimizer.
      learning_rate: η at its highest.
      eps: ε, outside the root.
      clip: gradients of a larger global norm are scaled to this one first (Pascanu et al., "On the difficulty of
        training recurrent neural networks", ICML 2013); of stacked networks, each identity's by its own norm. 0: never.
      weight_decay: λ of an ℓ2 penalty λ/2·‖p‖² on every parameter, λ·p added to its gradient.
      schedule: of the learning rate over the phase.
    """

    name: str
    learning_rate: float = 1e-4
    eps: float = 1e-8
    clip: float = 0.0
    weight_decay: float = 0.0
    schedule: Schedule = Constant()
    _averaging: ClassVar[tuple[str, ...]]  # fields that are decays of moving averages

    def __post_init__(self) -> None:
        _above_zero(self, "learning_rate")
        config.within(self, 0, math.inf, "eps", "weight_decay")
        if not self.clip >= 0:
            raise ValueError(f"clip is {self.clip}; it is a norm of gradients, or 0 to clip none")
        lowest = self.schedule.final_learning_rate if isinstance(self.schedule, _Decay) else 0.0
        if self.learning_rate < lowest:
            raise ValueError(f"final_learning_rate is {lowest}, above the learning rate {self.learning_rate}")
        for name in self._averaging:
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0 and less than 1")


@dataclasses.dataclass(frozen=True)
class Adam(_Optimizer):
    """Adam (Kingma and Ba, ICLR 2015), with its β."""

    name: Literal["adam"] = "adam"
    b1: float = 0.9
    b2: float = 0.999
    _averaging = ("b1", "b2")

    def scale(self) -> optax.GradientTransformation:
        """From gradients to updates of a learning rate of −1."""
        return optax.scale_by_adam(self.b1, self.b2, self.eps)


@dataclasses.dataclass(frozen=True)
class RMSProp(_Optimizer):
    """RMSProp as PyTorch's: p ← p − η·g / (√v + ε) with v ← decay·v + (1 − decay)·g² from v = 0."""

    name: Literal["rmsprop"] = "rmsprop"
    decay: float = 0.99
    _averaging = ("decay",)

    def scale(self) -> optax.GradientTransformation:
        """From gradients to updates of a learning rate of −1."""
        return optax.scale_by_rms(self.decay, self.eps, eps_in_sqrt=False)


Settings = Adam | RMSProp


def adam(learning_rate: float, **fields: Any) -> dict[str, Any]:
    """An optimizer's section of a config: `Adam`, with further `fields`. Raises `ValueError` for values it refuses."""
    return dataclasses.asdict(Adam(learning_rate=learning_rate, **fields))


def adam_cosine(learning_rate: float, *, final_learning_rate: float = 0.0, **fields: Any) -> dict[str, Any]:
    """`adam` for little time: 50 steps of warm-up, then cosine decay."""
    return adam(learning_rate, schedule=Cosine(warmup_steps=50, final_learning_rate=final_learning_rate), **fields)


def learning_rate(settings: Settings, steps: int) -> optax.Schedule:
    """The learning rate at a step (counted from 0) of a phase of `steps` steps.

    Raises `ValueError` where `constant_fraction` leaves it no step to fall in.
    """
    highest, warmup = settings.learning_rate, settings.schedule.warmup_steps
    after = settings.schedule.after_warmup(highest, max(1, steps - warmup))
    if not warmup:
        return after
    return optax.join_schedules([optax.linear_schedule(0.0, highest, warmup), after], [warmup])


def scaled(settings: Settings, factor: float, **changes: Any) -> Settings:
    """Settings with learning rates times `factor`, and other `changes` of their fields."""
    schedule = settings.schedule
    if isinstance(schedule, _Decay):
        schedule = dataclasses.replace(schedule, final_learning_rate=factor * schedule.final_learning_rate)
    rate = factor * settings.learning_rate
    return dataclasses.replace(settings, learning_rate=rate, schedule=schedule, **changes)


def make(settings: Settings, steps: int, rate: optax.Schedule | None = None) -> optax.GradientTransformation:
    """The optimizer for a phase of `steps` steps; `rate` takes the place of the schedule of `settings`."""
    clip = [optax.clip_by_global_norm(settings.clip)] if settings.clip else []
    falling = optax.scale_by_learning_rate(rate or learning_rate(settings, steps))
    return optax.chain(*clip, optax.add_decayed_weights(settings.weight_decay), settings.scale(), falling)


def make_stacked(settings: Settings, steps: int) -> optax.GradientTransformation:
    """The optimizer `make` of each identity's own, for parameters stacked along a leading identity axis.

    Every array of its state has that axis too. One identity's gradients change nothing of another's updates: global
    norms are by identity.
    """
    one = make(settings, steps)
    return optax.GradientTransformation(jax.vmap(one.init), jax.vmap(one.update))


def with_moments(state: Any, chosen: ArrayLike, other: Any, where: Callable = jnp.where) -> Any:
    """A state of `make_stacked` whose `chosen` identities have the moments of the state `other`.

    The place in the learning rate's schedule stays that of `state`. `where` is NumPy's for arrays of the host.
    """
    return (*stacked.select(chosen, other[:-1], state[:-1], where), state[-1])


def _above_zero(settings: Any, name: str) -> None:
    if not 0 < getattr(settings, name) < math.inf:
        raise ValueError(f"{name} is {getattr(settings, name)}; it must be above 0")
