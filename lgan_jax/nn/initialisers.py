"""Weight initialisation.

`initial_variables` initialises all networks except StyleGAN2's, which has its own initialisation. Modules here take no
initializers, and the initialisation of Flax's own layers is not used.
"""

from __future__ import annotations

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

# Kaiming-normal as PyTorch's `kaiming_normal_` does it by default: fan-in, gain √(2 / (1 + a²)) with a = 0, whatever
# the negative slope of a LeakyReLU; an ordinary normal distribution, where Flax's own `kaiming_normal` truncates.
kaiming_normal = nn.initializers.variance_scaling(2.0, "fan_in", "normal")

_CONSTANTS = {"bias": 0.0, "scale": 1.0, "mean": 0.0, "var": 1.0}


def initial_variables(module: nn.Module, key: jax.Array, *inputs: Any, std: float | None = None) -> Any:
    """Initial variables of a network: kernels are `kaiming_normal`, biases and means 0, scales and variances 1.

    With `std` kernels are normal with this standard std instead. All kernels share one random draw: a draw per
    kernel would take most of a second each to compile, minutes for all networks of a method.

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
            size, spread = math.prod(leaf.shape), std or math.sqrt(2 / math.prod(leaf.shape[:-1]))
            leaves.append(spread * normal[start : start + size].reshape(leaf.shape))
            start += size
        elif name in _CONSTANTS:
            leaves.append(jnp.full(leaf.shape, _CONSTANTS[name]))
        else:
            raise ValueError(f"no initialisation is defined for {name!r} of {type(module).__name__}; use module.init")
    return jax.tree.unflatten(structure, leaves)
