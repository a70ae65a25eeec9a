"""The machine: its devices, in words, and the memory allocator."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from pathlib import Path

import jax

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # names of `mallopt`, from glibc's malloc.h


def devices() -> list[str]:
    """The devices that training uses, by name, and the warning of `unused_gpu`."""
    found = jax.devices()
    kinds = sorted({device.device_kind for device in found})
    processes = f" in {jax.process_count()} processes" if jax.process_count() > 1 else ""
    return [f"training on {len(found)} × {', '.join(kinds)} ({found[0].platform}){processes}", *unused_gpu()]


def device() -> str:
    """The device that the networks of an app run on, in a line, and the warning of `unused_gpu` in another."""
    found = jax.devices()[0]
    line = f"running on {found.device_kind} ({found.platform}, {os.cpu_count()} CPU cores)"
    return "\n".join([line, *unused_gpu()])


def unused_gpu() -> list[str]:
    """A warning where the machine has an NVIDIA GPU that JAX does not use; else nothing."""
    if jax.default_backend() == "cpu" and has_gpu():
        return ["WARNING: this machine has an NVIDIA GPU, but JAX uses the CPU: pip install 'lgan_jax[gpu]'"]
    return []


def has_gpu(files: Path = Path("/dev")) -> bool:
    """Whether the machine has an NVIDIA GPU, independent of JAX: its device file or nvidia-smi exists."""
    return (files / "nvidia0").exists() or shutil.which("nvidia-smi") is not None


def retain_freed_memory() -> None:
    """Configures glibc not to return freed memory to the system; no effect on other systems.

    On a CPU XLA allocates and frees its buffers at every step, and the kernel would have to clear them anew each time:
    a tenth of the time of a small step. Call it before JAX starts its threads.

    Threads have their own arenas. With a single arena, the holes left by compilation are searched at every allocation,
    and training runs at two thirds of the speed.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        for name, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 2**28)):
            mallopt(name, value)
