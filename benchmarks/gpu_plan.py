"""What every training step needs on a GPU, planned on a machine without one.

  python -m benchmarks.gpu_plan                                    every config, on one device
  python -m benchmarks.gpu_plan --devices 1 8 --batches            on eight as well, and the largest batch
  python -m benchmarks.gpu_plan --only celebv ffhq:gpu/stylegan2   some configs, phases or step variants
  python -m benchmarks.gpu_plan --table docs/gpu_plan.md           writes the table of all results so far, compiles none

Steps are compiled for the GPU at their own size, which takes half a minute each on two free cores. Each result is a
file in --out as soon as it is there: the command can be stopped and repeated, and compiles what is missing. FLOPs are
counted in the program before optimization, bytes in the compiled one. A step is estimated to take the longer of its
FLOPs at 40 % of the GPU's bfloat16 peak and its bytes at 60 % of the bandwidth. Memory is a lower bound: the work space
of cuDNN's kernels is not in it. Needs the extra `gpu-plan`.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import jax

from benchmarks import gpu_table, gpu_target, steps
from benchmarks.gpu_target import FLAGS, GPUS
from lgan_jax import files

GROWN = 4  # a second batch is so many times the first, to find how memory grows


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """The command line's."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_plan", description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[], metavar="CONFIG[/PHASE[/VARIANT]]", help="steps to compile")
    parser.add_argument("--gpu", choices=tuple(GPUS), default="h200", help="the GPU to compile for")
    parser.add_argument("--devices", type=int, nargs="+", default=[1], choices=(1, 2, 4, 8), help="numbers of GPUs")
    parser.add_argument("--batches", action="store_true", help=f"also {GROWN} times the batch, for the largest one")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("gpu_plan"), help="folder of the results")
    parser.add_argument("--table", type=pathlib.Path, help="write the results in --out as a table, and compile nothing")
    return parser.parse_args(given)


def result_file(out: pathlib.Path, step: str, gpu: str, devices: int, batch: int) -> pathlib.Path:
    """Where a result is; `batch` is one device's."""
    return out / f"{step.replace('/', '--')}--{gpu}-x{devices}-batch{batch}.json"


def measure(step: steps.Step, gpu: str, devices: int, batch: int) -> dict[str, Any]:
    """One result: the step on so many devices, each with `batch` examples; `error` where it does not compile."""
    shapes = step.shapes(batch)
    found = {
        "step": step.name,
        "share": step.share,
        "steps": step.steps,
        "batch_size": step.batch_size,
        "gpu": gpu,
        "devices": devices,
        "batch": batch,
        "state": sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(step.state)),
    }
    try:
        found |= gpu_target.compiled(step, shapes, gpu, devices)
    except jax.errors.JaxRuntimeError as error:
        return found | {"error": str(error).splitlines()[0]}
    return found | {"flops": gpu_target.flops(step, shapes)}


def compile_all(given: argparse.Namespace) -> int:
    """Compiles what is missing in `--out`; returns 1 if a step does not compile."""
    jax.config.update("jax_platforms", "cpu")
    failed = 0
    names = [each.split("/")[0] for each in given.only] or steps.all_configs()
    wanted = [each + "/" for each in given.only]
    for name in dict.fromkeys(names):
        for step in steps.steps_of(name):
            if wanted and not any(f"{step.name}/".startswith(each) for each in wanted):
                continue
            for devices, batch in _settings(step.batch_size, given.devices, given.batches):
                file = result_file(given.out, step.name, given.gpu, devices, batch)
                if not file.exists():
                    found = measure(step, given.gpu, devices, batch)
                    _write(file, found)
                    print(_line(found), flush=True)
                    failed += "error" in found
    return int(failed > 0)


def _settings(batch_size: int, devices: Sequence[int], grown: bool) -> list[tuple[int, int]]:
    """Numbers of devices, each with the examples of one: a share of the batch, but at least one example."""
    found = [(count, max(1, batch_size // count)) for count in devices]
    return found + ([(1, GROWN * batch_size)] if grown else [])


def _write(file: pathlib.Path, found: dict[str, Any]) -> None:
    files.make_folder(file.parent)
    files.write_text(file, json.dumps(found, indent=2) + "\n")


def _line(found: dict[str, Any]) -> str:
    start = f"{found['step']}, {found['devices']} × {found['batch']} on {found['gpu']}: "
    if "error" in found:
        return start + f"DOES NOT COMPILE: {found['error']}"
    return (
        start + f"{found['peak'] / 1e9:.2f} GB, {found['flops'] / 1e12:.3g} TFLOP, {found['moved'] / 1e9:.1f} GB moved"
    )


def main(given: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    options = arguments(given)
    if options.table:
        gpu_table.write(options.out, options.table)
        return 0
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {FLAGS}".strip()  # before XLA starts
    if line := gpu_target.missing():
        print(f"gpu_plan: {line}", file=sys.stderr)
        return 2
    try:
        return compile_all(options)
    except ValueError as error:
        print(f"gpu_plan: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
