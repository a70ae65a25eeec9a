"""Keeping the memory that a step gives back, for the next step."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8  # names of `mallopt`, from glibc's malloc.h


def keep_freed() -> None:
    """Tells glibc not to return freed memory to the system; other systems are left as they are.

    On a CPU XLA allocates and frees its buffers at every step, and the kernel would have to clear them anew each time:
    a quarter of the time of a step at 64 pixels. Call it before JAX starts its threads.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        for name, value in ((_ARENA_MAX, 1), (_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 2**28)):
            mallopt(name, value)
