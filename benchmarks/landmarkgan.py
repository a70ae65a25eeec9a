"""LandmarkGAN's generator phase here and in PyTorch: speed and memory, side by side on this machine.

  python -m benchmarks.landmarkgan
  python -m benchmarks.landmarkgan --size 128 --identities 2 --rounds 10 --json landmarkgan.json

Both sides start from the same weights and must make the same face of them (within 1e-4) before anything is timed.
They take turns, in one process, so that what else the machine does meets both; a ratio is taken round by round. Peak
memory is that of a process of its own for each. Everything is float32. Needs PyTorch: the extra `torch`.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import jax
import numpy as np

from benchmarks import timing
from benchmarks.sizes import Sizes
from benchmarks.timing import Work, table
from lgan_jax.core import Batch, FaceInfo, Finished
from lgan_jax.landmarks import WFLW98
from lgan_jax.methods import METHODS


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
    landmarks = jax.numpy.asarray(batch["landmarks"][:, 0])
    train = timing.training(method, state, batch)
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


def sides(arguments: argparse.Namespace, side: str) -> Work:
    """One side alone."""
    sizes, batch = Sizes(arguments.size), example(arguments.size, arguments.identities, arguments.batch)
    return ours(sizes, batch)[0] if side == "lgan_jax" else theirs(sizes, batch, None)


def both(arguments: argparse.Namespace) -> tuple[Work, Work]:
    """Both sides, with the same weights."""
    sizes, batch = Sizes(arguments.size), example(arguments.size, arguments.identities, arguments.batch)
    mine, variables = ours(sizes, batch)
    return mine, theirs(sizes, batch, variables)


def show(report: dict[str, Any]) -> None:
    """The report as a table."""
    setting = "{size}×{size}, {identities} identities, batch {batch}, {rounds} rounds, on {device}".format(**report)
    print(f"LandmarkGAN, {setting}; same face within {report['largest difference']:.0e}")
    print(table(report, ("forward", "training step")))


def main() -> int:
    """Returns the exit status."""
    parser = timing.parser("benchmarks.landmarkgan", __doc__, size=256)
    parser.add_argument("--identities", type=int, default=1, help="how many are trained in a step")
    parser.add_argument("--batch", type=int, default=1, help="images of each identity in a step")
    return timing.main(parser, sides, both, ("size", "identities", "batch"), ("forward",), show)


if __name__ == "__main__":
    sys.exit(main())
