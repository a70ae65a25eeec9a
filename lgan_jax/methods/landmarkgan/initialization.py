"""Data-dependent initialisation of LandmarkGAN's networks, from the statistics of training landmarks.

This is not in the paper, which uses Kaiming's normal initialisation alone. The landmarks of a face vary by a few
hundredths around their mean, mostly by head motion. Without whitening, a network's initial features hardly differ
between expressions, and training separates them slowly.

Landmarks here are examples `(batch, identities, N, 2)` in [0, 1]; networks are Flax parameters, stacked along
identities.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.methods.landmarkgan.networks import SLOPE

Landmarks = Float[Array, "batch identities n 2"]

_MIN_STD = 0.02  # smallest standard deviation of landmarks, in image widths, for (nearly) identical examples


class Principal(NamedTuple):
    """Principal directions `(2N, 2N)` in columns, and a scale for each, `(2N,)`: (variance + mean variance)^(−1/2).

    The scale gives strong directions variance 1, and weak directions, which are mostly noise, a smaller variance.
    """

    directions: Array
    scale: Array


def principal(residuals: Float[Array, "count coordinates"]) -> Principal:
    """Principal component analysis of residuals from a mean; the strongest direction is first."""
    variances, directions = jnp.linalg.eigh(residuals.T @ residuals / len(residuals))
    variances, directions = jnp.maximum(variances[::-1], 0), directions[:, ::-1]
    return Principal(directions, (variances + jnp.maximum(variances.mean(), _MIN_STD**2)) ** -0.5)


def whitened(generators: Any, landmarks: Landmarks) -> Any:
    """Folds a whitening of the landmarks, T · (L − mean), into the generators' first layer; means are per identity.

    Only the first layer changes: kernel W becomes T·W, bias b becomes b − mean·T·W. T is (C + c)^(−1/2), where C is the
    covariance and c its mean diagonal, scaled so that T·L has variance 1.
    """
    flat = landmarks.reshape(*landmarks.shape[:2], -1)
    mean = flat.mean(0)
    residuals = (flat - mean[None]).reshape(-1, flat.shape[-1])
    directions, scale = principal(residuals)
    variance = jnp.mean(((residuals @ directions) * scale[None]) ** 2)
    transform = (directions * scale[None] / jnp.sqrt(jnp.maximum(variance, 1 / flat.shape[-1]))) @ directions.T
    layer = generators["layer_0"]
    kernel = jnp.einsum("pq,iqf->ipf", transform, layer["kernel"])
    bias = layer["bias"] - jnp.einsum("ip,ipf->if", mean, kernel)
    return {**generators, "layer_0": {"kernel": kernel, "bias": bias}}


def shifting(converter: Any, landmarks: Landmarks) -> Any:
    """Initialises the converter as a shift of landmarks from the mean face of all identities to the target's.

    Φ is L ↦ L / n with the landmarks' mean norm n, which nearly minimises the second term of Eq. 4. Ψ_t is
    l ↦ n·l + (mean of t − mean of all). Both are restricted to the strongest directions that fit the hidden layers.
    """
    flat = landmarks.reshape(*landmarks.shape[:2], -1)
    pooled = flat.reshape(-1, flat.shape[-1])
    mean = pooled.mean(0)
    norms = jnp.maximum(jnp.linalg.norm(pooled, axis=-1, keepdims=True), 1e-6)
    norm, latent_mean = norms.mean(), (pooled / norms).mean(0)
    found = principal(pooled - mean[None])
    into, out_of = found.directions * found.scale[None], (found.directions / found.scale[None]).T
    encoder = _linear(converter["encoder"], into, out_of / norm, mean, latent_mean)
    decoders = jax.vmap(lambda network, target: _linear(network, into * norm, out_of, latent_mean, target))(
        converter["decoders"], flat.mean(0)
    )
    return {**converter, "encoder": encoder, "decoders": decoders}


def _linear(network: Any, into: Array, out_of: Array, mean_in: Array, mean_out: Array) -> Any:
    """A `LandmarkMLP` that computes mean_out + (x − mean_in) · into · out_of: hidden units are pairs of opposite sign.

    LeakyReLU(z) − LeakyReLU(−z) = (1 + slope)·z, so the deep network is linear at initialisation, with the gradients
    of a linear network (Balduzzi et al., "The shattered gradients problem", ICML 2017). Orthogonal matrices rotate z
    between the layers: cosine transforms after random signs from the network's own initialisation. (A QR decomposition
    of random matrices is no alternative: JAX's batched LAPACK calls can deadlock on a CPU with few cores.) Directions
    beyond the hidden layers' width are dropped.
    """
    width = network["layer_0"]["bias"].shape[-1]
    half, last = width // 2, len(network) - 1
    room = min(half, into.shape[1])
    z = jnp.zeros((into.shape[0], half)).at[:, :room].set(into[:, :room])
    back = jnp.zeros((half, out_of.shape[1])).at[:room].set(out_of[:room])
    layers = {"layer_0": {"kernel": jnp.concatenate([z, -z], 1), "bias": jnp.concatenate([-mean_in @ z, mean_in @ z])}}
    for i in range(1, last):
        rotation = jnp.sign(network[f"layer_{i}"]["kernel"][:half, :1]) * _cosines(half)
        back = rotation.T @ back
        rotation = rotation / (1 + SLOPE)
        layers[f"layer_{i}"] = {
            "kernel": jnp.block([[rotation, -rotation], [-rotation, rotation]]),
            "bias": jnp.zeros(width),
        }
    back = back / (1 + SLOPE)
    layers[f"layer_{last}"] = {"kernel": jnp.concatenate([back, -back]), "bias": mean_out}
    return layers


def _cosines(count: int) -> Float[Array, "{count} {count}"]:
    """The orthonormal cosine transform (DCT-II)."""
    frequency, position = jnp.arange(count)[:, None], jnp.arange(count)[None] + 0.5
    scale = jnp.where(frequency == 0, 1 / count, 2 / count) ** 0.5
    return scale * jnp.cos(jnp.pi / count * frequency * position)
