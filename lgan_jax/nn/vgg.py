"""The convolutions of VGG16 and VGG19 (Simonyan & Zisserman 2014), up to a layer; weights are read by `interop`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lgan_jax.nn.layers import Conv
from lgan_jax.ops.resample import max_pool

VGG16, VGG19 = (2, 2, 3, 3, 3), (2, 2, 4, 4, 4)  # convolutions of each block
PUBLISHED = {  # where torchvision's authors publish the weights
    "vgg16": "https://download.pytorch.org/models/vgg16-397923af.pth",
    "vgg19": "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
}
_FACTORS = (1, 2, 4, 8, 8)  # on `width`, of each block
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's colors in [0, 1]

Image = Float[Array, "batch height width 3"]
Maps = Float[Array, "batch _ _ _"]


class VGG(nn.Module):
    """VGG features of images in [-1, 1]: the output of the layer `last`, float32.

    Layers are named as in the literature: `conv1_2` is the second convolution of the first block, before its ReLU,
    `relu1_2` its output after the ReLU, `pool1` the block's max pooling. Layers after `last` are not computed.

    Attributes:
      blocks: convolutions of each block: `VGG16` or `VGG19`.
      width: channels of the first block.
      last: the layer.
      several: earlier layers to return too, as a list that ends with the last layer's output; None for the last only.
    """

    blocks: tuple[int, ...] = VGG19
    width: int = 64
    last: str = "pool5"
    several: tuple[str, ...] | None = None

    @nn.compact
    def __call__(self, image: Image) -> Maps | list[Maps]:
        outputs = []
        mean, std = (np.array(x, np.float32).reshape(1, 1, 1, 3) for x in (_MEAN, _STD))
        x = ((image.astype(jnp.float32) + 1) / 2 - mean) / std
        for name in self.layers():
            kind, block = name[:4], int(name[4])
            if kind == "conv":
                features = self.width * _FACTORS[block - 1]
                x = Conv(features, 3, padding=1, name=name)(x)
            else:
                x = nn.relu(x) if kind == "relu" else max_pool(x)
            if name in (self.several or ()):
                outputs.append(x)
        return x if self.several is None else [*outputs, x]

    def layers(self) -> list[str]:
        """The layers up to `last`, in order. Raises `ValueError` for an unknown layer."""
        every = list(self._every())
        if self.last not in every:
            raise ValueError(f"unknown layer {self.last!r}; the layers are {', '.join(every)}")
        return every[: every.index(self.last) + 1]

    def _every(self) -> Iterator[str]:
        for block, count in enumerate(self.blocks, 1):
            for i in range(1, count + 1):
                yield f"conv{block}_{i}"
                yield f"relu{block}_{i}"
            yield f"pool{block}"


def features(module: VGG, variables: Any, layer: str) -> Callable[[Image], Maps]:
    """A function for the features at `layer` with these variables; later layers are neither stored nor computed."""
    module = module.clone(last=layer)
    params = {name: variables["params"][name] for name in module.layers() if name.startswith("conv")}
    return lambda image: module.apply({"params": params}, image)
