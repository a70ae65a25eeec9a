"""The networks of Bazrafkan et al.: encoder (Fig. 1), decoder and generator (Fig. 2), landmark generator (Table I).

What the figures do not say is as in Berthelot et al., "BEGAN" (2017): two 3×3 convolutions with ELU at each size,
halving by means down to 8×8 pixels, doubling by repeating pixels.
"""

from __future__ import annotations

import itertools
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.nn.convolution import Conv, Enlarging

Image = Float[Array, "batch height width 3"]
Maps = Float[Array, "batch rows columns channels"]
Latent = Float[Array, "batch latent"]

LATENT = 64  # numbers of z, and features of the auto-encoder
SMALLEST = 8  # pixels a side of the smallest maps
_WIDEST = 4  # times the width: the encoder's channels at most
_HIDDEN = 128  # nodes of each hidden layer of Table I


class Encoder(nn.Module):
    """Fig. 1: pictures to `features` numbers, float32.

    The n-th size has n times `width` channels (64, 128, 192, 256; further ones stay at that); a 1×1 convolution without
    an activation, the figure's red layer, brings them there.

    Attributes:
      features: the numbers.
      width: channels at the picture's size.
      dtype: what to compute in.
    """

    features: int
    width: int = 64
    dtype: Any = None

    @nn.compact
    def __call__(self, image: Image) -> Latent:
        x = nn.elu(_conv(self.width, "colours", self.dtype)(image))
        for level in itertools.count():
            for i in range(2):
                x = nn.elu(_conv(x.shape[-1], f"level_{level}_{i}", self.dtype)(x))
            if x.shape[1] == SMALLEST:
                break
            wider = min(level + 2, _WIDEST) * self.width
            # The mean before the 1×1 convolution: the same as after it, for a quarter of the work.
            x = Conv(wider, 1, dtype=self.dtype, name=f"widen_{level}")(_halved(x))
        x = x.reshape(len(x), -1).astype(jnp.float32)
        return nn.Dense(self.features, name="features")(x)


class Decoder(nn.Module):
    """Fig. 2: numbers to pictures, float32, without an activation: about [-1, 1]. The generator is one as well.

    Attributes:
      size: pixels a side, 8 times a power of two.
      width: channels of all convolutions.
      skips: whether every size but the smallest sees the smallest one's first maps too, enlarged, as in Berthelot et
        al.; the figure has none.
      dtype: what to compute in.
    """

    size: int
    width: int = 64
    skips: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, latent: Latent) -> Float[Array, "batch {self.size} {self.size} 3"]:
        x = nn.Dense(SMALLEST**2 * self.width, name="maps")(latent)
        x = first = x.reshape(len(x), SMALLEST, SMALLEST, self.width)
        for level in itertools.count():
            for i in range(2):
                # The first at a size sees the last size's maps, enlarged by repeating pixels.
                layer = Enlarging if level and not i else Conv
                x = nn.elu(_conv(self.width, f"level_{level}_{i}", self.dtype, layer)(x))
            if x.shape[1] == self.size:
                break
            if level:
                first = first.repeat(2, 1).repeat(2, 2)
            if self.skips:
                x = jnp.concatenate([x, first], -1)
        return _conv(3, "colours", jnp.float32)(x)


class AutoEncoder(nn.Module):
    """D: pictures to pictures, by way of `features` numbers."""

    features: int
    size: int
    width: int = 64
    skips: bool = False
    dtype: Any = None

    def setup(self) -> None:
        """Its two halves."""
        self.encoder = Encoder(self.features, self.width, self.dtype)
        self.decoder = Decoder(self.size, self.width, self.skips, self.dtype)

    def __call__(self, image: Image) -> Image:
        """Pictures by way of their features."""
        return self.decoder(self.encoder(image))

    def both(self, image: Image) -> tuple[Image, Latent]:
        """Pictures, and the features between."""
        features = self.encoder(image)
        return self.decoder(features), features


class LandmarkGenerator(nn.Module):
    """Table I: z to landmarks `(batch, points, 2)` in [0, 1]; three hidden layers of 128 with ReLU, and a sigmoid."""

    points: int

    @nn.compact
    def __call__(self, latent: Latent) -> Float[Array, "batch {self.points} 2"]:
        x = latent
        for i in range(3):
            x = nn.relu(nn.Dense(_HIDDEN, name=f"hidden_{i}")(x))
        x = nn.sigmoid(nn.Dense(2 * self.points, name="landmarks")(x))
        return x.reshape(len(x), self.points, 2)


def _conv(features: int, name: str, dtype: Any, layer: type[nn.Module] = Conv) -> nn.Module:
    return layer(features, dtype=dtype, name=name)


def _halved(x: Maps) -> Float[Array, "batch half_rows half_columns channels"]:
    """The means of every 2×2 pixels."""
    batch, rows, columns, channels = x.shape
    return x.reshape(batch, rows // 2, 2, columns // 2, 2, channels).mean((2, 4))
