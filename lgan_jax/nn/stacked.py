"""One network per identity: equal architectures, parameters stacked along a leading identity axis.

This module decides whether identities are unrolled or computed as one batch. XLA turns a convolution with a batch of
kernels into a grouped convolution, which is seven times slower on a CPU than unrolled identities, and has slow
gradients in cuDNN. Matrix products can be batched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from lgan_jax.nn.initialisers import initial_variables

Params = Any  # a tree of arrays


def initialise(module: nn.Module, key: jax.Array, count: int, *inputs: Any) -> Params:
    """Parameters of `count` networks, stacked. A network's values depend on `key` and its index, not on `count`.

    `inputs` are inputs of one network, batch axis first.
    """
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(count))
    return jax.vmap(lambda k: initial_variables(module, k, *inputs)["params"])(keys)


def pick(stacked: Params, index: int | jax.Array) -> Params:
    """The parameters of one identity."""
    return jax.tree.map(lambda p: p[index], stacked)


def separate(stacked: Params) -> list[Params]:
    """The parameters of every identity. Its gradient is one concatenation."""
    leaves, structure = jax.tree.flatten(stacked)
    parts = [[part[0] for part in jax.lax.split(leaf, (1,) * leaf.shape[0])] for leaf in leaves]
    return [jax.tree.unflatten(structure, of_one) for of_one in zip(*parts, strict=True)]


def select(chosen: ArrayLike, one: Params, other: Params, where: Callable = jnp.where) -> Params:
    """The tree `one` for the identities in the mask `chosen` `(identities,)`, and the tree `other` elsewhere.

    `where` is NumPy's for arrays of the host.
    """
    return jax.tree.map(lambda a, b: where(chosen.reshape(-1, *(1,) * (a.ndim - 1)), a, b), one, other)


def scaled(stacked: Params, factors: jax.Array) -> Params:
    """Scales each identity's values by its entry in `factors`, `(identities,)`."""
    return jax.tree.map(lambda x: x * factors.reshape(-1, *(1,) * (x.ndim - 1)), stacked)


def apply_each(apply: Callable, stacked: Params, *inputs: jax.Array, dense: bool = False) -> Any:
    """Applies `apply(params, *inputs)` for every identity; inputs and outputs have identities on axis 1, after batch.

    `dense`: the network has no convolutions, so it can run as one batched computation.
    """
    if dense:
        return jax.vmap(apply, in_axes=(0, *(1 for _ in inputs)), out_axes=1)(stacked, *inputs)
    outputs = [apply(params, *(x[:, i] for x in inputs)) for i, params in enumerate(separate(stacked))]
    return jax.tree.map(lambda *of_each: jnp.stack(of_each, 1), *outputs)
