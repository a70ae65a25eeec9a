"""How well action units that are estimated from landmarks agree with the truth, where a data set has both."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from lgan_jax.action_units import NUMBERS
from lgan_jax.data import FaceData
from lgan_jax.landmarks import Scheme, inter_ocular
from lgan_jax.metrics.units import Agreement, agreement
from lgan_jax.ops.unit_estimate import ESTIMATED, estimate, neutral_head

COLUMNS = tuple(NUMBERS.index(number) for number in ESTIMATED)  # of the estimated units among all


def against_truth(faces: FaceData, noise: float = 0.0, seed: int = 0) -> Agreement:
    """Agreement of the estimate with the true units of the test faces, unit by unit in the order of `ESTIMATED`.

    A person's face at rest is found among the person's training frames, as `prepare` finds it; so each identity must
    be one person (built-in faces: variation "video").

    Args:
      faces: with landmarks and action units.
      noise: landmarks are moved at random by this distance on the average, in inter-ocular distances; a landmark model
        is off by 0.01 to 0.03.
      seed: of the noise.
    """
    random = np.random.default_rng(seed)
    scheme = faces.info.scheme
    found, true = [], []
    for identity in range(len(faces.info.identities)):
        train, test = (
            [split[int(i)] for i in np.flatnonzero(split.identity == identity)] for split in (faces.train, faces.test)
        )
        seen, asked = (
            moved(np.stack([record["landmarks"] for record in part]), scheme, noise, random) for part in (train, test)
        )
        found.append(estimate(asked, neutral_head(seen, scheme), scheme))
        true.append(np.stack([record["action_units"] for record in test])[:, COLUMNS])
    return agreement(np.concatenate(found), np.concatenate(true))


def moved(
    landmarks: Float[np.ndarray, "n N 2"], scheme: Scheme, noise: float, random: np.random.Generator
) -> Float[np.ndarray, "n N 2"]:
    """Landmarks moved at random by `noise` inter-ocular distances on the average, in any direction."""
    spread = noise * inter_ocular(landmarks, scheme) / np.sqrt(np.pi / 2)
    return landmarks + (spread[:, None, None] * random.normal(size=landmarks.shape)).astype(np.float32)
