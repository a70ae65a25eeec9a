"""Batch normalisation with PyTorch's settings and statistics over all devices."""

from __future__ import annotations

from typing import Any

import flax.linen as nn

from lgan_jax.core import DATA_AXIS


def batch_norm(train: bool, dtype: Any = None, name: str | None = None) -> nn.BatchNorm:
    """Batch normalisation by the batch's statistics over `DATA_AXIS`; with `train=False` by running statistics.

    Running statistics have the momentum 0.9.
    """
    return nn.BatchNorm(
        use_running_average=not train,
        momentum=0.9,
        epsilon=1e-5,
        dtype=dtype,
        axis_name=DATA_AXIS if train else None,
        name=name,
    )
