"""LandmarkGAN's generator phase here and in PyTorch: speed and memory, side by side on this machine.

  python -m benchmarks.landmarkgan
  python -m benchmarks.landmarkgan --size 128 --identities 2 --rounds 10 --json landmarkgan.json

Both sides start from the same weights and must make the same face of them (within 1e-4) before anything is timed.
They take turns, in one process, so that what else the machine does meets both; a ratio is taken round by round. Peak
memory is that of a process of its own for each. Everything is float32. Needs PyTorch: the extra `torch`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import pathlib
import sys
from typing import Any

import jax
import numpy as np

from benchmarks.sizes import Sizes
from benchmarks.timing import SIDES, Work, alternate, disagreement, peak, peak_memory, summary, table
from lgan_jax import files
from lgan_jax.core import Batch, FaceInfo, Finished
from lgan_jax.landmarks import WFLW98
from lgan_jax.methods import METHODS
from lgan_jax.training import parallel


def ours(sizes: Sizes, batch: Batch) -> tuple[Work, dict[str, Any]]:
    """This library's side, and its first identity's variables by network."""
    count = batch["image"].shape[1]
    info = FaceInfo(WFLW98, sizes.size, tuple(f"identity {i}" for i in range(count)))
    settings = {
        "detector": {"width": sizes.detector_width, "depth": sizes.detector_depth},
        "converter": {},
        "generator": {"width": sizes.width, "discriminator_width": sizes.discriminator_width},
    }
    many = example(1, count, 64)["landmarks"]  # generators start from how landmarks vary
    earlier: dict[str, Finished] = {}
    for name, fields in settings.items():
        phase = METHODS["landmarkgan"].phases[name]
        method = phase(phase.Settings(**fields), info, np.float32, earlier)
        earlier[name] = Finished(method, jax.jit(method.init)(jax.random.key(0), {**batch, "landmarks": many}))
    state = earlier["generator"].state
    variables = {
        "generator": {"params": jax.tree.map(lambda p: p[0], state.params["generators"])},
        "discriminator": {"params": jax.tree.map(lambda p: p[0], state.params["discriminators"])},
        "detector": state.frozen["detector"],
    }
    forward = jax.jit(lambda landmarks: method.synthesize(state, landmarks, 0))
    step = parallel.spread(lambda state, batch, seed: method.train_step(state, batch, jax.random.key(seed)))
    spread, seed = parallel.shard(batch), parallel.replicate(np.int32(0))
    held = {"state": parallel.replicate(state)}

    def train() -> dict[str, float]:
        held["state"], metrics = step(held["state"], spread, seed)
        jax.block_until_ready(held["state"])
        return {name: float(value[0]) for name, value in metrics.items()}

    landmarks = jax.numpy.asarray(batch["landmarks"][:, 0])
    return {"forward": lambda: np.asarray(forward(landmarks)), "training step": train}, variables


def theirs(sizes: Sizes, batch: Batch, variables: dict[str, Any] | None) -> Work:
    """PyTorch's side; every identity has the weights of `variables`, where they are given."""
    import torch

    from benchmarks import torch_landmarkgan as twin
    from benchmarks.torch_weights import load

    device = torch.device("cuda" if torch.cuda.is_available() and jax.default_backend() == "gpu" else "cpu")
    point_weights = torch.ones(WFLW98.count)
    point_weights[torch.from_numpy(WFLW98.inner)] = 2.5
    detector = twin.HeatmapDetector(sizes).eval().requires_grad_(False)
    detector.to(device, memory_format=torch.channels_last)
    count = batch["image"].shape[1]
    trainers = [twin.Trainer(sizes, detector, point_weights.to(device)) for _ in range(count)]
    if variables is not None:
        load(detector, variables["detector"])
        for trainer in trainers:
            load(trainer.generator, variables["generator"])
            load(trainer.discriminator, variables["discriminator"])
    images = torch.from_numpy(batch["image"]).to(device).permute(0, 1, 4, 2, 3)
    landmarks = torch.from_numpy(batch["landmarks"]).to(device)

    def forward() -> np.ndarray:
        with torch.inference_mode():
            return trainers[0].generator(landmarks[:, 0]).permute(0, 2, 3, 1).cpu().numpy()

    def train() -> dict[str, float]:
        losses = [trainer.step(images[:, i], landmarks[:, i]) for i, trainer in enumerate(trainers)]
        if device.type == "cuda":
            torch.cuda.synchronize()
        return {name: float(sum(loss[name] for loss in losses)) / len(losses) for name in losses[0]}

    return {"forward": forward, "training step": train}


def example(size: int, identities: int, count: int) -> Batch:
    """Images and landmarks of nobody."""
    random = np.random.default_rng(0)
    return {
        "image": random.uniform(-1, 1, (count, identities, size, size, 3)).astype(np.float32),
        "landmarks": random.uniform(0.1, 0.9, (count, identities, WFLW98.count, 2)).astype(np.float32),
        "identity": np.tile(np.arange(identities, dtype=np.int32), (count, 1)),
    }


def compare(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything that is reported. Memory comes first: a child's peak counts from what its parent holds."""
    memory = peak_memory("benchmarks.landmarkgan", arguments, ("size", "identities", "batch"))
    batch = example(arguments.size, arguments.identities, arguments.batch)
    with jax.default_matmul_precision("highest"):
        mine, variables = ours(Sizes(arguments.size), batch)
        other = theirs(Sizes(arguments.size), batch, variables)
        difference = disagreement(mine["forward"](), other["forward"]())
    results = {
        what: summary(alternate({"lgan_jax": mine[what], "torch": other[what]}, arguments.rounds, arguments.seconds))
        for what in mine
    }
    setting = {name: getattr(arguments, name) for name in ("size", "identities", "batch", "rounds")}
    device = jax.devices()[0].device_kind
    return {"device": device, **setting, "largest difference": difference, **results, "peak MiB": memory}


def show(report: dict[str, Any]) -> None:
    """The report as a table."""
    setting = "{size}×{size}, {identities} identities, batch {batch}, {rounds} rounds, on {device}".format(**report)
    print(f"LandmarkGAN, {setting}; same face within {report['largest difference']:.0e}")
    print(table(report, ("forward", "training step")))


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.landmarkgan", description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, choices=(64, 128, 256), default=256, help="pixels on a side")
    parser.add_argument("--identities", type=int, default=1, help="how many are trained in a step")
    parser.add_argument("--batch", type=int, default=1, help="images of each identity in a step")
    parser.add_argument("--rounds", type=int, default=7, help="how often the two sides take turns")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long a turn lasts, at least one call")
    parser.add_argument("--json", type=pathlib.Path, help="file to write the figures to")
    parser.add_argument("--alone", choices=SIDES, help="train two steps on one side and print its peak memory in MiB")
    arguments = parser.parse_args()
    if importlib.util.find_spec("torch") is None:
        print("benchmarks.landmarkgan: PyTorch is missing; pip install 'lgan_jax[torch]'", file=sys.stderr)
        return 2
    if arguments.alone:
        batch = example(arguments.size, arguments.identities, arguments.batch)
        sizes = Sizes(arguments.size)
        print(peak(ours(sizes, batch)[0] if arguments.alone == "lgan_jax" else theirs(sizes, batch, None)))
        return 0
    report = compare(arguments)
    show(report)
    if arguments.json:
        files.write_text(arguments.json, json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
