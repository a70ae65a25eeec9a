"""DFT-Net and GANimation here and in PyTorch: speed and memory, side by side on this machine.

  python -m benchmarks.dftnet
  python -m benchmarks.dftnet --batch 32 --training_batch 25 --rounds 10 --json dftnet.json

"DFT-Net" and "GANimation" are the time in which a batch of faces is edited; "training step" is DFT-Net's, five updates
of the discriminator and one of the generator. Both sides start from the same weights and must make the same face of
them (within 1e-4) before anything is timed. They take turns, in one process, so that what else the machine does meets
both; a ratio is taken round by round. Peak memory is that of a process of its own for each. Everything is float32.
Needs PyTorch: the extra `torch`.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import jax
import numpy as np

from benchmarks import timing
from benchmarks.sizes import EditorSizes
from benchmarks.timing import Work, table
from lgan_jax.core import Batch, FaceInfo
from lgan_jax.landmarks import IBUG68
from lgan_jax.methods import METHODS

PHASE_OF = {"DFT-Net": "editor", "GANimation": "baseline"}
UPDATES = 5


def ours(sizes: EditorSizes, batch: Batch, training: Batch) -> tuple[Work, dict[str, Any]]:
    """This library's side, and the variables of its networks: by phase the generator's, and the discriminator's."""
    info = FaceInfo(IBUG68, sizes.size, ("somebody",))
    work, variables, methods, states = {}, {}, {}, {}
    for name, phase in PHASE_OF.items():
        kind = METHODS["dftnet"].phases[phase]
        settings = kind.Settings(
            batch_size=len(training["image"]),
            discriminator_updates=UPDATES,
            width=sizes.width,
            blocks=sizes.blocks,
            discriminator_width=sizes.discriminator_width,
        )
        method = kind(settings, info, np.float32, {})
        state = _with_flow(jax.jit(method.init)(jax.random.key(0), batch))
        methods[phase], states[phase] = method, state
        variables[phase] = {"params": state.params["generator"]}
        work[name] = _editing(method, state, batch)
    variables["discriminator"] = {"params": states["editor"].params["discriminator"]}
    return {**work, "training step": timing.training(methods["editor"], states["editor"], training)}, variables


def _with_flow(state: Any) -> Any:
    """The state with a flow and an attention that differ from pixel to pixel, as training would have it."""
    generator = dict(state.params["generator"])
    if "flow_attention" in generator:
        shape = generator["flow_attention"]["kernel"].shape
        generator["flow_attention"] = {"kernel": 4e-3 * jax.random.normal(jax.random.key(1), shape)}
    return state.replace(params={**state.params, "generator": generator}, ema={"generator": generator})


def _editing(method: Any, state: Any, batch: Batch) -> Any:
    edit = jax.jit(method.edit)
    image, units = (jax.numpy.asarray(batch[name]) for name in ("image", "action_units"))
    return lambda: np.asarray(edit(state, image, units).image)


def theirs(sizes: EditorSizes, batch: Batch, training: Batch, variables: dict[str, Any] | None) -> Work:
    """PyTorch's side, with the weights of `variables` where they are given."""
    import torch

    from benchmarks import torch_dftnet as twin
    from benchmarks.torch_weights import load

    device = torch.device("cuda" if torch.cuda.is_available() and jax.default_backend() == "gpu" else "cpu")
    trainers = {phase: twin.Trainer(phase, sizes, UPDATES, device) for phase in PHASE_OF.values()}
    if variables is not None:
        load(trainers["editor"].discriminator, variables["discriminator"])
        for phase, trainer in trainers.items():
            load(trainer.generator, variables[phase])

    def tensors(batch: Batch) -> tuple[Any, Any]:
        image, units = (torch.from_numpy(np.asarray(batch[name])).to(device) for name in ("image", "action_units"))
        return image.permute(0, 3, 1, 2), units

    inputs, examples = tensors(batch), tensors(training)

    def editing(phase: str) -> Any:
        def edit() -> np.ndarray:
            with torch.inference_mode():
                return trainers[phase].generator(*inputs).image.permute(0, 2, 3, 1).cpu().numpy()

        return edit

    def train() -> dict[str, float]:
        losses = trainers["editor"].step(*examples)
        if device.type == "cuda":
            torch.cuda.synchronize()
        return {name: float(loss) for name, loss in losses.items()}

    return {**{name: editing(phase) for name, phase in PHASE_OF.items()}, "training step": train}


def example(size: int, count: int) -> Batch:
    """Images and action units of nobody."""
    random = np.random.default_rng(0)
    return {
        "image": random.uniform(-1, 1, (count, size, size, 3)).astype(np.float32),
        "action_units": random.uniform(0, 1, (count, 17)).astype(np.float32),
    }


def examples(arguments: argparse.Namespace) -> tuple[Batch, Batch]:
    """What is edited, and what is trained on."""
    counts = (arguments.batch, UPDATES * arguments.training_batch)
    edited, trained = (example(arguments.size, count) for count in counts)
    return edited, trained


def sides(arguments: argparse.Namespace, side: str) -> Work:
    """One side alone."""
    sizes, batches = EditorSizes(arguments.size), examples(arguments)
    return ours(sizes, *batches)[0] if side == "lgan_jax" else theirs(sizes, *batches, None)


def both(arguments: argparse.Namespace) -> tuple[Work, Work]:
    """Both sides, with the same weights."""
    sizes, batches = EditorSizes(arguments.size), examples(arguments)
    mine, variables = ours(sizes, *batches)
    return mine, theirs(sizes, *batches, variables)


def show(report: dict[str, Any]) -> None:
    """The report as a table."""
    setting = "{size}×{size}, batch {batch}, {rounds} rounds, on {device}".format(**report)
    print(f"DFT-Net, {setting}; same face within {report['largest difference']:.0e}")
    print(f"Training step: {UPDATES} updates of the discriminator, each on {report['training_batch']} faces.")
    print(table(report, (*PHASE_OF, "training step")))


def main() -> int:
    """Returns the exit status."""
    parser = timing.parser("benchmarks.dftnet", __doc__, size=128)
    parser.add_argument("--batch", type=int, default=1, help="faces that are edited at once")
    parser.add_argument("--training_batch", type=int, default=2, help="faces in each update of a training step")
    return timing.main(parser, sides, both, ("size", "batch", "training_batch"), tuple(PHASE_OF), show)


if __name__ == "__main__":
    sys.exit(main())
