"""JAX's persistent compilation cache: commands and resumed runs reuse compiled programs."""

from __future__ import annotations

import contextlib
import math
import os
import zlib
from pathlib import Path

import jax

from lgan_jax import cache

_CHECKED = ".checked"  # its time: entries that are older are intact
_ZLIB = b"\x78"  # first byte of an entry that zlib compressed


def use_cache() -> None:
    """Stores compiled programs (and GPU autotuning) in `$LGAN_JAX_CACHE/xla`, by default `~/.cache/lgan_jax/xla`.

    A folder that cannot be written is only read. Where there is none and none can be created, the cache stays off: this
    costs only time, and JAX would warn for every program. `$JAX_COMPILATION_CACHE_DIR` has precedence.
    """
    if os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return
    try:
        folder = cache.folder() / "xla"
        folder.mkdir(parents=True, exist_ok=True)
        if writable := os.access(folder, os.W_OK):
            _remove_incomplete(folder)
    except (OSError, ValueError):
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    if not writable:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", math.inf)  # no program is written


def _remove_incomplete(folder: Path) -> None:
    """Removes new entries that a killed process or a power cut left incomplete.

    JAX would report them at every start and never replace them.
    """
    mark = folder / _CHECKED
    since = mark.stat().st_mtime if mark.exists() else 0.0
    mark.touch()
    for entry in folder.glob("*-cache"):
        with contextlib.suppress(FileNotFoundError):  # another process removes it too
            if entry.stat().st_mtime >= since and _is_incomplete(entry.read_bytes()):
                entry.unlink()


def _is_incomplete(entry: bytes) -> bool:
    if entry[:1] not in (b"", _ZLIB):
        return False
    try:
        zlib.decompress(entry)
    except zlib.error:
        return True
    return False
