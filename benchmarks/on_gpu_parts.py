"""The parts of `benchmarks.on_gpu`, each in a process of its own: `python -m benchmarks.on_gpu_parts PART`."""

from __future__ import annotations

import argparse
import importlib.util
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import gpu_plan, on_gpu, projection, steps
from lgan_jax import compilation, data, files
from lgan_jax.apps.project.networks import assembled
from lgan_jax.core import blank_batch
from lgan_jax.experiment import Experiment
from lgan_jax.landmarks import IBUG68
from lgan_jax.methods.projection.losses import landmark_weights
from lgan_jax.methods.projection.projector import Settings as ProjectorSettings
from lgan_jax.ops import backend
from lgan_jax.training import loop, parallel
from lgan_jax.training.phase import Phase

_TIMED = 3.0  # seconds for which a step is repeated
_IMAGES = 40 * 2**20  # bytes of the images of a training that are kept
_EDITED = 32  # faces edited at once
_EDIT_BAR, _PROJECTION_BAR = 0.5, 1 / 3  # milliseconds an image; share of a projection alone


def smoke(given: argparse.Namespace, name: str) -> dict[str, Any]:
    """A step at its full size on random images: seconds to compile and to run, and memory beside the plan's."""
    step = _step(name, given.tiny)
    call, compiling = _started(step)
    seconds = _timed(call)
    memory = jax.local_devices()[0].memory_stats() or {}
    found = {
        "device": jax.devices()[0].device_kind,
        "batch": step.batch_size,
        "first_call_seconds": compiling,
        "step_milliseconds": 1e3 * seconds,
        "images_per_second": _images(step) / seconds,
        "peak_bytes": memory.get("peak_bytes_in_use"),
    }
    if given.plan:
        file = gpu_plan.result_file(given.plan, step.name, "h200", 1, step.batch_size)
        found["planned_bytes"] = json.loads(file.read_text()).get("peak") if file.exists() else None
    return found


def _step(name: str, tiny: bool) -> steps.Step:
    return next(step for step in steps.steps_of(name.split("/")[0], tiny) if step.name == name)


def _started(step: steps.Step) -> tuple[Callable[[], None], float]:
    """A call of the step on random images, and the seconds of the first."""
    with backend.using(backend.ACCELERATOR):
        state = parallel.replicate(_state(step.method))
    held = {"state": state}
    spread = parallel.spread(step)
    batch, seed = parallel.shard(_batch(step.method, step.batch_size)), parallel.replicate(np.int32(0))

    def call() -> None:
        held["state"], metrics = spread(held["state"], batch, seed)
        held["finite"] = all(np.isfinite(value).all() for value in jax.device_get(metrics).values())

    start = time.perf_counter()
    call()
    if not held["finite"]:
        raise FloatingPointError(f"{step.name}: a metric of the first step is not finite")
    return call, time.perf_counter() - start


def _state(method: Phase) -> Any:
    init = jax.jit(lambda batch: method.init(jax.random.key(0), batch))
    return init(_batch(method, method.examples(method.settings)))


def _batch(method: Phase, count: int) -> dict[str, np.ndarray]:
    """Images and labels of nobody."""
    random = np.random.default_rng(0)
    people = np.arange(len(method.faces.identities), dtype=np.int32)
    batch = {}
    for key, x in blank_batch(method, method.faces).items():
        shape = (count, *x.shape[1:])
        if key == "identity":
            batch[key] = np.broadcast_to(people, shape).copy() if len(shape) > 1 else np.zeros(shape, x.dtype)
        elif x.dtype == np.int32:
            batch[key] = np.arange(np.prod(shape), dtype=np.int32).reshape(shape) % 2
        else:
            low = -1 if key == "image" else 0
            batch[key] = random.uniform(low, 1, shape).astype(np.float32)
    return batch


def _images(step: steps.Step) -> int:
    return int(np.prod(step.batch(step.batch_size)["image"].shape[:-3]))


