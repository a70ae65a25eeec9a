"""The device that an app's networks run on."""

from __future__ import annotations

import os

import jax

from lgan_jax.training.machine import has_gpu


def line() -> str:
    """Names the device of the networks, with a warning where the machine has a GPU that JAX does not use."""
    found = jax.devices()[0]
    text = f"running on {found.device_kind} ({found.platform}, {os.cpu_count()} CPU cores)"
    if found.platform == "cpu" and has_gpu():
        text += "\nWARNING: this machine has an NVIDIA GPU, but JAX uses the CPU: pip install 'lgan_jax[gpu]'"
    return text
