"""Networks that were trained to classify photographs, for their features: torchvision's VGG, LPIPS, FID's Inception."""

from __future__ import annotations

import re

import numpy as np

from lgan_jax.interop import names
from lgan_jax.interop.names import Network, Tensors
from lgan_jax.nn import vgg
from lgan_jax.nn.inception import FIDInception
from lgan_jax.nn.lpips import LPIPS

_HEAD = "classifier."  # the dense layers of VGG, which no feature needs
_SCALING = "scaling_layer."  # the colours' mean and deviation, which VGG has too
_IN_LPIPS = ((r"net\.slice\d\.", "features."), (r"lins\.(\d)\.", r"lin\1."))  # the package's names: ours

_FIRST = (("features.0.weight", 0), ("features.0.bias", 0), ("features.2.weight", 1))  # what VGG's width shows in


def vgg16(tensors: Tensors) -> Network:
    """A `VGG` up to its last pooling, for pictures in [-1, 1]; torchvision's `features.0.weight` …"""
    return _vgg(vgg.VGG16, tensors)


def vgg19(tensors: Tensors) -> Network:
    """As `vgg16`."""
    return _vgg(vgg.VGG19, tensors)


def lpips(tensors: Tensors) -> Network:
    """An `LPIPS` for pictures in [-1, 1]: VGG16's weights and `lin0.model.1.weight` …, which their authors publish.

    Those of VGG by torchvision's names or, as `net.slice1.0.weight` …, by those of the package `lpips`.
    """
    for pattern, ours in _IN_LPIPS:
        tensors = {re.sub(rf"^{pattern}", ours, name): values for name, values in tensors.items()}
    tensors = {name: x for name, x in tensors.items() if not name.startswith((_HEAD, _SCALING))}
    module = LPIPS(names.usual(tensors, *_FIRST))
    numbers = {name: i for i, name in enumerate(vgg.VGG(vgg.VGG16).layers())}

    def original(path: names.Path) -> str:
        return f"features.{numbers[path[-1]]}" if path[0] == "vgg" else f"{path[0]}.model.1"

    if negative := [name for name, x in tensors.items() if name.startswith("lin") and np.min(x, initial=0) < 0]:
        raise ValueError(f"negative: {negative[0]}; the published weights are not")
    return Network(module, names.read(names.wanted(module, (1, 32, 32, 3), original), tensors))


def inception(tensors: Tensors) -> Network:
    """A `FIDInception` for pictures in [-1, 1]; pytorch-fid's `Conv2d_1a_3x3.conv.weight` …"""
    first = "Conv2d_1a_3x3"
    candidates = (f"{first}.conv.weight", 0), *((f"{first}.bn.{name}", 0) for name in ("weight", "bias"))
    classes = names.usual(tensors, ("fc.bias", 0), ("fc.weight", 0))
    module = FIDInception(names.usual(tensors, *candidates), classes)
    return Network(module, names.read(names.wanted(module, (1, 75, 75, 3), ".".join), tensors))


def _vgg(blocks: tuple[int, ...], tensors: Tensors) -> Network:
    tensors = {name: values for name, values in tensors.items() if not name.startswith(_HEAD)}
    module = vgg.VGG(blocks, names.usual(tensors, *_FIRST))
    numbers = {name: i for i, name in enumerate(module.layers())}
    needed = names.wanted(module, (1, 32, 32, 3), lambda path: f"features.{numbers[path[0]]}")
    return Network(module, names.read(needed, tensors))
