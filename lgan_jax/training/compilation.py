"""JAX's persistent compilation cache: a run that starts again does not compile again."""

from __future__ import annotations

import os

import jax

from lgan_jax import cache


def use_cache() -> None:
    """Keeps compiled programs (and GPU autotuning) in `$LGAN_JAX_CACHE/xla`, by default `~/.cache/lgan_jax/xla`.

    Where no such folder can be made and written, nothing is kept: that costs time alone, and JAX would warn of every
    program.
    """
    try:
        folder = cache.folder() / "xla"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError):
        return
    if os.access(folder, os.W_OK):
        jax.config.update("jax_compilation_cache_dir", str(folder))
