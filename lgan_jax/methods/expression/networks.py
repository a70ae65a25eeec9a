"""The networks of Li et al., IEEE Access 2021: generator (Fig. 1 and 2, Tables 1 and 2) and discriminator (Table 3).

Details that the paper does not specify follow pose attention transfer (Zhu et al., CVPR 2019), the origin of its
blocks, losses and weights. Sizes in the tables are for images of 128 pixels and `width` 64.

With `keys`, one per example, for dropout, a network is in training mode: batch normalisation uses the batch's
statistics, and must run under `DATA_AXIS`. Without keys it uses running statistics, and dropout is off.
"""

from __future__ import annotations

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from lgan_jax.action_units import EXPRESSIONS
from lgan_jax.core import folded
from lgan_jax.nn.initialisers import kaiming_normal
from lgan_jax.nn.layers import Conv, TransposedConv, batch_norm
from lgan_jax.ops.heatmaps import convolved_gaussians

SIGMA = 2 / 128  # sigma of a heatmap, in image widths
SHRINK = 4  # downsampling factor of the migration units' feature maps
_SLOPE = 0.2  # negative slope of the discriminators' LeakyReLU

Image = Float[Array, "batch height width 3"]
Maps = Float[Array, "batch height width channels"]
Face = Float[Array, "batch rows columns features"]  # feature maps of the migration units
Geometry = Float[Array, "batch rows columns _"]
Landmarks = Float[Array, "batch n 2"]
Logits = Float[Array, "batch rows columns 1"]
Labels = Int[Array, " batch"]
Keys = Any  # `(batch,)` typed keys, one per example; or None


class HeatmapConv(nn.Module):
    """A convolution of landmark heatmaps: one Gaussian per landmark in [0, 1], with σ of 2 pixels at 128.

    The 68 full-size heatmaps are never computed: see `ops.heatmaps.convolved_gaussians`.

    Parameters, always float32: as in `nn.layers.Conv`.

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
        """`sides` are the heatmaps' height and width."""
        size = self.kernel_size
        kernel = self.param("kernel", kaiming_normal, (size, size, landmarks.shape[1], self.features), jnp.float32)
        padding = {"reflect": (size - 1) // 2, "valid": 0}.get(self.padding, self.padding)
        generated = convolved_gaussians(
            landmarks,
            kernel.astype(self.dtype or jnp.float32),
            sides,
            SIGMA * sides[1],
            self.strides,
            padding,
            self.padding == "reflect",
        )
        if not self.use_bias:
            return generated
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)
        return generated + bias.astype(generated.dtype).reshape(1, 1, 1, -1)


class Initialise(nn.Module):
    """E_ini of Fig. 1: an image or heatmaps to 4·`width` channels at a quarter of the size, by three convolutions.

    The paper does not specify sizes. Here: 7×7 with reflection padding, then two 3×3 convolutions of stride 2.
    """

    width: int
    dtype: Any = None

    @nn.compact
    def __call__(self, inputs: Any, sides: tuple[int, int], train: bool) -> Face:
        """`inputs` is an image `(batch, H, W, 3)` or the landmarks of heatmaps `(batch, N, 2)`; `sides` are H and W."""
        x = _first_conv(inputs, sides, self.width, 7, "conv_0", self.dtype, padding="reflect")
        x = nn.relu(batch_norm(train, self.dtype, "norm_0")(x))
        for i in (1, 2):
            x = _conv(2**i * self.width, 3, f"conv_{i}", self.dtype, strides=2, padding=1)(x)
            x = nn.relu(batch_norm(train, self.dtype, f"norm_{i}")(x))
        return x


class MigrationUnit(nn.Module):
    """A migration unit of Fig. 2, with the paths of Table 1 for the face and for the geometry.

    As in the table, the geometry's path ends without batch normalisation. From the second unit on its input has twice
    the channels (Eq. 3), and its first convolution reduces them again.

    Attributes:
      dropout: dropout rate of layers 1_5 and 2_5 in training.
      dtype: dtype of computations.
    """

    dropout: float
    dtype: Any = None

    @nn.compact
    def __call__(self, face: Face, geometry: Geometry, keys: Keys) -> tuple[Face, Geometry]:
        features = face.shape[-1]
        face_features = self._path("face", face, features, _of(keys, 0))
        face_features = batch_norm(keys is not None, self.dtype, "face_norm_1")(face_features)
        shape = self._path("geometry", geometry, features, _of(keys, 1), use_bias=True)
        mask = nn.sigmoid(shape)  # Eq. 1
        face = mask * face_features + face  # Eq. 2
        return face, jnp.concatenate([shape, face], -1)  # Eq. 3

    def _path(self, name: str, x: Geometry, features: int, keys: Keys, use_bias: bool = False) -> Geometry:
        """Layers 1 to 7 of one column of Table 1."""
        x = _conv(features, 3, f"{name}_conv_0", self.dtype, padding="reflect")(x)
        x = nn.relu(batch_norm(keys is not None, self.dtype, f"{name}_norm_0")(x))
        x = dropout(x, self.dropout, keys)
        return _conv(features, 3, f"{name}_conv_1", self.dtype, padding="reflect", use_bias=use_bias)(x)


class Decoder(nn.Module):
    """Decoder (Table 2): two transposed convolutions to full resolution, then colors in [-1, 1], float32.

    Its transposed convolutions have kernels with equal sums of even and odd positions (see `TransposedConv`), as the
    table's unconstrained kernels cause checkerboard artifacts.
    """

    width: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Geometry, train: bool) -> Image:
        for i in (1, 0):
            x = TransposedConv(2**i * self.width, dtype=self.dtype, name=f"up_{i}")(x)
            x = nn.relu(batch_norm(train, self.dtype, f"norm_{i}")(x))
        return nn.tanh(_conv(3, 7, "colours", jnp.float32, padding="reflect", use_bias=True)(x))


