"""StyleGAN2's discriminator (Karras et al., CVPR 2020): residual blocks and minibatch standard deviation."""

from __future__ import annotations

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.methods.projection.layers import EqualConv, EqualDense, activated
from lgan_jax.methods.projection.networks import REDUCED, SMALLEST, Mapping

Maps = Float[Array, "batch height width channels"]


class ResidualBlock(nn.Module):
    """Two convolutions, the second of which halves the maps, beside a 1×1 convolution that does too."""

    features: int
    dtype: Any = None
    clamp: float | None = None

    @nn.compact
    def __call__(self, x: Maps) -> Float[Array, "batch rows columns features"]:
        half = math.sqrt(0.5)
        shortcut = EqualConv(self.features, 1, True, False, self.dtype, name="skip")(x) * half
        x = activated(EqualConv(x.shape[-1], dtype=self.dtype, name="conv0")(x), clamp=self.clamp)
        x = EqualConv(self.features, halve=True, dtype=self.dtype, name="conv1")(x)
        return shortcut + activated(x, half, self.clamp)


class Discriminator(nn.Module):
    """StyleGAN2's discriminator: logits `(batch,)` of square images in [-1, 1], higher for real; float32.

    Blocks are called by their size, `b64` … `b8`, and the last one, `b4`, has dense layers.

    Attributes:
      channels: of the maps at 4, 8, … pixels; see `networks.channels`.
      labels: number of classes; 0 for an unconditional network.
      layers: of the network that maps labels.
      reduced: number of blocks of the highest resolutions that compute in bfloat16.
      clamp: limit of the layers' outputs, if the network was trained with one.
      group: over how many images statistics are taken; the batch must be a multiple of it, or smaller.
      axis: the mapped axis of devices over which a batch is spread: its groups are those of the whole batch. None:
        what is given is the whole batch.
    """

    channels: tuple[int, ...]
    labels: int = 0
    layers: int = 8
    reduced: int = 0
    clamp: float | None = None
    group: int = 4
    axis: str | None = None

    @nn.compact
    def __call__(
        self, image: Float[Array, "batch side side 3"], labels: Float[Array, "batch classes"] | None = None
    ) -> Float[Array, " batch"]:
        """`labels` are one-hot. Raises `ValueError` for images of another size, and for labels as `Mapping` does."""
        side, levels = SMALLEST << (len(self.channels) - 1), len(self.channels)
        if image.shape[1] != side:
            raise ValueError(f"images are {image.shape[1]} pixels wide; this discriminator takes {side}")
        x = EqualConv(self.channels[-1], 1, dtype=self._dtype(levels - 1), name=f"b{side}_fromrgb")(image)
        x = activated(x, clamp=self.clamp)
        for level in range(levels - 1, 0, -1):
            how = {"dtype": self._dtype(level), "clamp": self.clamp, "name": f"b{SMALLEST << level}"}
            x = ResidualBlock(self.channels[level - 1], **how)(x)
        x = minibatch_std(x.astype(jnp.float32), self.group, self.axis)
        x = activated(EqualConv(self.channels[0], name="b4_conv")(x), clamp=self.clamp)
        x = activated(EqualDense(self.channels[0], name="b4_fc")(x.transpose(0, 3, 1, 2).reshape(len(x), -1)))
        x = EqualDense(self.channels[0] if self.labels else 1, name="b4_out")(x)
        if not self.labels and labels is None:
            return x[:, 0]
        conditions = Mapping(self.channels[0], self.layers, self.labels, averaged=False, name="mapping")(None, labels)
        return jnp.sum(x * conditions, -1) / math.sqrt(self.channels[0])

    def _dtype(self, level: int) -> Any:
        return REDUCED if level >= len(self.channels) - self.reduced else jnp.float32


def minibatch_std(x: Maps, group: int, axis: str | None = None) -> Float[Array, "batch height width more"]:
    """Minibatch standard deviation: appends its mean over positions and channels as one more map.

    Of n groups of a batch, example i belongs to number i mod n. With a mapped `axis` the batch is that of all devices,
    in their order, so that any number of them gives what one does; NVIDIA's code has groups on each GPU alone, whose
    statistics change with their number. Raises `ValueError` where the batch cannot be grouped.
    """
    own = len(x)
    batch = x if axis is None else jax.lax.all_gather(x, axis, tiled=True)
    count = len(batch)
    group = min(group, count)
    if count % group:
        raise ValueError(f"a batch of {count} cannot be split into groups of {group}")
    grouped = batch.reshape(group, count // group, *x.shape[1:])
    std = jnp.sqrt(jnp.var(grouped, 0) + 1e-8).mean((1, 2, 3))
    first = 0 if axis is None else jax.lax.axis_index(axis) * own
    std = std[(first + jnp.arange(own)) % (count // group)]
    return jnp.concatenate([x, jnp.broadcast_to(std.reshape(own, 1, 1, 1), (*x.shape[:3], 1))], -1)


def group_for(count: int, most: int) -> int:
    """The largest group of at most `most` that a batch of `count` can be split into."""
    return next(group for group in range(min(most, count), 0, -1) if count % group == 0)
