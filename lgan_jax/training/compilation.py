"""Enables JAX's persistent compilation cache, so that a resumed run does not recompile."""

from __future__ import annotations

import os

import jax

from lgan_jax import cache


def use_cache() -> None:
    """Stores compiled programs (and GPU autotuning) in `$LGAN_JAX_CACHE/xla`, by default `~/.cache/lgan_jax/xla`.

    If the folder cannot be created or written, the cache stays off: this costs only time, and JAX would warn for every
    program.
    """
    try:
        folder = cache.folder() / "xla"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError):
        return
    if os.access(folder, os.W_OK):
        jax.config.update("jax_compilation_cache_dir", str(folder))
