"""Copying the library's weights into PyTorch modules that carry the names of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn


def load(module: nn.Module, variables: Mapping[str, Any]) -> None:
    """Copies the library's `variables` ("params" and, with batch normalization, "batch_stats") into `module`."""
    names = {"kernel": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var", "bias": "bias"}
    state = {}
    for path, values in _leaves({**variables["params"]}) + _leaves({**variables.get("batch_stats", {})}):
        *where, name = path
        x = np.asarray(values)
        if where[0].startswith("upscale"):  # PixelShuffle: channel 4c + 2i + j here, (2i + j)·C + c in the library
            x = np.moveaxis(x.reshape(*x.shape[:-1], 4, -1), -2, -1).reshape(x.shape)
        transposed = x.ndim == 4 and isinstance(module.get_submodule(".".join(where)), nn.ConvTranspose2d)
        x = x.transpose((2, 3, 0, 1) if transposed else (3, 2, 0, 1)) if x.ndim == 4 else x.T
        state[".".join((*where, names[name]))] = torch.tensor(x.copy())
    left_out = {name for name in module.state_dict() if not name.endswith("num_batches_tracked")} - set(state)
    if left_out:
        raise ValueError(f"no weights for {sorted(left_out)}")
    module.load_state_dict(state, strict=False)


def _leaves(tree: Mapping[str, Any], path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    found = []
    for name, value in tree.items():
        found += _leaves(value, (*path, name)) if isinstance(value, Mapping) else [((*path, name), value)]
    return found
