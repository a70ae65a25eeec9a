"""Norms whose gradient is defined everywhere."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float


def safe_norm(
    x: Float[Array, " ..."], axis: int | tuple[int, ...] = -1, keepdims: bool = False
) -> Float[Array, " ..."]:
    """The ℓ2 norm over `axis`. Its gradient at 0 is 0, as PyTorch's is; that of `jnp.linalg.norm` is NaN."""
    squares = jnp.sum(x * x, axis=axis, keepdims=keepdims)
    positive = squares > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squares, 1)), 0)
