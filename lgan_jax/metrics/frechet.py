"""The Fréchet distance between two sets of feature vectors, each taken for a sample of a Gaussian.

Whose features, and of how many images, belongs beside the number: with fewer images than features the covariances
are singular and the distance is too large, so it can only be compared between sets of equal size.
Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", NeurIPS 2017 (there with Inception's features).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

Features = Float[np.ndarray, "_ _"]  # (n, D)


def frechet_distance(one: Features, other: Features, ddof: int = 1) -> float:
    """‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½), in the features' squared unit; 0 for equal means and covariances.

    The trace of (Σ₁Σ₂)^½ is the sum of the square roots of the eigenvalues of the symmetric Σ₁^½Σ₂Σ₁^½, which are the
    singular values of Σ₁^½Σ₂^½: real and not negative, whatever the rank.

    Args:
      one: features `(n, D)` of one set.
      other: features `(m, D)` of the other.
      ddof: covariances are divided by the number of vectors less this: 1 as pytorch-fid does, 0 as NVIDIA's code.

    Raises:
      ValueError: a set has fewer than two vectors or a value that is not finite, the sets' vectors differ in length,
        or `ddof` is neither 0 nor 1.
    """
    if ddof not in (0, 1):
        raise ValueError(f"ddof is {ddof}; covariances are divided by n - 1 (1) or n (0)")
    if one.shape[1] != other.shape[1]:
        raise ValueError(f"features of one length can be compared, not {one.shape[1]} with {other.shape[1]}")
    (first, one_root), (second, other_root) = (_gaussian(features, ddof) for features in (one, other))
    both = np.linalg.svd(one_root @ other_root, compute_uv=False).sum()
    squares = (one_root**2).sum() + (other_root**2).sum()  # tr(RR) = tr(Σ)
    return max(float(((first - second) ** 2).sum() + squares - 2 * both), 0.0)


def _gaussian(features: Features, ddof: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean `(D,)` and the symmetric square root `(D, D)` of the covariance."""
    if len(features) < 2:
        raise ValueError(f"a covariance needs two feature vectors or more, not {len(features)}")
    if not np.isfinite(features).all():
        raise ValueError("a feature is not finite; leave out images that could not be measured")
    features = features.astype(np.float64)
    values, vectors = np.linalg.eigh(np.cov(features, rowvar=False, ddof=ddof).reshape(features.shape[1], -1))
    return features.mean(0), (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
