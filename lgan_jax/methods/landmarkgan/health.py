"""Health checks of each identity's networks: detect mode collapse, saturation and divergence, and restart the network.

A generator is dead if its images are all alike (mode collapse), saturated, or further from the ground truth than the
mean face. It has diverged if its parameters or gradients are not finite. It alone is restarted from its last healthy
EMA at half the learning rate; if it dies again, training stops. All decisions depend on the state and the metrics
only, so a resumed run decides the same. Where one network serves all identities, the stack has one network, and this
network is restarted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float

from lgan_jax.core import Metrics
from lgan_jax.nn import stacked
from lgan_jax.optimizers import with_moments
from lgan_jax.training.phase import Phase
from lgan_jax.training.train_state import TrainState, warmed_up

Images = Float[Array, "batch identities height width 3"]
PerIdentity = Float[Array, " identities"]

OWN = ("generators", "discriminators")  # entries of the parameters with health checks
WORST = {"l1": max, "ssim": min, "nme": max}  # metrics of the evaluation, and the function that picks the worst value
_SLOWER, _SLOWER_IN_WORDS = 0.5, "at half the learning rate"  # after a restart
_GRACE = 3  # evaluations before a generator that never beat the mean face counts as dead
_EDGE = 0.98  # larger absolute values, in [-1, 1], are saturated
_SATURATED = 0.5  # share of saturated values where the ground truth's are not
_ALIKE = 0.02  # variance across inputs, relative to the ground truth's
_INVISIBLE = (1 / 255) ** 2  # an invisible variance in [-1, 1]: half a level of 8 bits
_WORSE, _MARGIN = 2.0, 0.05  # ℓ1 on [0, 1] above this multiple of the mean face's, plus a margin


@flax.struct.dataclass
class Watch:
    """The record of each identity's health, and the parameters for a restart: a variable of the phase's state.

    Attributes:
      mean_face: mean of the training examples, `(identities, height, width, 3)` in [-1, 1].
      good: `generators` (EMA) and `discriminators` of each identity at its last healthy evaluation.
      good_step: the step of this evaluation, `(identities,)`; 0 before the first evaluation.
      learned: whether the generator has beaten the mean face since its start, `(identities,)`.
      skipped: updates skipped for non-finite gradients since the last evaluation, `(identities,)`.
      restarts: number of restarts, `(identities,)`.
      evaluations: number of evaluations since the start or restart, `(identities,)`.
      evaluated: the step of the last evaluation.
    """

    mean_face: Any
    good: dict[str, Any]
    good_step: Any
    learned: Any
    skipped: Any
    restarts: Any
    evaluations: Any
    evaluated: Any


def watch(image: Images, generators: Any, discriminators: Any) -> Watch:
    """The initial watch of stacked networks before any evaluation; `image` has training examples."""
    none = jnp.zeros(len(jax.tree.leaves(generators)[0]), jnp.int32)
    good = jax.tree.map(jnp.copy, {"generators": generators, "discriminators": discriminators})
    return Watch(image.mean(0), good, none, none > 0, none, none, none, jnp.int32(0))


def measure(image: Images, generated: Images, mean_face: Float[Array, "identities height width 3"]) -> Metrics:
    """Measures generated images against the ground truth `image`; metrics `(identities,)`.

    l1: mean absolute difference on [0, 1]. mean_face_l1: the same of the mean face. variance, ground_truth_variance:
    variance across the batch, mean over values. saturation: share of values at an end of the range where the ground
    truth is not saturated.
    """

    def of_each(values: Images) -> PerIdentity:
        return jnp.mean(values, (0, 2, 3, 4))

    def variance(values: Images) -> PerIdentity:
        return of_each((values - values.mean(0, keepdims=True)) ** 2)

    saturated = (jnp.abs(generated) > _EDGE) & (jnp.abs(image) <= _EDGE)
    return {
        "l1": of_each(jnp.abs(image - generated)) / 2,
        "mean_face_l1": of_each(jnp.abs(image - mean_face[None])) / 2,
        "variance": variance(generated),
        "ground_truth_variance": variance(image),
        "saturation": of_each(saturated.astype(jnp.float32)),
    }


def finite_updates(gradients: Any, total: PerIdentity) -> Bool[Array, " identities"]:
    """Whether the loss `total` and the norm of these stacked gradients are finite, per identity."""
    squares = [jnp.sum(leaf.reshape(len(total), -1) ** 2, 1) for leaf in jax.tree.leaves(gradients)]
    return jnp.isfinite(total) & jnp.isfinite(sum(squares))


def summarized(metrics: Mapping[str, Array], finite: Bool[Array, " networks"]) -> Metrics:
    """A step's metrics `(identities,)` as means over the updated identities; scalars are unchanged.

    Adds `skipped`, the number of identities without an update. If no identity was updated, the means are NaN.
    """
    means = {
        name: jnp.where(finite, value, 0).mean() / finite.mean() if jnp.ndim(value) else value
        for name, value in metrics.items()
    }
    return {**means, "skipped": jnp.sum(~finite).astype(jnp.float32)}


@jax.custom_vjp
def finite_gradient(x: Float[Array, "batch identities n 2"]) -> Float[Array, "batch identities n 2"]:
    """The identity function; its gradient is 0 for every identity with a non-finite gradient.

    It stands between shared parameters and each identity's networks, so a diverged identity does not harm the others.
    """
    return x


def _backward(_: None, gradient: Array) -> tuple[Array]:
    return (jnp.where(jnp.isfinite(gradient).all((0, 2, 3), keepdims=True), gradient, 0),)


finite_gradient.defvjp(lambda x: (x, None), _backward)


def allowed(updates: Any, watched: Watch, finite: Bool[Array, " networks"]) -> Any:
    """Stacked updates, scaled down for restarted networks, and 0 for networks that are not `finite`."""
    slower = stacked.scaled(updates, jnp.where(watched.restarts > 0, _SLOWER, 1.0))
    return stacked.select(finite, slower, jax.tree.map(jnp.zeros_like, updates))


class Verdict(NamedTuple):
    """The verdict on one identity's networks: a `verb` and the reason; both are empty for healthy networks."""

    verb: str = ""
    why: str = ""


