"""How the networks of LandmarkGAN start: from the statistics of training landmarks.

Ours; the paper says Kaiming's normal weights alone. The landmarks of a face move by a few hundredths around their mean,
most of them with the head, so that the features of a network started without this hardly differ from expression to
expression, and it takes long to learn to tell them apart.

Landmarks here are examples `(batch, identities, N, 2)` in [0, 1]; networks are parameters as Flax keeps them, those of
each identity stacked.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.methods.landmarkgan.networks import SLOPE

Landmarks = Float[Array, "batch identities n 2"]

_LEAST_DEVIATION = 0.02  # of landmarks, in picture widths: where the examples are (nearly) all the same


class Principal(NamedTuple):
    """Principal directions `(2N, 2N)` in columns, and a scale for each, `(2N,)`: (variance + mean variance)^(−1/2).

    So the strong directions get variance 1 and the weak ones, which are mostly noise, less.
    """

    directions: Array
    scale: Array


def principal(residuals: Float[Array, "count coordinates"]) -> Principal:
    """Of deviations from a mean; the strongest direction first."""
    variances, directions = jnp.linalg.eigh(residuals.T @ residuals / len(residuals))
    variances, directions = jnp.maximum(variances[::-1], 0), directions[:, ::-1]
    return Principal(directions, (variances + jnp.maximum(variances.mean(), _LEAST_DEVIATION**2)) ** -0.5)


def whitened(generators: Any, landmarks: Landmarks) -> Any:
    """The generators as if their input were T · (L − mean), whitened by these landmarks, of each identity its own mean.

    Only the first layer's start changes: kernel W becomes T·W, bias b becomes b − mean·T·W. T is (C + c)^(−1/2), C the
    covariance and c its mean diagonal, scaled so that T·L has variance 1.
    """
    flat = landmarks.reshape(*landmarks.shape[:2], -1)
    mean = flat.mean(0)
    residuals = (flat - mean[None]).reshape(-1, flat.shape[-1])
    directions, scale = principal(residuals)
    left = jnp.mean(((residuals @ directions) * scale[None]) ** 2)  # of the variance
    transform = (directions * scale[None] / jnp.sqrt(jnp.maximum(left, 1 / flat.shape[-1]))) @ directions.T
    layer = generators["layer_0"]
    kernel = jnp.einsum("pq,iqf->ipf", transform, layer["kernel"])
    bias = layer["bias"] - jnp.einsum("ip,ipf->if", mean, kernel)
    return {**generators, "layer_0": {"kernel": kernel, "bias": bias}}


def shifting(converter: Any, landmarks: Landmarks) -> Any:
    """The converter as one that moves landmarks from the mean face of all identities to the target's.

    Φ starts as L ↦ L / n, n the landmarks' mean norm (which is all but what Eq. 4 wants of it), Ψ_t as
    l ↦ n·l + (mean of t − mean of all), both within the strongest directions that the hidden layers have room for.
    """
    flat = landmarks.reshape(*landmarks.shape[:2], -1)
    everyone = flat.reshape(-1, flat.shape[-1])
    mean = everyone.mean(0)
    norms = jnp.maximum(jnp.linalg.norm(everyone, axis=-1, keepdims=True), 1e-6)
    norm, latent_mean = norms.mean(), (everyone / norms).mean(0)
    found = principal(everyone - mean[None])
    into, out_of = found.directions * found.scale[None], (found.directions / found.scale[None]).T
    encoder = _linear(converter["encoder"], into, out_of / norm, mean, latent_mean)
    decoders = jax.vmap(lambda network, target: _linear(network, into * norm, out_of, latent_mean, target))(
        converter["decoders"], flat.mean(0)
    )
    return {**converter, "encoder": encoder, "decoders": decoders}


def _linear(network: Any, into: Array, out_of: Array, mean_in: Array, mean_out: Array) -> Any:
    """A `LandmarkMLP` that computes mean_out + (x − mean_in) · into · out_of: hidden units are pairs of opposite sign.

    LeakyReLU(z) − LeakyReLU(−z) = (1 + slope)·z: started so, a deep network is linear, and its gradients are a linear
    network's (Balduzzi et al., "The shattered gradients problem", ICML 2017). Between the layers z turns by orthogonal
    matrices: cosine transforms after signs from its own draw. (Not by a QR of that draw: JAX's batched LAPACK
    calls may wait for each other for ever on a CPU with few cores.) Directions without room are left out.
    """
    width = network["layer_0"]["bias"].shape[-1]
    half, last = width // 2, len(network) - 1
    room = min(half, into.shape[1])
    z = jnp.zeros((into.shape[0], half)).at[:, :room].set(into[:, :room])
    back = jnp.zeros((half, out_of.shape[1])).at[:room].set(out_of[:room])
    layers = {"layer_0": {"kernel": jnp.concatenate([z, -z], 1), "bias": _both(-mean_in @ z)}}
    for i in range(1, last):
        turn = jnp.sign(network[f"layer_{i}"]["kernel"][:half, :1]) * _cosines(half)
        back = turn.T @ back
        turn = turn / (1 + SLOPE)
        layers[f"layer_{i}"] = {"kernel": jnp.block([[turn, -turn], [-turn, turn]]), "bias": jnp.zeros(width)}
    back = back / (1 + SLOPE)
    layers[f"layer_{last}"] = {"kernel": jnp.concatenate([back, -back]), "bias": mean_out}
    return layers


def _cosines(count: int) -> Float[Array, "{count} {count}"]:
    """The orthonormal cosine transform (DCT-II)."""
    frequency, place = jnp.arange(count)[:, None], jnp.arange(count)[None] + 0.5
    scale = jnp.where(frequency == 0, 1 / count, 2 / count) ** 0.5
    return scale * jnp.cos(jnp.pi / count * frequency * place)


def _both(x: Array) -> Array:
    return jnp.concatenate([x, -x])
