"""The networks of Bazrafkan et al.: encoder (Fig. 1), decoder and generator (Fig. 2), landmark generator (Table I).

Details that the figures omit follow Berthelot et al., "BEGAN" (2017): two 3×3 convolutions with ELU at each resolution,
2×2 mean pooling down to 8×8 pixels, nearest-neighbour upsampling.
"""

from __future__ import annotations

import itertools
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.nn.layers import Conv, UpsampledConv

Image = Float[Array, "batch height width 3"]
Maps = Float[Array, "batch rows columns channels"]
Latent = Float[Array, "batch latent"]

LATENT = 64  # size of z and of the auto-encoder's features
SMALLEST = 8  # size in pixels of the smallest feature maps
_WIDEST = 4  # the encoder's largest number of channels, as a multiple of the width
_HIDDEN = 128  # units of each hidden layer of Table I


class Encoder(nn.Module):
    """BEGAN's encoder (Fig. 1): images to feature vectors of size `features`, float32.

    The n-th resolution has n times `width` channels (64, 128, 192, 256; at most 256). A 1×1 convolution without
    activation, the figure's red layer, increases the number of channels.

    Attributes:
      features: size of the feature vector.
      width: channels at the image's resolution.
      dtype: dtype of computations.
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
            # Pooling before the 1×1 convolution has the same result as after it, at a quarter of the cost.
            x = Conv(wider, 1, dtype=self.dtype, name=f"widen_{level}")(_halved(x))
        x = x.reshape(len(x), -1).astype(jnp.float32)
        return nn.Dense(self.features, name="features")(x)


class Decoder(nn.Module):
    """BEGAN's decoder and generator (Fig. 2): vectors to images, float32, approximately in [-1, 1], without activation.

    Attributes:
      size: image size in pixels, 8 times a power of two.
      width: channels of all convolutions.
      skips: whether the upsampled first feature maps are inputs of every higher resolution, as in Berthelot et al.; the
        figure has no skip connections.
      dtype: dtype of computations.
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
                # The first convolution at a resolution upsamples the previous feature maps (nearest neighbour).
                layer = UpsampledConv if level and not i else Conv
                x = nn.elu(_conv(self.width, f"level_{level}_{i}", self.dtype, layer)(x))
            if x.shape[1] == self.size:
                break
            if level:
                first = first.repeat(2, 1).repeat(2, 2)
            if self.skips:
                x = jnp.concatenate([x, first], -1)
        return _conv(3, "colours", jnp.float32)(x)


class AutoEncoder(nn.Module):
    """D, the auto-encoder: reconstructs images from `features` numbers."""

    features: int
    size: int
    width: int = 64
    skips: bool = False
    dtype: Any = None

    def setup(self) -> None:
        """Builds encoder and decoder."""
        self.encoder = Encoder(self.features, self.width, self.dtype)
        self.decoder = Decoder(self.size, self.width, self.skips, self.dtype)

    def __call__(self, image: Image) -> Image:
        """Reconstructed images."""
        return self.decoder(self.encoder(image))

    def both(self, image: Image) -> tuple[Image, Latent]:
        """Reconstructed images and the features."""
        features = self.encoder(image)
        return self.decoder(features), features


class LandmarkGenerator(nn.Module):
    """Landmark generator (Table I): z to landmarks `(batch, points, 2)` in [0, 1]; three ReLU layers, a sigmoid."""

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
    """2×2 mean pooling."""
    batch, rows, columns, channels = x.shape
    return x.reshape(batch, rows // 2, 2, columns // 2, 2, channels).mean((2, 4))
