"""The losses of LandmarkGAN, Eq. 2 to 6 of Sun et al., in the paper's symbols.

L: landmarks, `(batch, N, 2)` in [0, 1]. I: an image in [-1, 1]. Φ, Ψ_t: the converter's encoder and decoders. Θ_t: the
generator. Ω: the detector. Expectations are means over the batch. `weights` `(N,)` weight the landmarks: the published
code weights the points inside the face more than the outline (`point_weights`).
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lgan_jax.landmarks import Scheme
from lgan_jax.losses.adversarial import ADVERSARIAL, Logits, Scalar
from lgan_jax.losses.reconstruction import l1
from lgan_jax.ops import dsnt
from lgan_jax.ops.norms import safe_norm

Landmarks = Float[Array, "*batch n 2"]
Image = Float[Array, "*batch height width 3"]
Heatmaps = Float[Array, "*batch height width n"]
Weights = Float[Array, " n"]


def point_weights(scheme: Scheme, inner: float) -> Float[Array, " n"]:
    """One weight per landmark: `inner` for the points inside the face, 1 for the outline."""
    weights = np.ones(scheme.count, np.float32)
    weights[scheme.inner] = inner
    return jnp.asarray(weights)


def l2i(image: Image, generated: Image, weights: Float[Array, "*batch height width 1"] | None = None) -> Scalar:
    """Eq. 2: ‖I_t − Θ_t(L_t)‖₁, as the mean over pixels and colors of differences in [0, 1], times `weights`.

    The paper has a sum; the published code takes a mean, in the range of the sigmoid. Neither has weights.
    """
    return l1(image, generated, None if weights is None else jnp.broadcast_to(weights, image.shape)) / 2


def i2l(maps: Heatmaps, landmarks: Landmarks, weights: Weights, sigma: float) -> Scalar:
    """Eq. 3: ‖L_t − Ω(Θ_t(L_t))‖₂, with DSNT's regulariser; `maps` are Ω's heatmaps of the generated image.

    As in the published code: each landmark's distance in DSNT's coordinates (the image is 2 wide) plus the
    Jensen–Shannon divergence from a Gaussian of `sigma` heatmap pixels, as a weighted mean over landmarks.
    """
    target = dsnt.from_landmarks(landmarks)
    distance = dsnt.euclidean_loss(dsnt.dsnt(maps), target)
    per_landmark = distance + dsnt.js_regulariser(maps, target, sigma)
    return jnp.mean(per_landmark * _along(weights, per_landmark))


def l2l(landmarks: Landmarks, reconstructed: Landmarks, weights: Weights) -> Scalar:
    """Eq. 4, first term: ‖L_t − Ψ_t(Φ(L_t))‖₂, as the weighted sum of each landmark's distance."""
    distance = safe_norm(landmarks - reconstructed)
    return jnp.mean(jnp.sum(distance * _along(weights, distance), -1))


def l2l_norm(landmarks: Landmarks, latent: Landmarks, weights: Weights, origin: float = 0.0) -> Scalar:
    """Eq. 4, second term: ‖L′_t − Φ(L_t)‖₂ with L′ = L / ‖L‖₂ over all of a face's coordinates; summed like the first.

    L′ is not detached: if L is itself a network's output, it gets gradients through both sides. `origin` is
    subtracted from every coordinate of L first; it is the origin of the network's landmark coordinates.
    """
    landmarks = landmarks - origin
    unit = landmarks / safe_norm(landmarks, (-2, -1), keepdims=True)
    return l2l(unit, latent, weights)


def x_l2l(landmarks: Landmarks, returned: Landmarks, weights: Weights) -> Scalar:
    """Eq. 5: ‖L_t − Ψ_t(Φ(Ψ_s(Φ(L_t))))‖₂ for s ≠ t, as the first term of Eq. 4; `returned` is the cycle's result."""
    return l2l(landmarks, returned, weights)


def l2i_gan_discriminator(kind: str, real: Logits, generated: Logits) -> Scalar:
    """Eq. 6 for D_t, which minimises it: "minimax" is its negative, "hinge" (the published code) the hinge loss."""
    return ADVERSARIAL[kind].discriminator(real, generated)


def l2i_gan_generator(kind: str, generated: Logits) -> Scalar:
    """Eq. 6 for Θ_t: "minimax" its second term, "hinge" (the published code) −E[D_t], or "non_saturating"."""
    return ADVERSARIAL[kind].generator(generated)


def _along(weights: Weights, per_landmark: Float[Array, "*batch n"]) -> Float[Array, " ..."]:
    return weights.reshape((1,) * (per_landmark.ndim - 1) + (-1,))
