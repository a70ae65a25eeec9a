"""Inception-v3 (Szegedy et al., CVPR 2016) for the Fréchet inception distance (FID).

Heusel et al. (2017) use a network that Google trained in 2015; names here follow pytorch-fid's port. It differs from
the usual Inception-v3 in three points: mean pooling excludes padding, the last block has max pooling instead of mean
pooling, and it has 1,008 classes. `interop` reads its weights.
"""

from __future__ import annotations

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.nn.layers import Conv

PUBLISHED = (  # where pytorch-fid's authors publish the weights
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth"
)
SIDE = 299  # image size in pixels of the network's training
_WIDTH = 32  # channels of its first convolution
_FORK = (384, ((1, 3), (3, 1)))  # both of the same input, side by side

# a block: its branches; a branch: its convolutions, each with its features, kernel size, and stride where that is 2
_BRANCHES: dict[str, tuple] = {
    **{
        f"Mixed_5{letter}": (
            ("branch1x1", ((64, 1),)),
            ("branch5x5", ((48, 1), (64, 5))),
            ("branch3x3dbl", ((64, 1), (96, 3), (96, 3))),
            ("branch_pool", ((pooled, 1),)),
        )
        for letter, pooled in (("b", 32), ("c", 64), ("d", 64))
    },
    "Mixed_6a": (("branch3x3", ((384, 3, 2),)), ("branch3x3dbl", ((64, 1), (96, 3), (96, 3, 2)))),
    **{
        f"Mixed_6{letter}": (
            ("branch1x1", ((192, 1),)),
            ("branch7x7", ((n, 1), (n, (1, 7)), (192, (7, 1)))),
            ("branch7x7dbl", ((n, 1), (n, (7, 1)), (n, (1, 7)), (n, (7, 1)), (192, (1, 7)))),
            ("branch_pool", ((192, 1),)),
        )
        for letter, n in (("b", 128), ("c", 160), ("d", 160), ("e", 192))
    },
    "Mixed_7a": (
        ("branch3x3", ((192, 1), (320, 3, 2))),
        ("branch7x7x3", ((192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2))),
    ),
    **{
        f"Mixed_7{letter}": (
            ("branch1x1", ((320, 1),)),
            ("branch3x3", ((384, 1), _FORK)),
            ("branch3x3dbl", ((448, 1), (384, 3), _FORK)),
            ("branch_pool", ((192, 1),)),
        )
        for letter in "bc"
    },
}
_POOLS: dict[str, Literal["mean", "max", "halving"]] = {
    "Mixed_6a": "halving",
    "Mixed_7a": "halving",
    "Mixed_7c": "max",
}

Maps = Float[Array, "batch height width channels"]
Features = Float[Array, "batch rows columns features"]


class ConvNorm(nn.Module):
    """A convolution without bias, batch normalisation by running statistics, ReLU."""

    features: int
    kernel_size: Any
    strides: int = 1
    padding: Literal["same", "valid"] = "same"

    @nn.compact
    def __call__(self, x: Maps) -> Features:
        how = {"use_bias": False, "name": "conv"}
        x = Conv(self.features, self.kernel_size, self.strides, self.padding, **how)(x)
        return nn.relu(nn.BatchNorm(use_running_average=True, epsilon=1e-3, name="bn")(x))


class Mixed(nn.Module):
    """Branches of convolutions side by side, and last a pooled one: see `_BRANCHES`.

    Attributes:
      branches: their convolutions.
      pool: what the pooled branch is given: means or maxima of 3×3 pixels; "halving" takes maxima at every second
        pixel, and no convolution follows.
      share: of the full network's features, in 32nds.
    """

    branches: tuple
    pool: Literal["mean", "max", "halving"]
    share: int

    @nn.compact
    def __call__(self, x: Maps) -> Features:
        outputs = [self._branch(name, layers, x) for name, layers in self.branches]
        if self.pool == "halving":
            outputs.append(_halved(x))
        return jnp.concatenate(outputs, -1)

    def _branch(self, name: str, layers: tuple, x: Maps) -> Features:
        if name == "branch_pool":
            how = {"window_shape": (3, 3), "strides": (1, 1), "padding": "SAME"}
            x = nn.max_pool(x, **how) if self.pool == "max" else nn.avg_pool(x, **how, count_include_pad=False)
        for i, (features, size, *strides) in enumerate(layers, 1):
            features, prefix = features * self.share // _WIDTH, f"{name}_{i}" if len(layers) > 1 else name
            if isinstance(size, tuple) and isinstance(size[0], tuple):
                both = [ConvNorm(features, size, name=prefix + letter)(x) for letter, size in zip("ab", size)]
                x = jnp.concatenate(both, -1)
            else:
                x = ConvNorm(features, size, *strides, padding="valid" if strides else "same", name=prefix)(x)
        return x


class FIDInception(nn.Module):
    """Features pool3 `(batch, 2048)` and 1,008 logits of images in [-1, 1] of any size; float32.

    Attributes:
      width: channels of the first convolution, 32 in the published network; the others follow.
      classes: number of logits.
      side: size that images are resized to (bilinear, without smoothing, as pytorch-fid does); at least 75.
    """

    width: int = _WIDTH
    classes: int = 1008
    side: int = SIDE

    @nn.compact
    def __call__(
        self, image: Float[Array, "batch height width 3"]
    ) -> tuple[Float[Array, "batch features"], Float[Array, "batch classes"]]:
        shape = (image.shape[0], self.side, self.side, 3)
        x = jax.image.resize(image.astype(jnp.float32), shape, "linear", antialias=False)
        x = self._conv("Conv2d_1a_3x3", 32, 3, 2, "valid")(x)
        x = self._conv("Conv2d_2a_3x3", 32, 3, 1, "valid")(x)
        x = _halved(self._conv("Conv2d_2b_3x3", 64, 3)(x))
        x = self._conv("Conv2d_3b_1x1", 80, 1)(x)
        x = _halved(self._conv("Conv2d_4a_3x3", 192, 3, 1, "valid")(x))
        for name, branches in _BRANCHES.items():
            x = Mixed(branches, _POOLS.get(name, "mean"), self.width, name=name)(x)
        x = jnp.mean(x, (1, 2))
        return x, nn.Dense(self.classes, name="fc")(x)

    def _conv(self, name: str, features: int, *how: Any) -> ConvNorm:
        return ConvNorm(features * self.width // _WIDTH, *how, name=name)


def _halved(x: Maps) -> Features:
    return nn.max_pool(x, (3, 3), (2, 2))
