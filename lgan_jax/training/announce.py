"""Lines printed at the start of a run: devices, an unused GPU, and the networks' parameter counts."""

from __future__ import annotations

import shutil
from collections import defaultdict
from pathlib import Path

import jax
from clu import parameter_overview

from lgan_jax.training.train_state import TrainState


def devices() -> list[str]:
    """The devices by name, and a warning where the machine has an NVIDIA GPU that JAX does not see."""
    found = jax.devices()
    kinds = sorted({device.device_kind for device in found})
    processes = f" in {jax.process_count()} processes" if jax.process_count() > 1 else ""
    lines = [f"training on {len(found)} × {', '.join(kinds)} ({found[0].platform}){processes}"]
    if found[0].platform == "cpu" and has_gpu():
        lines.append("WARNING: this machine has an NVIDIA GPU, but JAX uses the CPU: pip install 'lgan_jax[gpu]'")
    return lines


def has_gpu(files: Path = Path("/dev")) -> bool:
    """Whether the machine has an NVIDIA GPU, independent of JAX: its device file or nvidia-smi exists."""
    return (files / "nvidia0").exists() or shutil.which("nvidia-smi") is not None


def networks(state: TrainState) -> list[str]:
    """A line for each network of a state: its name and its number of parameters.

    Networks that the phase trains, and networks of earlier phases (`detector` of `frozen.detector.params…`).
    """
    groups: dict[str, dict[str, jax.Array]] = defaultdict(dict)
    for path, leaf in jax.tree_util.tree_flatten_with_path(state)[0]:
        names = [jax.tree_util.keystr((key,), simple=True) for key in path]
        if "params" in names and names[0] in ("params", "frozen"):
            groups[names[1]][".".join(names)] = leaf
    return [f"{name}: {int(parameter_overview.count_parameters(group)):,} parameters" for name, group in groups.items()]
