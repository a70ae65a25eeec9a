"""The networks of Li et al., IEEE Access 2021: generator (Fig. 1 and 2, Tables 1 and 2) and discriminator (Table 3).

What the paper leaves open follows pose attention transfer (Zhu et al., CVPR 2019), whose blocks, losses and weights it
takes over for faces. Sizes in the tables are those for pictures of 128 pixels and `width` 64.

A network trains where it is given `keys`, one an example, for dropout: then batch norm takes the batch's statistics,
and runs under `DATA_AXIS`. Without them it takes running statistics, and drops nothing.
"""

from __future__ import annotations

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from lgan_jax.action_units import EXPRESSIONS
from lgan_jax.core import folded
from lgan_jax.nn.batch_norm import batch_norm
from lgan_jax.nn.convolution import Conv, Doubling
from lgan_jax.nn.initialisers import kaiming_normal
from lgan_jax.ops.heatmaps import convolved_gaussians

SIGMA = 2 / 128  # of a heatmap, in picture widths
SHRINK = 4  # what migration units work on is so much smaller than the picture
_SLOPE = 0.2  # of the discriminators' LeakyReLU

Image = Float[Array, "batch height width 3"]
Maps = Float[Array, "batch height width channels"]
Face = Float[Array, "batch rows columns features"]  # what migration units work on
Geometry = Float[Array, "batch rows columns _"]
Landmarks = Float[Array, "batch n 2"]
Logits = Float[Array, "batch rows columns 1"]
Labels = Int[Array, " batch"]
Keys = Any  # `(batch,)` typed keys, one an example; or None


class HeatmapConv(nn.Module):
    """A convolution of the heatmaps of landmarks in [0, 1]: a Gaussian for each, with σ of 2 pixels at 128.

    The maps themselves, 68 of the picture's size, are not made: see `ops.heatmaps.convolved_gaussians`.

    Parameters, always float32: as those of `nn.convolution.Conv`.

    Attributes:
      features, kernel_size, strides, padding, use_bias, dtype: as `Conv`'s; padding is "reflect", "valid" or a number.
    """

    features: int
    kernel_size: int
    strides: int = 1
    padding: Literal["reflect", "valid"] | int = "reflect"
    use_bias: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, landmarks: Landmarks, sides: tuple[int, int]) -> Face:
        """`sides` are the maps' height and width."""
        size = self.kernel_size
        kernel = self.param("kernel", kaiming_normal, (size, size, landmarks.shape[1], self.features), jnp.float32)
        padding = {"reflect": (size - 1) // 2, "valid": 0}.get(self.padding, self.padding)
        made = convolved_gaussians(
            landmarks,
            kernel.astype(self.dtype or jnp.float32),
            sides,
            SIGMA * sides[1],
            self.strides,
            padding,
            self.padding == "reflect",
        )
        if not self.use_bias:
            return made
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)
        return made + bias.astype(made.dtype).reshape(1, 1, 1, -1)


class Initialise(nn.Module):
    """E_ini of Fig. 1: a picture, or heatmaps, to 4·`width` channels at a quarter of the size, by three convolutions.

    The paper draws this network without sizes: a 7×7 one with mirrored borders, then two 3×3 ones of stride 2.
    """

    width: int
    dtype: Any = None

    @nn.compact
    def __call__(self, shown: Any, sides: tuple[int, int], train: bool) -> Face:
        """`shown` is a picture `(batch, H, W, 3)` or the landmarks of heatmaps `(batch, N, 2)`; `sides` are H and W."""
        x = _seen(shown, sides, self.width, 7, "conv_0", self.dtype, padding="reflect")
        x = nn.relu(batch_norm(train, self.dtype, "norm_0")(x))
        for i in (1, 2):
            x = _conv(2**i * self.width, 3, f"conv_{i}", self.dtype, strides=2, padding=1)(x)
            x = nn.relu(batch_norm(train, self.dtype, f"norm_{i}")(x))
        return x


class MigrationUnit(nn.Module):
    """One unit of Fig. 2, whose paths for the face and for the geometry are those of Table 1.

    The geometry's path ends without batch norm, as the table does. After the first unit it is given twice the channels,
    those of Eq. 3, and its first convolution brings them back to one time.

    Attributes:
      dropout: share of the numbers that layers 1_5 and 2_5 set to 0 while training; the others grow to make up for it.
      dtype: what to compute in.
    """

    dropout: float
    dtype: Any = None

    @nn.compact
    def __call__(self, face: Face, geometry: Geometry, keys: Keys) -> tuple[Face, Geometry]:
        features = face.shape[-1]
        seen = self._path("face", face, features, _of(keys, 0))
        seen = batch_norm(keys is not None, self.dtype, "face_norm_1")(seen)
        shape = self._path("geometry", geometry, features, _of(keys, 1), use_bias=True)
        mask = nn.sigmoid(shape)  # Eq. 1
        face = mask * seen + face  # Eq. 2
        return face, jnp.concatenate([shape, face], -1)  # Eq. 3

    def _path(self, name: str, x: Geometry, features: int, keys: Keys, use_bias: bool = False) -> Geometry:
        """Layers 1 to 7 of one column of Table 1."""
        x = _conv(features, 3, f"{name}_conv_0", self.dtype, padding="reflect")(x)
        x = nn.relu(batch_norm(keys is not None, self.dtype, f"{name}_norm_0")(x))
        x = _dropped(x, self.dropout, keys)
        return _conv(features, 3, f"{name}_conv_1", self.dtype, padding="reflect", use_bias=use_bias)(x)


