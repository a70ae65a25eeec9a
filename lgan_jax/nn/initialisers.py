"""How weights start.

`initial_variables` alone decides it, for all networks but StyleGAN2's, whose layers draw their own. So modules here
take no initializers, and what Flax's own layers would draw is not used.
"""

from __future__ import annotations

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

# Kaiming-normal as PyTorch's `kaiming_normal_` does it by default: fan-in, gain √(2 / (1 + a²)) with a = 0, whatever
# the slope of the LeakyReLU that follows; an ordinary normal distribution, where Flax's own `kaiming_normal` truncates.
kaiming_normal = nn.initializers.variance_scaling(2.0, "fan_in", "normal")

_CONSTANTS = {"bias": 0.0, "scale": 1.0, "mean": 0.0, "var": 1.0}


def initial_variables(module: nn.Module, key: jax.Array, *inputs: Any, deviation: float | None = None) -> Any:
    """Variables of a network: kernels are `kaiming_normal`, biases and means 0, scales and variances 1.

    With `deviation` kernels are normal with that standard deviation instead. There is one draw for all kernels: one for
    each costs the compiler most of a second, minutes for all the networks of a method.

    Raises:
      ValueError: for a parameter that is neither a kernel nor a bias nor a normalisation's.
    """
    paths, structure = jax.tree_util.tree_flatten_with_path(jax.eval_shape(module.init, key, *inputs))
    sizes = [math.prod(leaf.shape) for path, leaf in paths if path[-1].key == "kernel"]
    normal = jax.random.normal(key, (sum(sizes),))
    leaves, start = [], 0
    for path, leaf in paths:
        name = path[-1].key
        if name == "kernel":
            size, spread = math.prod(leaf.shape), deviation or math.sqrt(2 / math.prod(leaf.shape[:-1]))
            leaves.append(spread * normal[start : start + size].reshape(leaf.shape))
            start += size
        elif name in _CONSTANTS:
            leaves.append(jnp.full(leaf.shape, _CONSTANTS[name]))
        else:
            raise ValueError(f"how {name!r} of {type(module).__name__} starts is not known here; use module.init")
    return jax.tree.unflatten(structure, leaves)
