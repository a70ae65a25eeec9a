"""How much less a projection costs in a batch than alone, with networks of the published sizes and random weights.

  python -m benchmarks.projection
  python -m benchmarks.projection --size 1024 --steps 200 --json projection.json

Pairs of images are projected with StyleGAN2, LPIPS and FAN, one pair alone and a batch of them at once, in turns, in
one process; a ratio is taken round by round. A projection costs the same at every step, so a few steps tell.
"""

from __future__ import annotations

import statistics
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import timing
from lgan_jax.apps.project.networks import SMALLEST, assembled
from lgan_jax.interop.names import Network
from lgan_jax.landmarks import IBUG68
from lgan_jax.methods.projection.losses import SIDE, landmark_weights
from lgan_jax.methods.projection.networks import Generator, channels
from lgan_jax.methods.projection.projector import Projector, Settings
from lgan_jax.nn.fan import FaceAlignmentNetwork
from lgan_jax.nn.lpips import LPIPS


def networks(
    size: int, most: int = 512, width: int = 256, features: int = 64, depth: int = 4, stacks: int = 4
) -> tuple[Network, Network, Network]:
    """Generator, face alignment network and LPIPS, with the published widths and hourglasses by default."""
    generator = Generator(channels(size, most=most), most, most)
    landmarks = FaceAlignmentNetwork(IBUG68.count, width, depth, stacks=stacks, pool="mean", smallest_map=1)
    examples = {
        generator: jnp.zeros((1, most)),
        landmarks: jnp.zeros((1, SIDE, SIDE, 3)),
        LPIPS(features): jnp.zeros((1, min(size, SIDE), min(size, SIDE), 3)),
    }
    return tuple(Network(module, jax.jit(module.init)(jax.random.key(0), x)) for module, x in examples.items())


def compare(projector: Projector, batch: int, rounds: int, seconds: float) -> dict[str, Any]:
    """Seconds an image and step, of one pair alone and of `batch` at once, and the second as a share of the first."""
    random = np.random.default_rng(0)
    side, steps = projector.generator.size, projector.settings.steps
    look, landmarks = random.uniform(-1, 1, (2, batch, side, side, 3)).astype(np.float32)
    sides = {
        "alone": lambda: projector(look[:1], landmarks[:1]),
        "batch": lambda: projector(look, landmarks),
    }
    images = {"alone": 1, "batch": batch}
    taken = {
        name: [each / (steps * images[name]) for each in calls]
        for name, calls in timing.alternate(sides, rounds, seconds).items()
    }
    shares = [b / a for a, b in zip(taken["alone"], taken["batch"], strict=True)]
    return {
        **{f"{name} seconds": statistics.median(calls) for name, calls in taken.items()},
        "share": {"median": statistics.median(shares), "min": min(shares), "max": max(shares)},
    }


def main() -> int:
    """Returns the exit status."""
    sizes = [SMALLEST << i for i in range(5)]
    parser = timing.parser("benchmarks.projection", __doc__, SIDE, sizes, rounds=5)
    parser.add_argument("--batch", type=int, default=8, help="pairs that are projected at once")
    parser.add_argument("--steps", type=int, default=20, help="of each projection")
    arguments = parser.parse_args()
    settings = Settings(steps=arguments.steps, slots=arguments.batch, samples=100)
    projector = assembled(*networks(arguments.size), landmark_weights(IBUG68), settings)
    found = compare(projector, arguments.batch, arguments.rounds, arguments.seconds)
    given = {name: getattr(arguments, name) for name in ("size", "batch", "steps", "rounds")}
    report = {"device": jax.devices()[0].device_kind, **given, **found}
    print("{size}×{size}, {steps} steps, {rounds} rounds, on {device}; an image and step:".format(**report))
    print(f"{'alone':12}{1e3 * found['alone seconds']:>9.1f} ms")
    share = "{median:.2f} ({min:.2f} to {max:.2f})".format(**found["share"])
    print(f"{f'{arguments.batch} at once':12}{1e3 * found['batch seconds']:>9.1f} ms   {share} of that")
    timing.write(arguments.json, report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
