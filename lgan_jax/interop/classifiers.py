"""Networks that were trained to classify photographs, for their features: torchvision's VGG, LPIPS, FID's Inception."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from lgan_jax.interop import names
from lgan_jax.interop.names import Network, Tensors
from lgan_jax.nn import vgg
from lgan_jax.nn.inception import FIDInception
from lgan_jax.nn.lpips import LPIPS

_HEAD = "classifier."  # the dense layers of VGG, which no feature needs
_SCALING = "scaling_layer."  # the colors' mean and deviation, which VGG has too
_IN_LPIPS = ((r"net\.slice\d\.", "features."), (r"lins\.(\d)\.", r"lin\1."))  # the package's names: ours
_NVIDIAS = "layers.conv1.weight"  # in its file alone
_ITS_LINEAR = re.compile(r"lpips(\d)")

_FIRST = (("features.0.weight", 0), ("features.0.bias", 0), ("features.2.weight", 1))  # what VGG's width shows in


def vgg16(tensors: Tensors) -> Network:
    """A `VGG` up to its last pooling, for images in [-1, 1]; torchvision's `features.0.weight` …"""
    return _vgg(vgg.VGG16, tensors)


def vgg19(tensors: Tensors) -> Network:
    """As `vgg16`."""
    return _vgg(vgg.VGG19, tensors)


def lpips(tensors: Tensors) -> Network:
    """An `LPIPS` for images in [-1, 1], of what has one of the names that `usual_names` knows."""
    tensors = {name: x for name, x in usual_names(tensors).items() if not name.startswith((_HEAD, _SCALING))}
    module = LPIPS(names.usual(tensors, *_FIRST))
    numbers = {name: i for i, name in enumerate(vgg.VGG(vgg.VGG16).layers())}

    def original(path: names.Path) -> str:
        return f"features.{numbers[path[-1]]}" if path[0] == "vgg" else f"{path[0]}.model.1"

    if negative := [name for name, x in tensors.items() if name.startswith("lin") and np.min(x, initial=0) < 0]:
        raise ValueError(f"negative: {negative[0]}; the published weights are not")
    return Network(module, names.read(names.parameters(module, (1, 32, 32, 3), original), tensors))


def usual_names(tensors: Tensors) -> Tensors:
    """VGG16's weights by torchvision's names, and LPIPS's linear ones as `lin0.model.1.weight` … where they are there.

    Those by the names of the package `lpips`, `net.slice1.0.weight` …, are renamed; so are those of the one file in
    which NVIDIA has both, `layers.conv1.weight` … `layers.conv13.bias` and `lpips0` … `lpips4` `(channels, 1, 1)`; its
    other tensors are ignored. (Its names are those that others' code reads from it; that the squared differences of
    its output sum to LPIPS with torchvision's weights is what torch-fidelity's tests say. The file was not read.)
    """
    if _NVIDIAS in tensors:
        return dict(_of_nvidia(tensors))
    for pattern, ours in _IN_LPIPS:
        tensors = {re.sub(rf"^{pattern}", ours, name): values for name, values in tensors.items()}
    return tensors


def _of_nvidia(tensors: Tensors) -> Iterator[tuple[str, np.ndarray]]:
    """What is needed of NVIDIA's file; see `usual_names`."""
    convolutions = [i for i, name in enumerate(vgg.VGG(vgg.VGG16).layers()) if name.startswith("conv")]
    layers = {f"layers.conv{k}": f"features.{i}" for k, i in enumerate(convolutions, 1)}
    for name, values in tensors.items():
        layer, _, kind = name.rpartition(".")
        if layer in layers:
            yield f"{layers[layer]}.{kind}", values
        elif linear := _ITS_LINEAR.fullmatch(name):
            yield f"lin{linear[1]}.model.1.weight", values.reshape(1, -1, 1, 1)


def inception(tensors: Tensors) -> Network:
    """A `FIDInception` for images in [-1, 1]; pytorch-fid's `Conv2d_1a_3x3.conv.weight` …"""
    first = "Conv2d_1a_3x3"
    candidates = (f"{first}.conv.weight", 0), *((f"{first}.bn.{name}", 0) for name in ("weight", "bias"))
    classes = names.usual(tensors, ("fc.bias", 0), ("fc.weight", 0))
    module = FIDInception(names.usual(tensors, *candidates), classes)
    return Network(module, names.read(names.parameters(module, (1, 75, 75, 3), ".".join), tensors))


def _vgg(blocks: tuple[int, ...], tensors: Tensors) -> Network:
    tensors = {name: values for name, values in tensors.items() if not name.startswith(_HEAD)}
    module = vgg.VGG(blocks, names.usual(tensors, *_FIRST))
    numbers = {name: i for i, name in enumerate(module.layers())}
    needed = names.parameters(module, (1, 32, 32, 3), lambda path: f"features.{numbers[path[0]]}")
    return Network(module, names.read(needed, tensors))
