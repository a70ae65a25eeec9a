"""Published face alignment networks: face-alignment's FAN, and names and sizes for LandmarkGAN's detector too.

Both name a residual block `conv2`, `m0.b1_4` or `top_m_0`, and its layers `bn1`, `conv1` … `downsample.0`.
LandmarkGAN's counts several blocks in each place of an hourglass, of which there is one: `m0.b1_4_0`, `top_m_0_0`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from lgan_jax.interop import names
from lgan_jax.interop.names import Network, Path, Tensors
from lgan_jax.nn.fan import FaceAlignmentNetwork

PUBLISHED = "https://www.adrianbulat.com/downloads/python-fan/2DFAN4-cd938726ad.zip"

_PLACES = {"upper": "b1", "down": "b2", "bottom": "b2_plus", "up": "b3"}
_ENDS = {"top_conv": "conv_last", "top_norm": "bn_end", "heatmaps": "l", "features_back": "bl", "heatmaps_back": "al"}
_DEEPEST, _MOST_STACKS = 8, 16
_STEM = {"stem": "conv1", "stem_norm": "bn1", "block_0": "conv2", "block_1": "conv3", "block_2": "conv4"}


class Sizes(NamedTuple):
    """The attributes of a `FaceAlignmentNetwork`."""

    points: int
    width: int
    depth: int
    stacks: int


def fan(tensors: Tensors) -> Network:
    """face-alignment's FAN (Bulat & Tzimiropoulos 2017), with any number of stacks.

    A `FaceAlignmentNetwork` that pools by the mean, for images in [0, 1]: heatmaps of the last stack.

    Its authors publish it with four stacks for 68 points, in iBUG's order, at 256 pixels.
    """
    found = sizes(tensors)
    module = FaceAlignmentNetwork(
        found.points, found.width, found.depth, stacks=found.stacks, pool="mean", smallest_map=1
    )
    side = 4 * 2**found.depth
    needed = names.parameters(module, (1, side, side, 3), lambda path: original(path, found.depth))
    return Network(module, names.read(needed, tensors))


def sizes(tensors: Tensors, number: str = "") -> Sizes:
    """Reads the sizes of a published network. `number` is the suffix of each residual block's name in an hourglass.

    Raises `ValueError` for tensors of another network.
    """
    levels = [int(found[1]) for name in tensors if (found := re.match(rf"m0\.b1_(\d{{1,2}}){number}\.", name))]
    stacks = {found[1] for name in tensors if (found := re.match(r"(?:conv_last|bn_end|l)(\d{1,2})\.", name))}
    if not levels:
        raise ValueError(f"missing: m0.b1_4{number}.conv1.weight")
    if max(levels) > _DEEPEST or len(stacks) > _MOST_STACKS:
        raise ValueError(f"it has {max(levels)} levels and {len(stacks)} stacks; no network here is that large")
    return Sizes(
        points=names.usual(
            tensors,
            *((f"l{stack}.{name}", 0) for stack in sorted(stacks) for name in ("bias", "weight")),
            *((f"{name}.weight", 1) for name in ("al0", "hm_conv0")),
        ),
        width=names.usual(tensors, ("conv_last0.weight", 0), ("conv_last0.bias", 0), ("bn_end0.weight", 0)),
        depth=max(levels),
        stacks=max(1, len(stacks)),
    )


def original(path: Path, depth: int, number: str = "") -> str:
    """The published name of the layer at `path` in a `FaceAlignmentNetwork`."""
    head, *rest = path
    if head in _STEM:
        return ".".join([_STEM[head], *_in_block(rest)])
    part, _, stack = head.rpartition("_") if head[-1].isdigit() else (head, "", "0")
    if part in _ENDS:
        return f"{_ENDS[part]}{stack}"
    if part == "top":
        return ".".join([f"top_m_{stack}{number}", *_in_block(rest)])
    level = depth
    while rest[0] == "inside":
        level, rest = level - 1, rest[1:]
    return ".".join([f"m{stack}", f"{_PLACES[rest[0]]}_{level}{number}", *_in_block(rest[1:])])


def _in_block(path: list[str]) -> list[str]:
    """The name of a layer inside a residual block; empty for a layer outside."""
    if not path or path == ["norm"]:
        return []
    kind, _, place = path[0].partition("_")
    if kind == "shortcut":
        return ["downsample", "0" if place else "2"]
    return [f"{'bn' if kind == 'norm' else 'conv'}{int(place) + 1}"]
