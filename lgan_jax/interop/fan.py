"""face-alignment's FAN (Bulat & Tzimiropoulos 2017), with any number of stacks."""

from __future__ import annotations

from lgan_jax.interop import hourglass, names
from lgan_jax.interop.names import Network, Tensors
from lgan_jax.nn.fan import FaceAlignmentNetwork

PUBLISHED = "https://www.adrianbulat.com/downloads/python-fan/2DFAN4-cd938726ad.zip"


def fan(tensors: Tensors) -> Network:
    """A `FaceAlignmentNetwork` that pools by the mean, for images in [0, 1]: heatmaps of the last stack.

    Its authors publish it with four stacks for 68 points, in iBUG's order, at 256 pixels.
    """
    sizes = hourglass.sizes(tensors)
    module = FaceAlignmentNetwork(
        sizes.points, sizes.width, sizes.depth, stacks=sizes.stacks, pool="mean", smallest_map=1
    )
    side = 4 * 2**sizes.depth
    needed = names.parameters(module, (1, side, side, 3), lambda path: hourglass.original(path, sizes.depth))
    return Network(module, names.read(needed, tensors))
