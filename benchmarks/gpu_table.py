"""The results of `benchmarks.gpu_plan` as a page of the documentation."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Sequence
from typing import Any

from benchmarks import steps
from benchmarks.gpu_target import GPUS
from lgan_jax import files
from lgan_jax.experiment import Experiment

_CAPACITIES = (80e9, 141e9)  # bytes, of an H100 and an H200
_FREE = 0.9  # of a GPU's memory that a step may take; cuDNN's work space and JAX's own need the rest
_HEADER = """\
# A GPU, planned without one

No GPU has run this library yet. The training steps have been compiled for an NVIDIA H200, on a machine without a GPU:

```sh
pip install 'lgan_jax[gpu-plan]'
python -m benchmarks.gpu_plan --devices 1 8 --batches
python -m benchmarks.gpu_plan --table docs/gpu_plan.md
```

The first command compiles, keeps each result in `gpu_plan/`, and can be stopped and repeated; the last writes this
page.
All figures are estimates until `python -m benchmarks.on_gpu` has measured them; see [Speed](speed.md).

- Batch: examples of a step on all devices. Memory is that of one device: state (parameters, optimizers, averages) and
  the step's peak. It is a lower bound, since the work space of cuDNN's kernels is not in it.
- Time: the longer of the step's FLOPs at 40 % of the GPU's bfloat16 peak (989 TFLOP/s) and its bytes at 60 % of the
  bandwidth (4.8 TB/s). Not in it: communication between devices, the data pipeline, and starting kernels,
  which is most of a small network's step.
- Hours: of all steps of the phase, each variant with its share, on one device.
- Largest batch: that takes 90 % of 80 or 141 GB on one device, on a line through two compiled batches.
- A phase that compiles its own steps (BEGAN's `inverse`, a search) is not in the table.
"""


def write(results: pathlib.Path, page: pathlib.Path) -> None:
    """Writes the page from the results in a folder. Raises `FileNotFoundError` where there are none."""
    found = [json.loads(file.read_text()) for file in sorted(results.glob("*.json"))]
    if not found:
        raise FileNotFoundError(f"{results} holds no results; run python -m benchmarks.gpu_plan first")
    files.write_text(page, _HEADER + "\n" + table(found))


def table(found: Sequence[dict[str, Any]]) -> str:
    """Results as a table: a row for each step and number of devices, in the order of the configs."""
    lines = [
        "| step | GPUs | batch | state, GB | peak, GB | TFLOP | GB moved | ms | hours | largest batch, 80 / 141 GB |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    hours = _hours(found)
    for each in sorted(found, key=_place):
        if each["batch"] * each["devices"] > max(each["batch_size"], each["devices"]):
            continue  # for the largest batch only
        start = (
            f"| `{each['step']}` | {each['devices']} | {each['batch'] * each['devices']} | {each['state'] / 1e9:.2f} |"
        )
        if "error" in each:
            lines.append(f"{start} does not compile: {each['error']} | | | | | |")
            continue
        lines.append(
            f"{start} {each['peak'] / 1e9:.2f} | {each['flops'] / 1e12:.3g} | {each['moved'] / 1e9:.1f} "
            f"| {1e3 * _seconds(each):.1f} | {hours(each)} | {_largest(each, found)} |"
        )
    compiled = {_phase(each) for each in found}
    missing = [phase for phase in _all_phases() if phase not in compiled]
    note = "\nNot compiled for this page: " + ", ".join(f"`{name}`" for name in missing) + ".\n" if missing else ""
    return "\n".join(lines) + "\n" + note


def _all_phases() -> list[str]:
    reads = {name: Experiment.read(steps.config_of(name)) for name in steps.all_configs()}
    return [
        f"{name}/{phase}" for name, read in reads.items() for phase in read.phases if not read.classes[phase].host_step
    ]


def _phase(found: dict[str, Any]) -> str:
    return "/".join(found["step"].split("/")[:2])


def _place(found: dict[str, Any]) -> tuple:
    name = found["step"].split("/")[0].split(":")[0]
    return steps.CONFIGS.index(name), found["step"], found["devices"], found["batch"]


def _seconds(found: dict[str, Any]) -> float:
    return GPUS[found["gpu"]].seconds(found["flops"], found["moved"])


def _hours(found: Sequence[dict[str, Any]]) -> Any:
    """Gives the hours of a result's phase on one device, by all its variants; a dash where one is missing."""
    of_phase: dict[str, list[dict[str, Any]]] = {}
    for each in found:
        if each["devices"] == 1 and each["batch"] == each["batch_size"] and "error" not in each:
            of_phase.setdefault(_phase(each), []).append(each)

    def hours(one: dict[str, Any]) -> str:
        variants = of_phase.get(_phase(one), [])
        if one["devices"] != 1 or abs(sum(each["share"] for each in variants) - 1) > 1e-6:
            return "–"
        return f"{one['steps'] * sum(each['share'] * _seconds(each) for each in variants) / 3600:.2g}"

    return hours


def _largest(one: dict[str, Any], found: Sequence[dict[str, Any]]) -> str:
    """The largest batches of one device by two results of the same networks; a dash where there are not two."""
    own = sorted(
        (each["batch"], each["peak"])
        for each in found
        if _networks(each) == _networks(one)
        and each["gpu"] == one["gpu"]
        and each["devices"] == 1
        and "error" not in each
    )
    if one["devices"] != 1 or len(own) < 2:
        return "–"
    return " / ".join(f"{largest(own[0], own[-1], _FREE * capacity):,}" for capacity in _CAPACITIES)


def _networks(found: dict[str, Any]) -> str:
    """The step's name without the variant `gpu`, which changes the batch alone."""
    return found["step"].replace(":gpu", "", 1)


def largest(small: tuple[int, int], large: tuple[int, int], memory: float) -> int:
    """The batch that takes `memory` bytes, on the line through two pairs of a batch and its bytes."""
    slope = (large[1] - small[1]) / (large[0] - small[0])
    return max(0, int(small[0] + (memory - small[1]) / slope))