def _timed(call: Callable[[], None]) -> float:
    """The median of the seconds that a call takes."""
    taken, end = [], time.perf_counter() + _TIMED
    while len(taken) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def training_loop(given: argparse.Namespace) -> dict[str, Any]:
    """Images a second of the loop, with its data pipeline, as a share of those of the same step alone."""
    config = steps.config_of("celebv:gpu", given.tiny)
    config["phases"] = ("detector",)
    config["detector"]["steps"] = 4 if given.tiny else 300
    _use_data(config, given)
    config["loop"] |= {"log_every": config["detector"]["steps"] // 2}
    config["loop"] |= {f"{each}_every": 10**6 for each in ("eval", "images", "checkpoint")}
    read = Experiment.read(config)
    faces = data.open_faces(read.settings.data)
    with tempfile.TemporaryDirectory(dir=on_gpu.work_folder(given.out)) as folder:
        folder = pathlib.Path(folder) / "run"
        loop.run(read.training_phases(faces, {}, folder), folder, read.settings.loop, {"data": faces.name})
        lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
        whole = [line["images_per_second"] for line in lines if "images_per_second" in line][-1]
    step = _step("celebv:gpu/detector", given.tiny)
    call, _ = _started(step)
    alone = _images(step) / _timed(call)
    return {"loop_images_per_second": whole, "step_images_per_second": alone, "share": whole / alone}


def _use_data(config: dict[str, Any], given: argparse.Namespace) -> None:
    if given.data:
        config["data"]["dir"] = str(given.data)
    elif not given.tiny:  # fewer built-in faces: drawing the config's takes longer than there is time for
        config["data"]["built_in"] |= {"train_per_identity": 100, "test_per_identity": 40}


def inference(given: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds an image of DFT-Net's edits, in batches that lie on the device."""
    method = _step("emotionet/editor", given.tiny).method
    with backend.using(backend.ACCELERATOR):
        state = _state(method)
        batch = {key: jnp.asarray(x) for key, x in _batch(method, _EDITED).items()}
        edit = jax.jit(lambda image, units: method.edit(state, image, units).image)

        def call() -> None:
            edit(batch["image"], batch["action_units"]).block_until_ready()

        call()
    milliseconds = 1e3 * _timed(call) / _EDITED
    return {"milliseconds_an_image": milliseconds, "bar": _EDIT_BAR, "reached": milliseconds < _EDIT_BAR}


def projections(given: argparse.Namespace) -> dict[str, Any]:
    """The cost of a projection in a batch of 8, as a share of that of one alone."""
    sizes = {"most": 4, "width": 8, "features": 2, "depth": 1, "stacks": 1} if given.tiny else {}
    networks = projection.networks(32 if given.tiny else 256, **sizes)
    settings = ProjectorSettings(steps=2 if given.tiny else 20, slots=8, samples=100)
    projector = assembled(*networks, landmark_weights(IBUG68), settings)
    found = projection.compare(projector, batch=8, rounds=3, seconds=1.0)
    share = found["share"]["median"]
    return {
        "alone_milliseconds_a_step": 1e3 * found["alone seconds"],
        "share": share,
        "bar": _PROJECTION_BAR,
        "reached": share <= _PROJECTION_BAR,
    }


def against_torch(given: argparse.Namespace, module: str) -> dict[str, Any]:
    """What the benchmark against PyTorch finds; nothing where PyTorch has no GPU."""
    if importlib.util.find_spec("torch") is None:
        return {"skipped": "PyTorch is not installed"}
    import torch

    if not torch.cuda.is_available():
        return {"skipped": "PyTorch has no CUDA device here"}
    file = on_gpu.work_folder(given.out) / f"{module}.json"
    subprocess.run([sys.executable, "-m", f"benchmarks.{module}", "--rounds=3", f"--json={file}"], check=True)
    return {k: v for k, v in json.loads(file.read_text()).items() if k != "peak MiB"}  # of the host's memory


def trace(given: argparse.Namespace) -> dict[str, Any]:
    """A profile of three calls of the slowest step that was measured, for TensorBoard or Perfetto."""
    measured = {}
    for name in on_gpu.SMOKE:
        if (file := on_gpu.result_file(given.out, f"smoke/{name}")).exists():
            measured[name] = json.loads(file.read_text())["step_milliseconds"]
    if not measured:
        raise FileNotFoundError(f"{given.out} has no result of smoke, which says what is slowest; run it first")
    slowest = max(measured, key=measured.get)
    call, _ = _started(_step(slowest, given.tiny))
    folder = given.out / "trace"
    shutil.rmtree(folder, ignore_errors=True)
    with jax.profiler.trace(str(folder)):
        for _ in range(3):
            call()
    return {"step": slowest, "bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())}


def train(given: argparse.Namespace) -> dict[str, Any]:
    """Trains `celebv:gpu`, its schedule shortened to the time, and keeps its images, metrics and preview."""
    config = steps.config_of("celebv:gpu", given.tiny)
    lengths = _lengths(config, given)
    run = on_gpu.work_folder(given.out) / "run"
    shutil.rmtree(run, ignore_errors=True)
    start = time.monotonic()
    _train(given, run, lengths)
    kept = _keep(run, given.out / "train")
    return {"seconds": time.monotonic() - start, **{f"{k}_steps": v for k, v in lengths.items()}, "images": kept}


def _lengths(config: dict[str, Any], given: argparse.Namespace) -> dict[str, int]:
    """Steps of the phases: two thirds of the time are for them, the rest for compiling and evaluating."""
    if given.tiny:
        return {phase: config[phase]["steps"] for phase in config["phases"]}
    shares = {"detector": 0.3, "generator": 0.7}
    found = {"converter": 300}
    for phase, share in shares.items():
        file = on_gpu.result_file(given.out, f"smoke/celebv:gpu/{phase}")
        seconds = json.loads(file.read_text())["step_milliseconds"] / 1e3 if file.exists() else 0.2
        found[phase] = max(100, round(share * 2 / 3 * given.seconds / seconds))
    return {phase: found[phase] for phase in config["phases"]}


def _train(given: argparse.Namespace, run: pathlib.Path, lengths: dict[str, int]) -> None:
    """Trains until the end or the time is over; the run's folder shows how far."""
    config = steps.config_of("celebv:gpu", given.tiny)
    _use_data(config, given)
    config |= {"loop": {**config["loop"], "log_every": max(1, max(lengths.values()) // 20)}}
    every = max(1, max(lengths.values()) // 5)
    config["loop"] |= {"eval_every": every, "images_every": every, "checkpoint_every": 10**6}
    for phase, count in lengths.items():
        config[phase]["steps"] = count
    written = run.with_suffix(".json")
    files.write_text(written, json.dumps(config))
    code = (
        "import json, pathlib, sys; from lgan_jax import experiment; "
        "sys.exit(experiment.train(json.loads(pathlib.Path(sys.argv[1]).read_text()), pathlib.Path(sys.argv[2])))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(written), str(run)])
    try:
        status = process.wait(max(1.0, given.seconds - 15))
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()
        return
    if status:
        raise RuntimeError(f"the training ended with status {status}")


def _keep(run: pathlib.Path, folder: pathlib.Path) -> int:
    """Copies images, the newest first as far as they fit, metrics and preview; returns the number of images."""
    shutil.rmtree(folder, ignore_errors=True)
    images = sorted((run / "images").rglob("*.*"), key=lambda path: -path.stat().st_mtime)
    room, kept = _IMAGES, 0
    for path in [*run.glob("*.jsonl"), *run.glob("preview.html"), *(run / "report").glob("*.md"), *images]:
        room -= path.stat().st_size
        if room < 0:
            break
        place = folder / path.relative_to(run)
        files.make_folder(place.parent)
        shutil.copyfile(path, place)
        kept += path in images
    return kept


WORK: dict[str, Callable[..., dict[str, Any]]] = {
    "smoke": smoke,
    "loop": training_loop,
    "inference": inference,
    "projection": projections,
    "torch": against_torch,
    "trace": trace,
    "train": train,
}


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.on_gpu_parts", description=__doc__)
    parser.add_argument("part")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--plan", type=pathlib.Path)
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    files.make_folder(on_gpu.work_folder(given.out))
    compilation.use_cache()
    kind, _, rest = given.part.partition("/")
    found = WORK[kind](given, *[rest] if rest else [])
    files.write_text(on_gpu.result_file(given.out, given.part), json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
