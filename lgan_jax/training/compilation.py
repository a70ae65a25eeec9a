"""JAX's persistent compilation cache: a run that starts again does not compile again."""

from __future__ import annotations

import os

import jax

from lgan_jax import files


def use_cache() -> None:
    """Keeps compiled programs (and GPU autotuning) in `$LGAN_JAX_CACHE/xla`, by default `~/.cache/lgan_jax/xla`.

    Where nothing can be written there, nothing is kept: programs are compiled anew.
    """
    try:
        folder = files.cache_folder() / "xla"
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    if os.access(folder, os.W_OK):
        jax.config.update("jax_compilation_cache_dir", str(folder))
