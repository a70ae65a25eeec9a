"""NVIDIA GPUs that are not there: programs compiled for them on any machine, and what those programs need.

JAX compiles for a GPU that a text describes; the wheels of the extra `gpu-plan` suffice, without driver or device. The
caller sets `FLAGS` in the environment before XLA starts, since there is no GPU on which XLA could try kernels out.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
from jax.experimental import topologies

from lgan_jax.core import DATA_AXIS

FLAGS = "--xla_gpu_autotune_level=0 --xla_gpu_enable_triton_gemm=false"  # Triton's tiles come from autotuning
_SHARE_OF_PEAK, _SHARE_OF_BANDWIDTH = 0.4, 0.6  # of the hardware's, that a step is assumed to reach
_DESCRIPTION = """\
gpu_device_info {{ threads_per_block_limit: 1024 threads_per_warp: 32 shared_memory_per_block: 49152
shared_memory_per_core: 233472 threads_per_core_limit: 2048 core_count: 132 fpus_per_core: 128
block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535 memory_bandwidth: {bandwidth}
l2_cache_size: 52428800 clock_rate_ghz: 1.98 device_memory_size: {memory} shared_memory_per_block_optin: 232448
cuda_compute_capability {{ major: 9 }} registers_per_core_limit: 65536 registers_per_block_limit: 65536 }}
platform_name: "CUDA" dnn_version_info {{ major: 9 minor: 8 }} runtime_version {{ major: 13 minor: 0 patch: 0 }}
device_description_str: "{name}"
"""


@dataclasses.dataclass(frozen=True)
class GPU:
    """A GPU: bytes of memory, bytes a second to it, and bfloat16 floating-point operations a second."""

    name: str
    memory: int
    bandwidth: int
    peak: float

    def seconds(self, flops: float, moved: float) -> float:
        """An estimate for work of so many operations and bytes: 40 % of the peak or 60 % of the bandwidth."""
        return max(flops / (_SHARE_OF_PEAK * self.peak), moved / (_SHARE_OF_BANDWIDTH * self.bandwidth))


GPUS = {
    "h100": GPU("NVIDIA H100 80GB HBM3", 84_929_347_584, 3_352_320_000_000, 989e12),
    "h200": GPU("NVIDIA H200", 150_754_820_096, 4_800_000_000_000, 989e12),
}


def missing() -> str:
    """What is not installed for compiling, as a line for the user; empty where all is there."""
    absent = [name for name in ("jax_plugins.xla_cuda13", "nvidia.cu13") if not _found(name)]
    return f"{' and '.join(absent)} not found: pip install 'lgan_jax[gpu-plan]'" if absent else ""


def _found(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@functools.cache
def devices(gpu: str) -> tuple[Any, ...]:
    """Eight of a GPU, for `jax.pmap`."""
    text = _DESCRIPTION.format(**dataclasses.asdict(GPUS[gpu]))
    return tuple(topologies.get_topology_desc(platform="cuda", target_config=text, topology="1x1x8").devices)


def compiled(step: Callable, shapes: tuple[Any, ...], gpu: str, count: int) -> dict[str, Any]:
    """Compiles `step`, as `parallel.spread` does, for `count` of a GPU; `shapes` are one device's.

    Returns, for one device: `compile_seconds`, and in bytes `arguments` (state and batch), `temporary`, `peak`,
    `moved` (see `moved`) and `constants` (arrays that the program has closed over).
    """
    spread = jax.pmap(step, axis_name=DATA_AXIS, devices=devices(gpu)[:count], donate_argnums=0)
    lowered = spread.lower(*_stacked(shapes, count))
    start = time.perf_counter()
    program = lowered.compile()
    memory = program.memory_analysis()
    return {
        "compile_seconds": time.perf_counter() - start,
        "arguments": memory.argument_size_in_bytes,
        "temporary": memory.temp_size_in_bytes,
        "peak": memory.peak_memory_in_bytes,
        "moved": moved(program.as_text()),
        "constants": constants(lowered.as_text()),
    }


def flops(step: Callable, shapes: tuple[Any, ...]) -> float:
    """Floating-point operations of a step on one device, by XLA's count of the program before optimization."""
    return float(jax.pmap(step, axis_name=DATA_AXIS).lower(*_stacked(shapes, 1)).cost_analysis()["flops"])


def _stacked(shapes: Any, count: int) -> Any:
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct((count, *x.shape), x.dtype), shapes)


def constants(lowered: str) -> int:
    """Bytes of the arrays in a lowered module's text that are no splat: what the function closes over."""
    return sum(len(digits) // 2 for digits in re.findall(r'dense<"0x([0-9A-F]+)">', lowered))


# s8 is the work space of cuBLAS, of which a kernel may use little.
_BYTES = {
    "pred": 1,
    "s8": 0,
    "u8": 1,
    "bf16": 2,
    "f16": 2,
    "s16": 2,
    "u16": 2,
    "s64": 8,
    "u64": 8,
    "f64": 8,
}
_ARRAY = re.compile(r"\b([a-z]+\d*)\[([\d,]*)\]")
_COMPUTATION = re.compile(r"^(ENTRY )?%([\w.\-]+) \(.*\{$")
_INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%([\w.\-]+) = (\(.*?\)|\S+) ([a-z][\w\-]*)\((.*)$")
_FREE = {"parameter", "tuple", "get-tuple-element", "bitcast", "constant", "after-all", "partition-id", "replica-id"}
_CALLED = re.compile(r"\b(?:to_apply|body|calls|called_computations)=\{?%([\w.\-]+)")
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')


def moved(program: str) -> int:
    """Bytes that a compiled program's kernels read and write, by its text.

    Each kernel reads its inputs and writes its outputs once: what stays in caches is counted, what is read twice is
    not. Loops count as often as they run, or once where the program does not say.
    """
    computations: dict[str, list[re.Match]] = {}
    entry = current = ""
    for line in program.splitlines():
        if head := _COMPUTATION.match(line):
            current = head[2]
            entry = current if head[1] else entry
            computations[current] = []
        elif current and (instruction := _INSTRUCTION.match(line)):
            computations[current].append(instruction)
    return _moved(entry, computations)


def _moved(name: str, computations: Mapping[str, list[re.Match]]) -> int:
    sizes: dict[str, int] = {}
    total = 0
    for instruction in computations[name]:
        own, shape, operation, rest = instruction.groups()
        sizes[own] = sum(_size(kind, sides) for kind, sides in _ARRAY.findall(shape))
        if operation in _FREE or operation.endswith("-done"):
            continue
        called = [each for each in _CALLED.findall(rest) if each in computations]
        if operation in ("while", "call", "conditional", "async-start"):
            trips = int(found[1]) if (found := _TRIPS.search(rest)) else 1
            total += trips * sum(_moved(each, computations) for each in called)
        else:
            operands = re.findall(r"%([\w.\-]+)", rest.split("), ")[0])
            total += sizes[own] + sum(sizes.get(each, 0) for each in operands)
    return total


def _size(kind: str, sides: str) -> int:
    count = 1
    for side in filter(None, sides.split(",")):
        count *= int(side)
    return count * _BYTES.get(kind, 4)
