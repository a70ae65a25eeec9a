"""Timing two sides, this library and PyTorch, in turns; and the memory that each needs on its own."""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

SIDES = ("lgan_jax", "torch")
TOLERANCE = 1e-4  # on images in [0, 1]

Work = dict[str, Callable[[], Any]]  # what is timed → a call that does it once and waits for it


def disagreement(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference between two images, on [0, 1]. Raises `ArithmeticError` above `TOLERANCE`."""
    difference = float(np.abs(one - other).max()) / 2
    if not difference <= TOLERANCE:
        raise ArithmeticError(f"the same weights make faces that differ by {difference:.1e}; nothing can be compared")
    return difference


def alternate(sides: dict[str, Callable[[], Any]], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Seconds a call of each side, once a round; in a round each is called for about `seconds`."""
    calls = {}
    for name, call in sides.items():
        call()
        start = time.perf_counter()
        call()
        calls[name] = max(1, round(seconds / (time.perf_counter() - start)))
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for i in range(rounds):
        for name in sorted(sides, reverse=bool(i % 2)):
            start = time.perf_counter()
            for _ in range(calls[name]):
                sides[name]()
            taken[name].append((time.perf_counter() - start) / calls[name])
    return taken


def summary(taken: dict[str, list[float]]) -> dict[str, Any]:
    """Medians in seconds, and the median, least and greatest ratio of a round (above 1: this library is faster)."""
    ratios = [b / a for a, b in zip(taken["lgan_jax"], taken["torch"], strict=True)]
    middle = {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)}
    return {**{f"{name} seconds": statistics.median(taken[name]) for name in SIDES}, "speed ratio": middle}


def peak_memory(module: str, arguments: argparse.Namespace, names: Sequence[str]) -> dict[str, float]:
    """MiB that `python -m module --alone SIDE`, with the named arguments, says of each side in a process of its own."""
    options = [f"--{name}={getattr(arguments, name)}" for name in names]
    found = {}
    for side in SIDES:
        command = [sys.executable, "-m", module, *options, "--alone", side]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[side] = float(output.split()[-1])
    return found


def peak(work: Work) -> float:
    """Two training steps; the peak of this process's memory in MiB."""
    for _ in range(2):
        work["training step"]()
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def table(report: dict[str, Any], what: Sequence[str]) -> str:
    """Lines of the two sides' times and of their ratio, and of their memory."""
    lines = [f"{'':16}{'lgan_jax':>12}{'PyTorch':>12}   speed ratio (min to max)"]
    for name in what:
        row, ratio = report[name], report[name]["speed ratio"]
        milliseconds = "".join(f"{1e3 * row[f'{side} seconds']:>9.1f} ms" for side in SIDES)
        lines.append(f"{name:16}{milliseconds}   {ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})")
    lines.append(f"{'peak memory':16}" + "".join(f"{report['peak MiB'][side]:>8.0f} MiB" for side in SIDES))
    return "\n".join(lines)
