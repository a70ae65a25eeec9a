"""Settings of LandmarkGAN's generator phase, for both forms."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

from lgan_jax import config, optimizers
from lgan_jax.losses import adversarial


@dataclasses.dataclass(frozen=True)
class Weights:
    """Factors of the generator's losses.

    Attributes:
      l2i, i2l, adversarial, feature_matching: factors of Eq. 2, 3, 6, and of feature matching.
      inner: weight of the points inside the face in Eq. 3 (the outline has weight 1).
      features: additional weight, in Eq. 2, of pixels near the points inside the face: see
        `reconstruction.pixel_weights`.
    """

    l2i: float = 12.0
    i2l: float = 0.1
    adversarial: float = 0.03
    feature_matching: float = 0.03
    inner: float = 2.5
    features: float = 0.0


_AS_PUBLISHED = optimizers.RMSProp(
    learning_rate=6e-5,
    weight_decay=1e-4,
    schedule=optimizers.Step(factor=0.9, every=2500, final_learning_rate=1e-5),
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the generator phase.

    Attributes:
      form: "landmarks", the paper's Θ_t: one network per identity that renders from landmarks alone; or "reference":
        one network for all identities that refines the identity's own frames, warped to the landmarks (see
        `reference.ReferencePhase`). In the form "reference", landmarks are converted in closed form if the config has
        no converter phase (see `shape_model`).
      references: reference frames of each identity that the form "reference" stores in its state.
      detector_share: position of the anchors in the form "reference" between the data's landmarks (0) and the detected
        landmarks (1): see `references.chosen`.
      constraint: clamps converted landmarks to this many standard deviations of the identity's training frames (see
        `shape_model.constrain`); 0 disables the constraint.
      steps: number of training steps.
      batch_size: examples per step; an example has one image of every identity.
      optimizer, discriminator_optimizer: settings of the optimizers.
      width: factor on the generator's channels.
      discriminator_width: channels of the discriminator's first convolution.
      adversarial: the loss of Eq. 6: "hinge" (published code), "minimax" (paper) or "non_saturating".
      adversarial_start: share of the steps, in [0, 1), before the adversarial loss starts. Earlier steps train with
        Eq. 2 and 3 alone and take about half the time.
      weights: weights of the losses.
      sigma: sigma of Eq. 3's regulariser, in heatmap pixels.
      ema_decay: decay of the exponential moving average (EMA) of the weights, which inference and evaluation use; at
        step n at most (1 + n) / (10 + n).
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
