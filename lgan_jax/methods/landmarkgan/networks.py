"""The networks of LandmarkGAN: Φ and Ψ_t convert landmarks, and Θ_t renders a face from them.

`ReferenceRefiner` is a variant of Θ that is not in the paper: one network for all identities that takes frames.
"""

from __future__ import annotations

from typing import Any

import dm_pix
import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.landmarks import Scheme
from lgan_jax.nn.layers import Conv
from lgan_jax.ops.heatmaps import group_heatmaps
from lgan_jax.ops.resample import binomial_blur
from lgan_jax.ops.warp import warp

SLOPE = 0.1  # negative slope of LeakyReLU
MAX_FLOW = 0.05  # largest component of a residual flow, in image widths
SIZES = (32, 64, 128, 256)  # supported image sizes, in pixels
_CHANNELS = (512, 256, 128, 128, 128, 64)  # after each upscale block, at 8, 16 … 256 pixels


class UpscaleBlock(nn.Module):
    """2x upsampling by sub-pixel convolution (Shi et al., CVPR 2016): 3×3 Conv, LeakyReLU(0.1), PixelShuffle(2).

    Channel (2·i + j)·features + c of the convolution becomes channel c of the pixel in row i and column j of its 2×2
    square. PyTorch's PixelShuffle takes channel 4·c + 2·i + j instead: published weights need that permutation.

    Attributes:
      features: channels of the output.
      dtype: dtype of computations.
    """

    features: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "batch height width channels"]) -> Float[Array, "batch rows columns features"]:
        x = Conv(4 * self.features, dtype=self.dtype, name="conv")(x)
        return dm_pix.depth_to_space(nn.leaky_relu(x, 0.1), 2)


class LandmarkMLP(nn.Module):
    """Fully connected network of five layers from landmarks to landmarks: the encoder Φ, and a decoder Ψ_t.

    2N → width → width → width → width → 2N with LeakyReLU(0.1) between, so the latent has the landmarks' shape, as the
    second term of Eq. 4 requires. Computes in float32 by default; returns float32.
    """

    width: int = 512
    dtype: Any = None

    @nn.compact
    def __call__(self, landmarks: Float[Array, "batch n 2"]) -> Float[Array, "batch n 2"]:
        x = landmarks.reshape(landmarks.shape[0], -1)
        features = (*(self.width,) * 4, x.shape[-1])
        for i, count in enumerate(features):
            x = nn.leaky_relu(x, SLOPE) if i else x
            x = nn.Dense(count, dtype=self.dtype, name=f"layer_{i}")(x)
        return x.astype(jnp.float32).reshape(landmarks.shape)


class LandmarkToFace(nn.Module):
    """Θ_t, the TL2F generator: renders landmarks in [0, 1] as an image `(batch, size, size, 3)` in [-1, 1].

    2N → 1024, LeakyReLU(0.1) → 16384 → 4×4×1024 (row, column, channel) → upscale blocks to 512, 256, 128, 128, 128, 64
    channels, each but the first followed by a plain 3×3 convolution → 5×5 convolution to 3 → sigmoid s → 2s − 1.
    Images smaller than 256 pixels have fewer blocks.

    Attributes:
      size: image size in pixels, one of `SIZES`.
      width: factor on all channels above.
      dtype: dtype of computations; the last convolution is float32.
    """

    size: int
    width: float = 1.0
    dtype: Any = None

    @nn.compact
    def __call__(self, landmarks: Float[Array, "batch n 2"]) -> Float[Array, "batch size size 3"]:
        def features(full: int) -> int:
            return max(1, round(full * self.width))

        options = {"dtype": self.dtype}
        count = landmarks.shape[0]
        x = nn.Dense(features(1024), name="layer_0", **options)(landmarks.reshape(count, -1))
        x = nn.Dense(16 * features(1024), name="layer_1", **options)(nn.leaky_relu(x, SLOPE))
        x = x.reshape(count, 4, 4, features(1024))
        for i in range(SIZES.index(self.size) + 3):
            x = UpscaleBlock(features(_CHANNELS[i]), self.dtype, name=f"upscale_{i}")(x)
            if i:
                x = Conv(features(_CHANNELS[i]), name=f"conv_{i}", **options)(x)
        x = Conv(3, 5, name="head", dtype=jnp.float32)(x)
        return 2 * nn.sigmoid(x) - 1


