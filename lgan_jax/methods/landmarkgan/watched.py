"""Base class of LandmarkGAN's generator phases: updates with health checks, and restarts of dead networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax

from lgan_jax import optimizers
from lgan_jax.core import Metrics
from lgan_jax.methods.landmarkgan import health
from lgan_jax.training.phase import Phase
from lgan_jax.training.train_state import TrainState, warmed_up

OWN = ("generators", "discriminators")  # entries of the parameters with health checks


class Watched(Phase):
    """Base class of the generator phases, with the health checks of `health`.

    A form with one network for all identities overrides the four members that define how networks are stacked.
    """

    _optimizers: dict[str, optax.GradientTransformation]
    section = "generator"  # the phase's section in the config
    worst: ClassVar = health.WORST
    recoverable = frozenset(("l2i", "i2l", "adversarial", "feature_matching", "total", "discriminator"))

    def start_from(self, state: TrainState, weights: Mapping[str, np.ndarray]) -> TrainState:
        """See `Phase`. A network that dies before the first evaluation is restarted from these weights, too."""
        state = super().start_from(state, weights)
        good = {name: jax.tree.map(jnp.copy, self._stack(state.params[name])) for name in OWN}
        return state.with_variables(watch=state.variables["watch"].replace(good=good))

    def recover(self, state: TrainState, metrics: Mapping[str, np.ndarray]) -> tuple[TrainState, list[str]]:
        """See `Phase` and `health.recover`."""
        rate = f"--config.{self.section}.optimizer.learning_rate"
        lower = f"with {rate} below {self.settings.optimizer.learning_rate:g}"
        advice = f"train again in another folder {lower}, or with more frames of {{}}"
        own = {name: self._optimizers[name] for name in OWN}
        pooled = {name: self._by_network(value) for name, value in metrics.items()}
        stack, unstack = self._stack, self._unstack
        params = {**state.params, **{name: stack(state.params[name]) for name in OWN}}
        state = state.replace(params=params, ema={"generators": stack(state.ema["generators"])})
        state, lines = health.recover(state, pooled, own, self._owners, advice)
        params = {**state.params, **{name: unstack(state.params[name]) for name in OWN}}
        return state.replace(params=params, ema={"generators": unstack(state.ema["generators"])}), lines

    def notes(self, state: TrainState) -> list[str]:
        """See `Phase`: lists restarted generators."""
        restarted = np.flatnonzero(np.asarray(state.variables["watch"].restarts))
        return [f"the generator of {self._owners[i]} was restarted at half the learning rate" for i in restarted]

    @property
    def _owners(self) -> Sequence[str]:
        """The name of each network's owner."""
        return self.faces.identities

    def _stack(self, params: Any) -> Any:
        """Parameters of generators or discriminators with a leading axis of networks; here they already have it."""
        return params

    def _unstack(self, params: Any) -> Any:
        """The inverse of `_stack`."""
        return params

    def _by_network(self, values: Any) -> Any:
        """Converts values per identity to values per network."""
        return values

    def _updated(self, state: TrainState, gradients: Mapping[str, Any], metrics: Metrics) -> tuple[TrainState, Metrics]:
        """The state after a step and the step's metrics; identities with non-finite gradients are not updated."""
        params, moments, watch = dict(state.params), dict(state.optimizers), state.variables["watch"]
        gradients = {name: self._stack(g) if name in OWN else g for name, g in gradients.items()}
        own = {name: g for name, g in gradients.items() if name in OWN}
        finite = health.finite_updates(own, self._by_network(metrics["total"]))
        for name, gradient in gradients.items():
            now, old = self._stack(params[name]) if name in own else params[name], moments[name]
            updates, moments[name] = self._optimizers[name].update(gradient, old, now)
            if name in own:
                updates = health.allowed(updates, watch, finite)
                moments[name] = optimizers.with_moments(moments[name], ~finite, old)
            now = optax.apply_updates(now, updates)
            params[name] = self._unstack(now) if name in own else now
        watch = watch.replace(skipped=watch.skipped + (~finite).astype(jnp.int32))
        state = state.replace(params=params, optimizers=moments).with_variables(watch=watch)
        state = state.finished_step(warmed_up(self.settings.ema_decay, state.step))
        return state, health.summarized(metrics, finite)