class Decoder(nn.Module):
    """Table 2: back to the picture's size by two transposed convolutions, then to colours in [-1, 1], float32.

    Its transposed convolutions have kernels whose even and odd places have the same sums (see `Doubling`): with those
    of the table, which are free, neighbouring pixels differ in a checkerboard.
    """

    width: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Geometry, train: bool) -> Image:
        for i in (1, 0):
            x = Doubling(2**i * self.width, dtype=self.dtype, name=f"up_{i}")(x)
            x = nn.relu(batch_norm(train, self.dtype, f"norm_{i}")(x))
        return nn.tanh(_conv(3, 7, "colours", jnp.float32, padding="reflect", use_bias=True)(x))


class Generator(nn.Module):
    """A face with the landmarks and the expression of another picture: in [-1, 1], float32.

    Attributes:
      width: channels at the picture's size; four times as many in the migration units.
      units: how many migration units.
      dropout: see `MigrationUnit`.
      initialise: whether there are initialise networks. Without them (Table 7) migration units are given squares of
        4×4 pixels, by one linear convolution each for picture and heatmaps.
      labels: whether the decoder is given label maps (Fig. 4); else (Table 7) it knows the expression by the landmarks
        alone.
      dtype: what to compute in.
    """

    width: int = 64
    units: int = 9
    dropout: float = 0.5
    initialise: bool = True
    labels: bool = True
    dtype: Any = None

    @nn.compact
    def __call__(self, image: Image, landmarks: Landmarks, expression: Labels, keys: Keys = None) -> Image:
        """`image` is the source in [-1, 1]; `landmarks` in [0, 1] and `expression` (indices) are wanted."""
        train, sides = keys is not None, image.shape[1:3]
        face, geometry = self._start("face", image, sides, train), self._start("geometry", landmarks, sides, train)
        for i in range(self.units):
            unit = MigrationUnit(self.dropout, self.dtype, name=f"unit_{i}")
            face, geometry = unit(face, geometry, _of(keys, i))
        if self.labels:
            maps = label_maps(expression, *face.shape[1:3]).astype(face.dtype)
            face = jnp.concatenate([face, maps], -1)
        return Decoder(self.width, self.dtype, name="decoder")(face, train)

    def _start(self, name: str, shown: Any, sides: tuple[int, int], train: bool) -> Face:
        if self.initialise:
            return Initialise(self.width, self.dtype, name=f"initialise_{name}")(shown, sides, train)
        how = {"strides": SHRINK, "padding": "valid", "use_bias": True}
        return _seen(shown, sides, SHRINK * self.width, SHRINK, name, self.dtype, **how)


class Discriminator(nn.Module):
    """Table 3, without the sigmoid: logits of patches, float32 `(batch, H/8 - 2, W/8 - 2, 1)`, higher for real.

    It judges pictures beside what they must go with: the source for the image discriminator, heatmaps for the geometry
    discriminator. The table's first convolution, of both in channels, is two here, whose sum is the same. Its last
    batch norm takes the mean off the logits: so real and made pictures are judged in one batch, or their logits would
    have the same mean. It only ever trains: its running statistics are not kept.

    Attributes:
      width: channels of the first convolution, doubled by each of the next three.
      dtype: what to compute in.
    """

    width: int = 64
    dtype: Any = None

    @nn.compact
    def __call__(self, real: Image, made: Image, context: Any) -> tuple[Logits, Logits]:
        """`context` is a picture `(batch, H, W, 3)` or the landmarks of heatmaps `(batch, N, 2)`."""
        how = {"strides": 2, "padding": 1}
        x = _conv(self.width, 4, "conv_0", self.dtype, use_bias=True, **how)(jnp.concatenate([real, made]))
        beside = _seen(context, real.shape[1:3], self.width, 4, "context", self.dtype, **how)
        x = nn.leaky_relu(x + jnp.concatenate([beside, beside]), _SLOPE)
        for i in (1, 2, 3):
            how = {"strides": 2 if i < 3 else 1, "padding": 1}
            x = _conv(2**i * self.width, 4, f"conv_{i}", self.dtype, **how)(x)
            x = nn.leaky_relu(batch_norm(True, self.dtype, f"norm_{i}")(x), _SLOPE)
        x = _conv(1, 4, "conv_4", jnp.float32, padding=1)(x)
        x = batch_norm(True, jnp.float32, "norm_4")(x)
        return x[: len(real)], x[len(real) :]


def label_maps(expression: Labels, height: int, width: int) -> Float[Array, "batch {height} {width} labels"]:
    """Fig. 4: one map an expression of `EXPRESSIONS`, 1 everywhere on that of the label and -1 on the others."""
    labels = 2 * jax.nn.one_hot(expression, len(EXPRESSIONS)) - 1
    return jnp.broadcast_to(labels[:, None, None], (len(labels), height, width, labels.shape[-1]))


def _seen(
    shown: Any, sides: tuple[int, int], features: int, size: int, name: str, dtype: Any, **options: Any
) -> Geometry:
    """The first convolution of a picture, or of the heatmaps of landmarks."""
    if shown.ndim == 4:
        return _conv(features, size, name, dtype, **options)(shown)
    return HeatmapConv(features, size, dtype=dtype, name=name, **options)(shown, sides)


def _conv(features: int, kernel_size: int, name: str, dtype: Any, **options: Any) -> Conv:
    options = {"use_bias": False, **options}
    return Conv(features, kernel_size, dtype=dtype, name=name, **options)


def _of(keys: Keys, number: int) -> Keys:
    """Other keys, where there are any."""
    return None if keys is None else folded(keys, number)


def _dropped(x: Maps, share: float, keys: Keys) -> Maps:
    """Dropout drawn for each example with its own key, so that one device drops what eight drop."""
    if keys is None or not share:
        return x
    kept = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - share, x.shape[1:]))(keys)
    return jnp.where(kept, x / (1 - share), 0)