class ReferenceRefiner(nn.Module):
    """U-Net, shared by all identities, that refines warped reference frames by a residual flow, a texture and masks.

    Inputs are the smooth and the sharp blend of the frames (see `references.blend`) and the target landmarks, as one
    heatmap per group. The network predicts a mask S that mixes the two blends, a residual flow f that warps the
    mixture, a texture T in tanh space, and a mask A. The image is (1 − A)·M + A·tanh(T + atanh M) with the warped
    mixture M = warp(S·sharp + (1 − S)·smooth, f).
    The head is initialized with zeros, so training begins with the blends' mean. Its full-resolution outputs are
    filtered, since PixelShuffle can leave a checkerboard, which the detector rewards.

    Attributes:
      scheme: landmark scheme.
      width: channels at half the image's size; 2 and 4 times as many at lower resolutions.
      dtype: dtype of computations; flow, masks and the result are float32.
    """

    scheme: Scheme
    width: int = 16
    dtype: Any = None

    @nn.compact
    def __call__(
        self,
        smooth: Float[Array, "batch size size 3"],
        sharp: Float[Array, "batch size size 3"],
        landmarks: Float[Array, "batch n 2"],
    ) -> Float[Array, "batch size size 3"]:
        size = smooth.shape[1]

        def conv(features: int, name: str, strides: int = 1) -> Conv:
            return Conv(features, strides=strides, dtype=self.dtype, name=name)

        def active(x: Array) -> Array:
            return nn.leaky_relu(x, SLOPE)

        def up(x: Array, skip: Array, features: int, name: str) -> Array:
            x = dm_pix.depth_to_space(conv(4 * features, f"{name}_up")(x), 2)
            return active(conv(features, name)(jnp.concatenate([x, skip], -1)))

        maps = group_heatmaps(landmarks, self.scheme, size // 2)
        halved = dm_pix.space_to_depth(jnp.concatenate([smooth, sharp], -1), 2)
        half = active(conv(self.width, "half")(jnp.concatenate([halved, maps], -1)))
        quarter = active(conv(2 * self.width, "quarter_down", 2)(half))
        quarter = active(conv(2 * self.width, "quarter")(quarter))
        eighth = active(conv(4 * self.width, "eighth_down", 2)(quarter))
        shape = nn.Dense(4 * self.width, dtype=self.dtype, name="shape")
        condition = shape(2 * landmarks.reshape(len(landmarks), -1) - 1)[:, None, None]
        for i in range(2):
            residual = active(conv(4 * self.width, f"eighth_{i}_0")(active(eighth + condition)))
            eighth = eighth + conv(4 * self.width, f"eighth_{i}_1")(residual)
        x = up(up(eighth, quarter, 2 * self.width, "quarter_out"), half, self.width, "half_out")
        head = Conv(2 + 4 * 5, dtype=jnp.float32, name="head")(x)
        flow = jax.image.resize(MAX_FLOW * jnp.tanh(head[..., :2]), (*smooth.shape[:3], 2), "linear")
        full = binomial_blur(dm_pix.depth_to_space(head[..., 2:], 2))
        mix = nn.sigmoid(full[..., :1])
        warped = warp(mix * sharp + (1 - mix) * smooth, flow)
        texture = jnp.tanh(full[..., 1:4] + jnp.arctanh(0.98 * warped))
        mask = nn.sigmoid(full[..., 4:])
        return (1 - mask) * warped + mask * texture
