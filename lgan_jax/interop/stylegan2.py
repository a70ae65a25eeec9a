"""StyleGAN2's networks by the names of NVIDIA's PyTorch state dicts, and NVIDIA's pickles (see `nvidia`).

NVIDIA's weights are licensed for non-commercial use.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from lgan_jax.interop import files, names, nvidia
from lgan_jax.interop.names import Network, Tensors
from lgan_jax.methods.projection.discriminator import Discriminator
from lgan_jax.methods.projection.networks import SMALLEST, Generator
from lgan_jax.ops.resample import TAPS

PUBLISHED = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained (ffhq.pkl)"
_EMBED = "mapping.embed.weight"
_MOST_BLOCKS = 10  # the largest published ones are of 1024 pixels
_MOST_LAYERS = 64  # of the mapping network
_FILTER = ".resample_filter"  # among the buffers of every layer
_OTHERS = {"synthesis.input.": "StyleGAN3", "synthesis.b4.conv.": "StyleGAN1"}  # how names of theirs begin


def read(path: Path, network: str) -> dict[str, np.ndarray]:
    """The state dict of "G_ema" or "D" of one of NVIDIA's pickles, or what another file holds. Raises as `nvidia`."""
    return nvidia.read(path, network) if nvidia.is_pickle(path) else files.read(path)


def generator(tensors: Tensors) -> Network:
    """A `Generator`; `mapping.fc0.weight` …, `synthesis.b4.const` …, and `conv_clamp` where there is a limit."""
    for start, other in _OTHERS.items():
        if any(name.startswith(start) for name in tensors):
            raise ValueError(f"it is a network of {other}, and StyleGAN2's are read")
    clamp, tensors = _without_extras(tensors)
    sides = _sides(tensors, r"synthesis\.b(\d{1,5})\.")
    style = names.usual(tensors, ("synthesis.b4.conv1.affine.weight", 1), ("mapping.w_avg", 0))
    labels = _labels(tensors)
    inputs = names.usual(tensors, ("mapping.fc0.weight", 1))
    module = Generator(
        channels=tuple(
            names.usual(tensors, *((f"synthesis.b{side}.{name}", axis) for name, axis in _WIDTHS)) for side in sides
        ),
        latent=inputs - (style if labels else 0),
        style=style,
        labels=labels,
        layers=_layers(tensors),
        clamp=clamp,
    )
    shapes = [(1, module.latent), *([(1, labels)] if labels else [])]
    return Network(module, names.read(names.parameters(module, shapes, ".".join), tensors))


def discriminator(tensors: Tensors) -> Network:
    """A `Discriminator`; `b64.fromrgb.weight`, `b64.conv0.weight`, … `b4.out.weight`."""
    clamp, tensors = _without_extras(tensors)
    sides = _sides(tensors, r"b(\d{1,5})\.")
    first = names.usual(tensors, ("b4.conv.weight", 0), ("b4.fc.weight", 0), ("b4.conv.bias", 0))
    rest = [
        names.usual(tensors, *((f"b{side}.{name}", 0) for name in ("conv0.weight", "conv0.bias"))) for side in sides[1:]
    ]
    labels = _labels(tensors)
    module = Discriminator((first, *rest), labels, _layers(tensors) if labels else 0, clamp=clamp)
    shapes = [(1, sides[-1], sides[-1], 3), *([(1, labels)] if labels else [])]
    needed = names.parameters(module, shapes, lambda path: ".".join(path).replace("_", "."))
    return Network(module, names.read(needed, tensors))


_WIDTHS = (("torgb.weight", 1), ("conv1.weight", 0), ("conv1.bias", 0))  # parameters and the axis of a block's channels


def _without_extras(tensors: Tensors) -> tuple[float | None, Tensors]:
    """The limit of layer outputs, and the parameters without it and without the filters, which must be ours."""
    expected = np.outer(TAPS, TAPS) / sum(TAPS) ** 2
    for name, values in tensors.items():
        if name.endswith(_FILTER) and (values.shape != expected.shape or not np.allclose(values, expected)):
            raise ValueError(f"{name} is not the filter {list(TAPS)}, and no other is known here")
    clamp = tensors.get(nvidia.CLAMP)
    rest = {name: x for name, x in tensors.items() if not name.endswith(_FILTER) and name != nvidia.CLAMP}
    if np.size(0 if clamp is None else clamp) != 1:
        raise ValueError(f"misshapen: {nvidia.CLAMP} {np.shape(clamp)}, expected one number")
    return None if clamp is None else float(np.reshape(clamp, ())), rest


def _labels(tensors: Tensors) -> int:
    """The length of the labels of a conditional network; 0 for an unconditional one."""
    return names.usual(tensors, (_EMBED, 1)) if _EMBED in tensors else 0


def _sides(tensors: Tensors, pattern: str) -> list[int]:
    """The blocks' sizes in pixels, ascending. Raises `ValueError` where they are not 4, 8, 16 …"""
    sides = sorted({int(found[1]) for name in tensors if (found := re.match(pattern, name))})
    expected = [SMALLEST << level for level in range(len(sides))]
    if not 2 <= len(sides) <= _MOST_BLOCKS or sides != expected:
        there = ", ".join(map(str, sides[:_MOST_BLOCKS])) or "no"
        raise ValueError(
            f"its blocks are of {there} pixels; those of StyleGAN2 are of 4, 8, 16 … pixels, none left out"
        )
    return sides


def _layers(tensors: Tensors) -> int:
    count = len({found[1] for name in tensors if (found := re.match(r"mapping\.fc(\d+)\.", name))})
    if count > _MOST_LAYERS:
        raise ValueError(f"its mapping network has {count:,} layers; no network here is that large")
    return count
