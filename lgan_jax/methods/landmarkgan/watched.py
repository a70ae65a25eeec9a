"""A phase of LandmarkGAN whose networks are watched: its updates, and what evaluations do about networks that die."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import optax

from lgan_jax import optimizers
from lgan_jax.core import FaceInfo, Metrics
from lgan_jax.methods.landmarkgan import health

OWN = ("generators", "discriminators")  # entries of the parameters that are watched


class Watched:
    """What the generator phases share: see `health`. The state is a `generator.State`.

    A form with one network for all identities overrides the four members that say how networks are stacked.
    """

    settings: Any
    faces: FaceInfo
    _optimizers: dict[str, optax.GradientTransformation]
    section = "generator"  # of the config
    worst: ClassVar = health.WORST
    recoverable = frozenset(("l2i", "i2l", "adversarial", "feature_matching", "total", "discriminator"))

    def recover(self, state: Any, metrics: Mapping[str, np.ndarray]) -> tuple[Any, list[str]]:
        """See `core.Method` and `health.recover`."""
        rate = f"--config.{self.section}.optimizer.learning_rate"
        lower = f"with {rate} below {self.settings.optimizer.learning_rate:g}"
        advice = f"train again in another folder {lower}, or with more frames of {{}}"
        own = {name: self._optimizers[name] for name in OWN}
        pooled = {name: self._by_network(value) for name, value in metrics.items()}
        stack, unstack = self._stack, self._unstack
        params = {**state.params, **{name: stack(state.params[name]) for name in OWN}}
        state = state.replace(params=params, average=stack(state.average))
        state, lines = health.recover(state, pooled, own, self._owners, advice)
        params = {**state.params, **{name: unstack(state.params[name]) for name in OWN}}
        return state.replace(params=params, average=unstack(state.average)), lines

    def notes(self, state: Any) -> list[str]:
        """See `core.Method`: whose generator was restarted."""
        restarted = np.flatnonzero(np.asarray(state.watch.restarts))
        return [f"the generator of {self._owners[i]} was restarted at half the learning rate" for i in restarted]

    @property
    def _owners(self) -> Sequence[str]:
        """Whose each network is."""
        return self.faces.identities

    def _stack(self, params: Any) -> Any:
        """Parameters of generators or discriminators with a leading axis of networks: here they have it."""
        return params

    def _unstack(self, params: Any) -> Any:
        """What `_stack` undoes."""
        return params

    def _by_network(self, values: Any) -> Any:
        """One value for each network, from one for each identity."""
        return values

    def _updated(self, state: Any, gradients: Mapping[str, Any], metrics: Metrics) -> tuple[Any, Metrics]:
        """The state after a step, in which no identity is updated that is not finite; and the step's metrics."""
        params, moments = dict(state.params), dict(state.optimizers)
        gradients = {name: self._stack(g) if name in OWN else g for name, g in gradients.items()}
        own = {name: g for name, g in gradients.items() if name in OWN}
        finite = health.finite_updates(own, self._by_network(metrics["total"]))
        for name, gradient in gradients.items():
            now, old = self._stack(params[name]) if name in own else params[name], moments[name]
            updates, moments[name] = self._optimizers[name].update(gradient, old, now)
            if name in own:
                updates = health.allowed(updates, state.watch, finite)
                moments[name] = optimizers.with_moments(moments[name], ~finite, old)
            now = optax.apply_updates(now, updates)
            params[name] = self._unstack(now) if name in own else now
        average = optimizers.averaged(self.settings.ema_decay, state.step, state.average, params["generators"])
        watch = state.watch.replace(skipped=state.watch.skipped + (~finite).astype(jnp.int32))
        state = state.replace(step=state.step + 1, params=params, optimizers=moments, average=average, watch=watch)
        return state, health.summarized(metrics, finite)
