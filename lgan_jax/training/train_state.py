"""The state of a phase, and a step of its optimizers: gradient, mean over devices, update, EMA."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax
from clu import parameter_overview
from jax.typing import ArrayLike

from lgan_jax.core import DATA_AXIS, Metrics

Optimizers = Mapping[str, optax.GradientTransformation]  # by the entry of `TrainState.params` that each trains
Params = Any  # a tree of arrays


@flax.struct.dataclass
class TrainState:
    """The complete state of a phase, as stored in a checkpoint.

    All fields but `step` are trees by name, `{name: tree}`.

    Attributes:
      step: of this phase, a scalar int32.
      params: the parameters of each network.
      optimizers: the state of the optimizer of each entry of `params` that is trained.
      ema: exponential moving averages of entries of `params`, or of `variables`, by the same name.
      variables: other variables of training, by name: statistics of batch normalization, BEGAN's k.
      frozen: constants from earlier phases or from the first batch. They are here, not in the phase, because the
        compiler embeds arrays that a function closes over as constants.
    """

    step: Any
    params: Any
    optimizers: Any = flax.struct.field(default_factory=dict)
    ema: Any = flax.struct.field(default_factory=dict)
    variables: Any = flax.struct.field(default_factory=dict)
    frozen: Any = flax.struct.field(default_factory=dict)

    @classmethod
    def create(
        cls,
        params: Mapping[str, Any],
        optimizers: Optimizers,
        ema: Iterable[str] = (),
        variables: Mapping[str, Any] | None = None,
        frozen: Mapping[str, Any] | None = None,
    ) -> TrainState:
        """The state at step 0; EMAs of the entries named in `ema` are initialized with the values."""
        variables = dict(variables or {})
        return cls(
            step=jnp.zeros((), jnp.int32),
            params=dict(params),
            optimizers={name: optimizer.init(params[name]) for name, optimizer in optimizers.items()},
            ema=_copies(ema, {**variables, **params}),
            variables=variables,
            frozen=dict(frozen or {}),
        )

    def started_from(self, weights: Mapping[str, ArrayLike]) -> TrainState:
        """A copy with other values of some parameters and variables, by path; EMAs are initialized with the values.

        Paths are those of `by_path`. Raises `ValueError` for a path that this state does not have.
        """
        if unknown := weights.keys() - by_path({**self.variables, **self.params}).keys():
            raise ValueError(f"the state has no {min(unknown)}")

        def placed(path: Any, value: Any) -> Any:
            return jnp.array(weights.get(_name(path), value))

        params, variables = (jax.tree_util.tree_map_with_path(placed, tree) for tree in (self.params, self.variables))
        return self.replace(params=params, variables=variables, ema=_copies(self.ema, {**variables, **params}))

    def with_variables(self, **changed: Any) -> TrainState:
        """A copy with other values of these variables."""
        return self.replace(variables={**self.variables, **changed})

    def for_use(self, *params: str) -> TrainState:
        """A copy for inference: without optimizers and the parameters that are not named."""
        return self.replace(params={name: self.params[name] for name in params}, optimizers={})

    def descend(self, optimizers: Optimizers, loss: Callable, *networks: str) -> tuple[TrainState, Metrics, Any]:
        """One optimizer step of `networks` with the gradient of `loss`. Runs under `DATA_AXIS`.

        Args:
          optimizers: of all networks.
          loss: from `{network: parameters}` to `(total, (metrics, rest))`; the gradient is that of `total`.
          networks: entries of `params`.

        Returns:
          The state after the update (`finished_step` counts it), `metrics` as means over all devices, and this device's
          `rest`.
        """
        gradients, metrics, rest = mean_gradients(loss, {name: self.params[name] for name in networks})
        return self.updated(optimizers, gradients), metrics, rest

    def updated(self, optimizers: Optimizers, gradients: Mapping[str, Params]) -> TrainState:
        """One optimizer step of the networks in `gradients`."""
        params, states = dict(self.params), dict(self.optimizers)
        for name, gradient in gradients.items():
            updates, states[name] = optimizers[name].update(gradient, states[name], params[name])
            params[name] = optax.apply_updates(params[name], updates)
        return self.replace(params=params, optimizers=states)

    def finished_step(self, ema_decay: ArrayLike | None = None) -> TrainState:
        """The state with `step` incremented and every EMA updated with `ema_decay`. See `warmed_up`.

        Raises `ValueError` for a state with EMAs and no decay.
        """
        if self.ema and ema_decay is None:
            raise ValueError("this state has EMAs; finished_step needs their decay")
        values = {**self.variables, **self.params}
        ema = ema_update(ema_decay, self.ema, {name: values[name] for name in self.ema}) if self.ema else self.ema
        return self.replace(step=self.step + 1, ema=ema)


def parameter_counts(state: TrainState) -> list[str]:
    """A line for each network of a state: its name and its number of parameters.

    Networks that the phase trains, and networks of earlier phases (`detector` of `frozen.detector.params…`).
    """
    groups: dict[str, dict[str, jax.Array]] = defaultdict(dict)
    for path, leaf in jax.tree_util.tree_flatten_with_path(state)[0]:
        names = [jax.tree_util.keystr((key,), simple=True) for key in path]
        if "params" in names and names[0] in ("params", "frozen"):
            groups[names[1]][".".join(names)] = leaf
    return [f"{name}: {int(parameter_overview.count_parameters(group)):,} parameters" for name, group in groups.items()]


def by_path(tree: Any) -> dict[str, Any]:
    """The arrays of a tree by path, such as `generators.layer_0.kernel`."""
    return {_name(path): leaf for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]}


def mean_gradients(loss: Callable, params: Mapping[str, Params]) -> tuple[dict[str, Params], Metrics, Any]:
    """The gradients of `loss` at `params`, and its metrics, as means over `DATA_AXIS`; see `TrainState.descend`."""
    gradients, (metrics, rest) = jax.grad(loss, has_aux=True)(dict(params))
    return *jax.lax.pmean((gradients, metrics), DATA_AXIS), rest


def warmed_up(decay: float, step: ArrayLike) -> jax.Array:
    """The EMA's decay at a step n, from 0: at most (1 + n) / (10 + n), so that its initial value fades quickly."""
    return jnp.minimum(decay, (1 + step) / (10 + step))


def ema_update(decay: ArrayLike, ema: Params, values: Params) -> Params:
    """Updates an exponential moving average: `decay` · ema + (1 − `decay`) · values."""
    return optax.incremental_update(values, ema, 1 - decay)


def _copies(names: Iterable[str], values: Mapping[str, Params]) -> dict[str, Params]:
    return {name: jax.tree.map(jnp.copy, values[name]) for name in names}


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")
