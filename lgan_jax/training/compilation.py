"""JAX's persistent compilation cache: a run that starts again does not compile again."""

from __future__ import annotations

import os
from pathlib import Path

import jax


def use_cache() -> None:
    """Keeps compiled programs (and GPU autotuning) in `$LGAN_JAX_CACHE/xla`, by default `~/.cache/lgan_jax/xla`."""
    folder = Path(os.environ.get("LGAN_JAX_CACHE") or Path.home() / ".cache" / "lgan_jax") / "xla"
    jax.config.update("jax_compilation_cache_dir", str(folder))
