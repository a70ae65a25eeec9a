"""Which form of an operation runs on which backend; `using` overrides it for a test or a benchmark."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Literal, NamedTuple

import jax


class Forms(NamedTuple):
    """The form of each operation that has several. All compute the same, up to rounding.

    Attributes:
      convolution: "own", the maps of `ops.convolution` and their derivatives, or "xla".
      modulation: of `ops.modulated`: "scaled", maps times styles, or "fused", a kernel for each example. On a CPU the
        first takes 6 ms where the second, a grouped convolution, takes 55; with gradients 24 ms and 562.
      chunk: how many inputs `nn.chunks` works through at once. A CPU is faster with 4, which stay in its caches, than
        with 16 (1.26 times, a generator of 128 pixels).
      search: of `inversion`: "calls", one call of the program a step, or "loop", a loop inside of it. On a CPU XLA's
        convolutions are slow inside of its loops, and calls are cheap.
      precision: what networks compute in where a config says "auto".
    """

    convolution: Literal["own", "xla"]
    modulation: Literal["scaled", "fused"]
    chunk: int
    search: Literal["calls", "loop"]
    precision: Literal["float32", "bfloat16"]


CPU = Forms("own", "scaled", 4, "calls", "float32")
ACCELERATOR = Forms("xla", "fused", 16, "loop", "bfloat16")  # GPU and TPU

_overriding: list[Forms] = []


def forms() -> Forms:
    """The forms for JAX's default backend, or those of `using`."""
    if _overriding:
        return _overriding[-1]
    return CPU if jax.default_backend() == "cpu" else ACCELERATOR


@contextlib.contextmanager
def using(chosen: Forms) -> Iterator[None]:
    """Other forms while entered, for what is traced then: a compiled function keeps the forms it was traced with."""
    _overriding.append(chosen)
    try:
        yield
    finally:
        _overriding.pop()