class Generator(nn.Module):
    """Generates a face with target landmarks and a target expression: in [-1, 1], float32.

    Attributes:
      width: channels at the image's resolution; four times as many in the migration units.
      units: number of migration units.
      dropout: see `MigrationUnit`.
      initialise: whether to use initialise networks. Without them (Table 7), one linear convolution each embeds 4×4
        patches of image and heatmaps.
      labels: whether label maps (Fig. 4) are an input of the decoder; if not (Table 7), only the landmarks determine
        the expression.
      dtype: dtype of computations.
    """

    width: int = 64
    units: int = 9
    dropout: float = 0.5
    initialise: bool = True
    labels: bool = True
    dtype: Any = None

    @nn.compact
    def __call__(self, image: Image, landmarks: Landmarks, expression: Labels, keys: Keys = None) -> Image:
        """`image` is the source in [-1, 1]; `landmarks` in [0, 1] and `expression` (indices) are targets."""
        train, sides = keys is not None, image.shape[1:3]
        face, geometry = self._start("face", image, sides, train), self._start("geometry", landmarks, sides, train)
        for i in range(self.units):
            unit = MigrationUnit(self.dropout, self.dtype, name=f"unit_{i}")
            face, geometry = unit(face, geometry, _of(keys, i))
        if self.labels:
            maps = label_maps(expression, *face.shape[1:3]).astype(face.dtype)
            face = jnp.concatenate([face, maps], -1)
        return Decoder(self.width, self.dtype, name="decoder")(face, train)

    def _start(self, name: str, inputs: Any, sides: tuple[int, int], train: bool) -> Face:
        if self.initialise:
            return Initialise(self.width, self.dtype, name=f"initialise_{name}")(inputs, sides, train)
        how = {"strides": SHRINK, "padding": "valid", "use_bias": True}
        return _first_conv(inputs, sides, SHRINK * self.width, SHRINK, name, self.dtype, **how)


class Discriminator(nn.Module):
    """Table 3, without the sigmoid: logits of patches, float32 `(batch, H/8 - 2, W/8 - 2, 1)`, higher for real.

    It takes images and their context: the source for the image discriminator, heatmaps for the geometry discriminator.
    The table's first convolution of the concatenation is a sum of two convolutions here, which is equivalent. The last
    batch normalisation subtracts the logits' mean, so real and generated images must be in one batch; otherwise their
    logits would have equal means. It runs in training mode only, so running statistics are not stored.

    Attributes:
      width: channels of the first convolution; each of the next three doubles them.
      dtype: dtype of computations.
    """

    width: int = 64
    dtype: Any = None

    @nn.compact
    def __call__(self, real: Image, generated: Image, context: Any) -> tuple[Logits, Logits]:
        """`context` is an image `(batch, H, W, 3)` or the landmarks of heatmaps `(batch, N, 2)`."""
        how = {"strides": 2, "padding": 1}
        x = _conv(self.width, 4, "conv_0", self.dtype, use_bias=True, **how)(jnp.concatenate([real, generated]))
        beside = _first_conv(context, real.shape[1:3], self.width, 4, "context", self.dtype, **how)
        x = nn.leaky_relu(x + jnp.concatenate([beside, beside]), _SLOPE)
        for i in (1, 2, 3):
            how = {"strides": 2 if i < 3 else 1, "padding": 1}
            x = _conv(2**i * self.width, 4, f"conv_{i}", self.dtype, **how)(x)
            x = nn.leaky_relu(batch_norm(True, self.dtype, f"norm_{i}")(x), _SLOPE)
        x = _conv(1, 4, "conv_4", jnp.float32, padding=1)(x)
        x = batch_norm(True, jnp.float32, "norm_4")(x)
        return x[: len(real)], x[len(real) :]


def label_maps(expression: Labels, height: int, width: int) -> Float[Array, "batch {height} {width} labels"]:
    """Label maps (Fig. 4): one constant map per expression of `EXPRESSIONS`, 1 for the label and -1 for the others."""
    labels = 2 * jax.nn.one_hot(expression, len(EXPRESSIONS)) - 1
    return jnp.broadcast_to(labels[:, None, None], (len(labels), height, width, labels.shape[-1]))


def _first_conv(
    inputs: Any, sides: tuple[int, int], features: int, size: int, name: str, dtype: Any, **options: Any
) -> Geometry:
    """The first convolution of an image or of landmark heatmaps."""
    if inputs.ndim == 4:
        return _conv(features, size, name, dtype, **options)(inputs)
    return HeatmapConv(features, size, dtype=dtype, name=name, **options)(inputs, sides)


def _conv(features: int, kernel_size: int, name: str, dtype: Any, **options: Any) -> Conv:
    options = {"use_bias": False, **options}
    return Conv(features, kernel_size, dtype=dtype, name=name, **options)


def _of(keys: Keys, number: int) -> Keys:
    """Keys folded with `number`; None without keys."""
    return None if keys is None else folded(keys, number)


def dropout(x: Maps, share: float, keys: Keys) -> Maps:
    """Dropout with one key per example, so results do not depend on the number of devices."""
    if keys is None or not share:
        return x
    retained = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - share, x.shape[1:]))(keys)
    return jnp.where(retained, x / (1 - share), 0)
