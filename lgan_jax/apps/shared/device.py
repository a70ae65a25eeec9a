"""What the networks of an app run on."""

from __future__ import annotations

import os

import jax

from lgan_jax.training.announce import has_gpu


def line() -> str:
    """What the networks run on, and a warning where that is not the GPU that the machine has."""
    found = jax.devices()[0]
    text = f"running on {found.device_kind} ({found.platform}, {os.cpu_count()} CPU cores)"
    if found.platform == "cpu" and has_gpu():
        text += "\nWARNING: this machine has an NVIDIA GPU, but JAX uses the CPU: pip install 'lgan_jax[gpu]'"
    return text
