"""Agreement of action units estimated from landmarks with the ground truth, where a data set has both."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from lgan_jax.action_units import NUMBERS
from lgan_jax.data import FaceData
from lgan_jax.faces.unit_estimate import ESTIMATED, estimate, neutral_head
from lgan_jax.landmarks import Scheme, inter_ocular
from lgan_jax.metrics.units import Agreement, agreement

COLUMNS = tuple(NUMBERS.index(number) for number in ESTIMATED)  # of the estimated units among all


def against_truth(faces: FaceData, noise: float = 0.0, seed: int = 0) -> Agreement:
    """Agreement of the estimate with the true units of the test split, unit by unit in the order of `ESTIMATED`.

    A person's neutral face is found among the person's training frames, as `prepare` finds it; so each identity must
    be one person (built-in faces: variation "video").

    Args:
      faces: with landmarks and action units.
      noise: mean distance of the landmarks' random displacement, in inter-ocular distances; a landmark model is off by
        0.01 to 0.03.
      seed: of the noise.
    """
    random = np.random.default_rng(seed)
    scheme = faces.info.scheme
    estimates, targets = [], []
    for identity in range(len(faces.info.identities)):
        train, test = (
            [split[int(i)] for i in np.flatnonzero(split.identity == identity)] for split in (faces.train, faces.test)
        )
        known, asked = (
            with_noise(np.stack([record["landmarks"] for record in part]), scheme, noise, random)
            for part in (train, test)
        )
        estimates.append(estimate(asked, neutral_head(known, scheme), scheme))
        targets.append(np.stack([record["action_units"] for record in test])[:, COLUMNS])
    return agreement(np.concatenate(estimates), np.concatenate(targets))


def with_noise(
    landmarks: Float[np.ndarray, "n N 2"], scheme: Scheme, noise: float, random: np.random.Generator
) -> Float[np.ndarray, "n N 2"]:
    """Landmarks displaced at random in any direction, by `noise` inter-ocular distances on the average."""
    spread = noise * inter_ocular(landmarks, scheme) / np.sqrt(np.pi / 2)
    return landmarks + (spread[:, None, None] * random.normal(size=landmarks.shape)).astype(np.float32)