def assess(metrics: Mapping[str, np.ndarray], watched: Watch, step: int, finite: np.ndarray) -> list[Verdict]:
    """The verdict on each identity's networks, without the grace period of new networks.

    Args:
      metrics: means of `measure` over the evaluation.
      watched: the watch after the previous evaluation.
      step: step of the evaluation.
      finite: whether all of an identity's arrays are finite, `(identities,)`.
    """
    variance = (metrics["variance"] + _INVISIBLE) / (metrics["ground_truth_variance"] + _INVISIBLE)
    skipped = 2 * watched.skipped > step - watched.evaluated
    conditions = {
        Verdict("diverged", "not finite"): ~finite | skipped | ~np.isfinite(metrics["l1"]),
        Verdict("died", "saturated"): metrics["saturation"] > _SATURATED,
        Verdict("died", "all outputs alike"): variance < _ALIKE,
        Verdict("died", "worse than the mean face"): metrics["l1"] > _WORSE * metrics["mean_face_l1"] + _MARGIN,
    }
    verdicts = conditions.items()
    return [next((each for each, found in verdicts if found[i]), Verdict()) for i in range(len(finite))]


def recover(
    state: TrainState,
    metrics: Mapping[str, np.ndarray],
    optimizers: Mapping[str, optax.GradientTransformation],
    identities: Sequence[str],
    advice: str,
) -> tuple[TrainState, list[str]]:
    """Restarts dead and diverged identities; returns the state and one log line for each restart.

    A generator that never beat the mean face has a grace period, unless it diverged or is saturated.

    Args:
      state: the phase's state on the host: `params` and `optimizers` with `generators` and `discriminators`, `ema` of
        the generators, and the variable `watch`.
      metrics: means of `measure` over the evaluation at this step.
      optimizers: optimizers of the generators and discriminators, from `make_stacked`.
      identities: their names.
      advice: what to do about an identity that dies again.

    Raises:
      FloatingPointError: one of them died again.
    """
    step, watched = int(state.step), state.variables["watch"]
    owned = [(state.params[name], state.optimizers[name]) for name in optimizers]
    verdicts = assess(metrics, watched, step, _finite((owned, state.ema["generators"]), len(identities)))
    due = watched.learned | (watched.evaluations + 1 >= _GRACE)
    lost = [each.verb == "diverged" or each.why == "saturated" for each in verdicts]
    well = np.array([not each.verb for each in verdicts])
    dead = ~well & (due | lost)
    lines = []
    for name, count in zip(identities, watched.skipped, strict=True):
        if count:
            lines.append(f"{name}: {count} updates skipped since step {watched.evaluated:,}, gradients not finite")
    for i in np.flatnonzero(dead):
        verb, why = verdicts[i]
        if watched.restarts[i]:
            event = f"the generator of {identities[i]} {verb} again at step {step:,} ({why}), {_SLOWER_IN_WORDS}"
            raise FloatingPointError(f"{event}; {advice.format(identities[i])}")
        event = f"the generator of {identities[i]} {verb} at step {step:,} ({why})"
        lines.append(f"{event}: restarted from step {watched.good_step[i]:,} {_SLOWER_IN_WORDS}")
    learned = well & (watched.learned | (metrics["l1"] < metrics["mean_face_l1"]))
    return _restarted(state, optimizers, well, dead, learned), lines


