"""What the benchmarks share: flags, this library and PyTorch timed in turns, the memory of each, and the report."""

from __future__ import annotations

import argparse
import importlib.util
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from lgan_jax import files
from lgan_jax.training import parallel

SIDES = ("lgan_jax", "torch")
TOLERANCE = 1e-4  # on images in [0, 1]

Work = dict[str, Callable[[], Any]]  # what is timed → a call that does it once and waits for it


def parser(
    name: str, description: str, size: int, sizes: Sequence[int] = (64, 128, 256), rounds: int = 7
) -> argparse.ArgumentParser:
    """An argument parser with the flags that every benchmark has."""
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description=description.splitlines()[0])
    parser.add_argument("--size", type=int, choices=sizes, default=size, help="pixels on a side")
    parser.add_argument("--rounds", type=int, default=rounds, help="how often the two sides take turns")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long a turn lasts, at least one call")
    parser.add_argument("--json", type=pathlib.Path, help="file to write the figures to")
    return parser


def main(
    parser: argparse.ArgumentParser,
    sides: Callable[[argparse.Namespace, str], Work],
    both: Callable[[argparse.Namespace], tuple[Work, Work]],
    names: Sequence[str],
    images: Sequence[str],
    show: Callable[[dict[str, Any]], None],
) -> int:
    """Compares this library with PyTorch, shows and writes the report, and returns the exit status; see `compare`.

    `sides` is one side alone, of which `--alone` reports the memory.
    """
    parser.add_argument("--alone", choices=SIDES, help="train two steps on one side and print its peak memory in MiB")
    arguments = parser.parse_args()
    module = parser.prog.split()[-1]
    if importlib.util.find_spec("torch") is None:
        print(f"{module}: PyTorch is missing; pip install 'lgan_jax[torch]'", file=sys.stderr)
        return 2
    if arguments.alone:
        print(peak(sides(arguments, arguments.alone)))
        return 0
    report = compare(module, arguments, names, both, images)
    show(report)
    write(arguments.json, report)
    return 0


def write(path: pathlib.Path | None, report: dict[str, Any]) -> None:
    """Writes a report as JSON, where a path is given."""
    if path:
        files.write_text(path, json.dumps(report, indent=2) + "\n")


def compare(
    module: str,
    arguments: argparse.Namespace,
    names: Sequence[str],
    both: Callable[[argparse.Namespace], tuple[Work, Work]],
    images: Sequence[str],
) -> dict[str, Any]:
    """Device, the settings `names`, and times and memory of both sides, whose `images` must agree.

    Memory comes first: a child's peak counts from what its parent holds.
    """
    memory = peak_memory(module, arguments, names)
    with jax.default_matmul_precision("highest"):
        mine, other = both(arguments)
        difference = max(disagreement(mine[name](), other[name]()) for name in images)
    results = {
        what: summary(alternate({"lgan_jax": mine[what], "torch": other[what]}, arguments.rounds, arguments.seconds))
        for what in mine
    }
    setting = {name: getattr(arguments, name) for name in (*names, "rounds")}
    device = jax.devices()[0].device_kind
    return {"device": device, **setting, "largest difference": difference, **results, "peak MiB": memory}


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


def training(method: Any, state: Any, batch: Any) -> Callable[[], dict[str, float]]:
    """One training step of this library at a time, from `state` on."""
    step = parallel.spread(lambda state, batch, seed: method.train_step(state, batch, jax.random.key(seed)))
    spread, seed = parallel.shard(batch), parallel.replicate(np.int32(0))
    held = {"state": parallel.replicate(state)}

    def train() -> dict[str, float]:
        held["state"], metrics = step(held["state"], spread, seed)
        jax.block_until_ready(held["state"])
        return {name: float(value[0]) for name, value in metrics.items()}

    return train


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
