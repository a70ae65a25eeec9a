"""Batch normalisation as every network here that has it uses it: PyTorch's, with statistics over all devices."""

from __future__ import annotations

from typing import Any

import flax.linen as nn

from lgan_jax.core import DATA_AXIS


def batch_norm(train: bool, dtype: Any = None, name: str | None = None) -> nn.BatchNorm:
    """A layer that normalises by the batch's statistics, averaged over `DATA_AXIS`; without `train` by running ones.

    Those keep nine tenths of themselves at each step.
    """
    return nn.BatchNorm(
        use_running_average=not train,
        momentum=0.9,
        epsilon=1e-5,
        dtype=dtype,
        axis_name=DATA_AXIS if train else None,
        name=name,
    )