def _restarted(
    state: TrainState,
    optimizers: Mapping[str, optax.GradientTransformation],
    well: np.ndarray,
    dead: np.ndarray,
    learned: np.ndarray,
) -> TrainState:
    """The state with what is `well` stored as good, and what is `dead` taken from the last good; see `recover`."""
    watched, params, moments = state.variables["watch"], dict(state.params), dict(state.optimizers)
    ema = state.ema["generators"]
    live = {"generators": ema, "discriminators": state.params["discriminators"]}
    good = stacked.select(well, live, watched.good, np.where)
    ema = stacked.select(dead, good["generators"], ema, np.where)
    if dead.any():
        for name, optimizer in optimizers.items():
            params[name] = stacked.select(dead, good[name], params[name], np.where)
            fresh = jax.device_get(optimizer.init(params[name]))
            moments[name] = with_moments(moments[name], dead, fresh, np.where)
    watched = watched.replace(
        good=good,
        good_step=np.where(well, state.step, watched.good_step).astype(np.int32),
        learned=learned,
        skipped=np.zeros_like(watched.skipped),
        restarts=watched.restarts + dead.astype(np.int32),
        evaluations=np.where(dead, 0, watched.evaluations + 1).astype(np.int32),
        evaluated=np.int32(state.step),
    )
    return state.replace(params=params, optimizers=moments, ema={"generators": ema}).with_variables(watch=watched)


def _finite(trees: Any, count: int) -> np.ndarray:
    """Of which of `count` identities every array of these stacked trees is finite."""
    return np.all([np.isfinite(leaf).reshape(count, -1).all(1) for leaf in jax.tree.leaves(trees)], axis=0)


class Watched(Phase):
    """Base class of the generator phases, with the health checks of this module.

    A form with one network for all identities overrides the four members that define how networks are stacked.
    """

    _optimizers: dict[str, optax.GradientTransformation]
    section = "generator"  # the phase's section in the config
    worst: ClassVar = WORST
    recoverable = frozenset(("l2i", "i2l", "adversarial", "feature_matching", "total", "discriminator"))

    def start_from(self, state: TrainState, weights: Mapping[str, np.ndarray]) -> TrainState:
        """See `Phase`. A network that dies before the first evaluation is restarted from these weights, too."""
        state = super().start_from(state, weights)
        good = {name: jax.tree.map(jnp.copy, self._stack(state.params[name])) for name in OWN}
        return state.with_variables(watch=state.variables["watch"].replace(good=good))

    def recover(self, state: TrainState, metrics: Mapping[str, np.ndarray]) -> tuple[TrainState, list[str]]:
        """See `Phase` and `recover`."""
        rate = f"--config.{self.section}.optimizer.learning_rate"
        lower = f"with {rate} below {self.settings.optimizer.learning_rate:g}"
        advice = f"train again in another folder {lower}, or with more frames of {{}}"
        own = {name: self._optimizers[name] for name in OWN}
        pooled = {name: self._by_network(value) for name, value in metrics.items()}
        stack, unstack = self._stack, self._unstack
        params = {**state.params, **{name: stack(state.params[name]) for name in OWN}}
        state = state.replace(params=params, ema={"generators": stack(state.ema["generators"])})
        state, lines = recover(state, pooled, own, self._owners, advice)
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
        finite = finite_updates(own, self._by_network(metrics["total"]))
        for name, gradient in gradients.items():
            now, old = self._stack(params[name]) if name in own else params[name], moments[name]
            updates, moments[name] = self._optimizers[name].update(gradient, old, now)
            if name in own:
                updates = allowed(updates, watch, finite)
                moments[name] = with_moments(moments[name], ~finite, old)
            now = optax.apply_updates(now, updates)
            params[name] = self._unstack(now) if name in own else now
        watch = watch.replace(skipped=watch.skipped + (~finite).astype(jnp.int32))
        state = state.replace(params=params, optimizers=moments).with_variables(watch=watch)
        state = state.finished_step(warmed_up(self.settings.ema_decay, state.step))
        return state, summarized(metrics, finite)
