"""Optimizers and learning-rate schedules, from a config's fields to an `optax` transformation."""

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
class Settings:
    """One optimizer. A config's section of one replaces another whole: what it does not say is the default here.

    Attributes:
      name: "rmsprop", as PyTorch's: p ← p − η·g / (√v + ε) with v ← decay·v + (1 − decay)·g² from v = 0; or "adam".
      learning_rate: η at its highest.
      decay: RMSProp's.
      b1, b2: Adam's.
      eps: ε, outside the root.
      clip: gradients of a larger global norm are scaled to this one first (Pascanu et al., "On the difficulty of
        training recurrent neural networks", ICML 2013); of stacked networks, each identity's by its own norm. 0: never.
      weight_decay: λ of an ℓ2 penalty λ/2·‖p‖² on every parameter, λ·p added to its gradient.
      schedule: "constant"; "step": times `factor` after every `every` steps, never below `final_learning_rate`;
        "cosine" and "linear": to `final_learning_rate` at the end of the phase.
      factor, every, final_learning_rate: see `schedule`.
      constant_fraction: share of the phase, after the warm-up, that "cosine" and "linear" spend at the highest rate.
      warmup_steps: steps in which η rises linearly from 0, before the schedule starts.
    """

    name: Literal["rmsprop", "adam"] = "rmsprop"
    learning_rate: float = 1e-4
    decay: float = 0.99
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    clip: float = 0.0
    weight_decay: float = 0.0
    schedule: Literal["constant", "step", "cosine", "linear"] = "constant"
    factor: float = 0.9
    every: int = 2500
    final_learning_rate: float = 0.0
    constant_fraction: float = 0.0
    warmup_steps: int = 0

    WHOLE: ClassVar[bool] = True  # see `config.completed`

    def __post_init__(self) -> None:
        for name in ("learning_rate", "factor"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        config.within(self, 0, math.inf, "eps", "weight_decay", "final_learning_rate", "warmup_steps")
        config.within(self, 1, math.inf, "every")
        for name in ("decay", "b1", "b2"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0 and less than 1")
        if self.learning_rate < self.final_learning_rate:
            raise ValueError(
                f"final_learning_rate is {self.final_learning_rate}, above the learning rate {self.learning_rate}"
            )
        if not self.clip >= 0:
            raise ValueError(f"clip is {self.clip}; it is a norm of gradients, or 0 to clip none")
        if not 0 <= self.constant_fraction < 1:
            raise ValueError(
                f"constant_fraction is {self.constant_fraction}; it is a share of the phase, at least 0 and less than 1"
            )


def section(**fields: Any) -> dict[str, Any]:
    """An optimizer's section of a config, whole: every field, so that nothing of another section is left in it.

    Raises `ValueError` for values that `Settings` refuses, `TypeError` for a field that it has not.
    """
    return dataclasses.asdict(Settings(**fields))


def cosine(learning_rate: float, **more: Any) -> dict[str, Any]:
    """An optimizer's section of a config, for little time: Adam, after 50 steps' rise down to zero with a cosine.

    `more` fields change these. It is whole: see `section`.
    """
    return section(**{"name": "adam", "learning_rate": learning_rate, "schedule": "cosine", "warmup_steps": 50, **more})


def learning_rate(settings: Settings, steps: int) -> optax.Schedule:
    """The learning rate at a step (counted from 0) of a phase of `steps` steps.

    Raises `ValueError` where `constant_fraction` leaves it no step to fall in.
    """
    highest, left = settings.learning_rate, max(1, steps - settings.warmup_steps)
    held = round(settings.constant_fraction * left)
    if held == left and settings.schedule in ("cosine", "linear"):
        raise ValueError(
            f"constant_fraction is {settings.constant_fraction}: of {left} steps none is left to fall in; "
            "lower constant_fraction or add steps"
        )
    match settings.schedule:
        case "constant":
            schedule = optax.constant_schedule(highest)
        case "step":
            schedule = optax.exponential_decay(
                highest, settings.every, settings.factor, staircase=True, end_value=settings.final_learning_rate
            )
        case "cosine":
            schedule = optax.cosine_decay_schedule(highest, left - held, alpha=settings.final_learning_rate / highest)
        case "linear":
            schedule = optax.linear_schedule(highest, settings.final_learning_rate, left - held)
    if held and settings.schedule in ("cosine", "linear"):
        schedule = optax.join_schedules([optax.constant_schedule(highest), schedule], [held])
    if not settings.warmup_steps:
        return schedule
    rise = optax.linear_schedule(0.0, highest, settings.warmup_steps)
    return optax.join_schedules([rise, schedule], [settings.warmup_steps])


def make(settings: Settings, steps: int, rate: optax.Schedule | None = None) -> optax.GradientTransformation:
    """The optimizer for a phase of `steps` steps; `rate` takes the place of the schedule of `settings`."""
    if settings.name == "rmsprop":
        scale = optax.scale_by_rms(settings.decay, settings.eps, eps_in_sqrt=False)
    else:
        scale = optax.scale_by_adam(settings.b1, settings.b2, settings.eps)
    clip = [optax.clip_by_global_norm(settings.clip)] if settings.clip else []
    falling = optax.scale_by_learning_rate(rate or learning_rate(settings, steps))
    return optax.chain(*clip, optax.add_decayed_weights(settings.weight_decay), scale, falling)


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


def averaged(decay: float, step: Any, average: Any, params: Any) -> Any:
    """The exponential average of parameters after step `step`, with `decay` of it kept; at most (1 + n) / (10 + n)."""
    kept = jnp.minimum(decay, (1 + step) / (10 + step))
    return optax.incremental_update(params, average, 1 - kept)
