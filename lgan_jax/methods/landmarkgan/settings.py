"""Settings of the phase that trains LandmarkGAN's generator, in either form."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

from lgan_jax import config, optimizers
from lgan_jax.losses import adversarial

_AS_PUBLISHED = optimizers.RMSProp(
    learning_rate=6e-5,
    weight_decay=1e-4,
    schedule=optimizers.Step(factor=0.9, every=2500, final_learning_rate=1e-5),
)


@dataclasses.dataclass(frozen=True)
class Weights:
    """Factors of the generator's losses.

    Attributes:
      l2i, i2l, adversarial, feature_matching: factors of Eq. 2, 3, 6, and of feature matching.
      inner: weight of the points inside the face in Eq. 3 (the outline's is 1).
      features: additional weight, in Eq. 2, of pixels near the points inside the face: see
        `reconstruction.pixel_weights`.
    """

    l2i: float = 12.0
    i2l: float = 0.1
    adversarial: float = 0.03
    feature_matching: float = 0.03
    inner: float = 2.5
    features: float = 0.0


@dataclasses.dataclass(frozen=True)
class Settings:
    """The generator phase.

    Attributes:
      form: "landmarks", the paper's Θ_t: a network of its own for each identity, which paints from landmarks alone; or
        "reference": one network for all identities, which refines the identity's own frames warped to the landmarks
        (see `reference.ReferencePhase`). With the second, landmarks are converted in closed form where the config
        lists no converter phase (see `shape_model`).
      references: frames of each identity that the form "reference" keeps in its state.
      detector_share: how far the form "reference" moves the anchors of its frames from the data's landmarks (0) to
        where the detector finds them (1): see `references.chosen`.
      constraint: converted landmarks are held within so many standard deviations of the identity's training frames
        (see `shape_model.constrain`); 0 leaves them as converted.
      steps: how many.
      batch_size: examples a step, each one picture of every identity.
      optimizer, discriminator_optimizer: their fields.
      width: factor on the generator's channels.
      discriminator_width: channels of the discriminator's first convolution.
      adversarial: the loss of Eq. 6: "hinge" (published code), "minimax" (paper) or "non_saturating".
      adversarial_start: share of the steps, in [0, 1), after which discriminators take part. Steps before that learn
        from Eq. 2 and 3 alone and take about half the time.
      weights: of the losses.
      sigma: of Eq. 3's regulariser, in heatmap pixels.
      ema_decay: of the exponential moving average (EMA) of the weights, which is what is used and evaluated; at step n
        at most (1 + n) / (10 + n).
    """

    form: Literal["landmarks", "reference"] = "landmarks"
    references: int = 64
    detector_share: float = 0.5
    constraint: float = 0.0
    steps: int = 400_000
    batch_size: int = 1
    optimizer: optimizers.Settings = _AS_PUBLISHED
    discriminator_optimizer: optimizers.Settings = _AS_PUBLISHED
    width: float = 1.0
    discriminator_width: int = 64
    adversarial: Literal["hinge", "minimax", "non_saturating"] = "hinge"
    adversarial_start: float = 0.0
    weights: Weights = Weights()
    sigma: float = 1.0
    ema_decay: float = 0.999

    def __post_init__(self) -> None:
        adversarial.check_start(self.adversarial_start)
        if self.references < 2:
            raise ValueError(f"references is {self.references}; it must be at least 2")
        if not 0 <= self.detector_share <= 1:
            raise ValueError(f"detector_share is {self.detector_share}; it must be between 0 and 1")
        if self.constraint < 0:
            raise ValueError(f"constraint is {self.constraint}; it must be 0 (none) or more standard deviations")
        config.within(self, 1, math.inf, "steps", "batch_size", "discriminator_width")
        config.within(self, 1e-3, math.inf, "width", "sigma")
        config.within(self, 0, 1, "ema_decay")
