"""Networks that were trained to classify photographs, for their features: torchvision's VGG, and FID's Inception."""

from __future__ import annotations

from lgan_jax.interop import names
from lgan_jax.interop.names import Network, Tensors
from lgan_jax.nn import vgg
from lgan_jax.nn.inception import FIDInception

_HEAD = "classifier."  # the dense layers of VGG, which no feature needs


def vgg16(tensors: Tensors) -> Network:
    """A `VGG` up to its last pooling, for pictures in [-1, 1]; torchvision's `features.0.weight` …"""
    return _vgg(vgg.VGG16, tensors)


def vgg19(tensors: Tensors) -> Network:
    """As `vgg16`."""
    return _vgg(vgg.VGG19, tensors)


def inception(tensors: Tensors) -> Network:
    """A `FIDInception` for pictures in [-1, 1]; pytorch-fid's `Conv2d_1a_3x3.conv.weight` …"""
    first = "Conv2d_1a_3x3"
    candidates = (f"{first}.conv.weight", 0), *((f"{first}.bn.{name}", 0) for name in ("weight", "bias"))
    classes = names.usual(tensors, ("fc.bias", 0), ("fc.weight", 0))
    module = FIDInception(names.usual(tensors, *candidates), classes)
    return Network(module, names.read(names.wanted(module, (1, 75, 75, 3), ".".join), tensors))


def _vgg(blocks: tuple[int, ...], tensors: Tensors) -> Network:
    tensors = {name: values for name, values in tensors.items() if not name.startswith(_HEAD)}
    candidates = *((f"features.0.{name}", 0) for name in ("weight", "bias")), ("features.2.weight", 1)
    module = vgg.VGG(blocks, names.usual(tensors, *candidates))
    numbers = {name: i for i, name in enumerate(module.layers())}
    needed = names.wanted(module, (1, 32, 32, 3), lambda path: f"features.{numbers[path[0]]}")
    return Network(module, names.read(needed, tensors))
