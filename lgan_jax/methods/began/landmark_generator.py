"""Training phase of the landmark generator (Bazrafkan et al., Table I, Eq. 4): predicts landmarks from an image's z.

The paper trains on all images without validation, so this phase's metrics measure the fit to training images. The
evaluation measures unseen images by inverting them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from lgan_jax import config, optimizers
from lgan_jax.core import DATA_AXIS, Batch, FaceInfo, Finished, Metrics, example_keys
from lgan_jax.methods.began import losses
from lgan_jax.methods.began.networks import LATENT, LandmarkGenerator, Latent
from lgan_jax.metrics.lmk import nme
from lgan_jax.nn.initialisers import initial_variables
from lgan_jax.ops import dsnt
from lgan_jax.ops.heatmaps import with_dots
from lgan_jax.training.phase import Phase
from lgan_jax.training.train_state import TrainState

_ROWS = 8  # rows of the sample images
_ADAM = optimizers.Adam(learning_rate=3e-4)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the landmark_generator phase.

    Attributes:
      steps: number of training steps; the paper's 1,000 epochs of CelebA are 12.7 million.
      batch_size: images per step.
      optimizer: settings of the optimizer.
      noise: σ of normal noise added to z; 0 for none, as in the paper. It reduces overfitting to few images.
    """

    steps: int = 100_000
    batch_size: int = 16
    optimizer: optimizers.Settings = _ADAM
    noise: float = 0.0

    def __post_init__(self) -> None:
        config.within(self, 1, math.inf, "steps", "batch_size")
        config.within(self, 0, math.inf, "noise")


class LandmarkGeneratorPhase(Phase):
    """The phase that trains L-Gen, its `landmark_generator`.

    The frozen part of its state has the `z` of the training images, the mask `known` of inverted images, and BEGAN's
    `networks`.
    """

    Settings = Settings
    grouping = "single"
    keys = ("image", "landmarks", "index")
    eval_split = "train"  # validation images have no z

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """Needs the phases `began` and `inverse` in `earlier` (`ValueError` without them); computes in float32."""
        if missing := [name for name in ("began", "inverse") if name not in earlier]:
            raise ValueError(f"the landmark_generator phase needs {missing[0]} before it in config.phases")
        super().__init__(settings, faces, dtype, earlier)
        found = earlier["inverse"].state.variables
        self._began, state = earlier["began"]
        self._frozen = {
            "z": jnp.asarray(found["z"]),
            "known": jnp.asarray(found["error"]) >= 0,  # other images have no z: they are masked out
            "networks": self._began.networks(state),
        }
        self._network = LandmarkGenerator(faces.scheme.count)
        self._optimizers = {"landmark_generator": optimizers.make(settings.optimizer, settings.steps)}

    def init(self, key: jax.Array, batch: Batch) -> TrainState:
        """See `Phase`."""
        del batch
        params = initial_variables(self._network, key, jnp.zeros((1, LATENT)))["params"]
        return TrainState.create({"landmark_generator": params}, self._optimizers, frozen=self._frozen)

    def train_step(
        self, state: TrainState, batch: Batch, key: jax.Array, variant: Hashable = None
    ) -> tuple[TrainState, Metrics]:
        """See `Phase`. Metrics: squares (Eq. 4), over the inverted images of all devices."""
        z, known = self._of(state, batch)
        if self.settings.noise:
            keys = example_keys(key, len(z))
            z = z + self.settings.noise * jax.vmap(lambda key: jax.random.normal(key, (LATENT,)))(keys)

        def loss(params: Any):
            found = self._network.apply({"params": params["landmark_generator"]}, z)
            squares = dsnt.average(losses.landmarks(found, jnp.asarray(batch["landmarks"])), known, DATA_AXIS)
            return squares, ({"squares": squares}, None)

        state, metrics, _ = state.descend(self._optimizers, loss, "landmark_generator")
        return state.finished_step(), metrics

    def eval_step(self, state: TrainState, batch: Batch) -> Metrics:
        """See `Phase`. Metrics: nme (mean distance divided by the distance between the outer eye corners), squares.

        For inverted training images: see the module.
        """
        z, known = self._of(state, batch)
        found, target = self.landmarks(state, z), jnp.asarray(batch["landmarks"])
        metrics = {"nme": nme(found, target, self.faces.scheme), "squares": losses.landmarks(found, target)}
        return {name: dsnt.average(values, known) for name, values in metrics.items()}

    def sample_images(self, state: TrainState, batch: Batch) -> Mapping[str, Array]:
        """See `Phase`. Each row: a training image with landmarks (green), and its z's generated face and landmarks."""
        batch = {name: jnp.asarray(batch[name])[:_ROWS] for name in self.keys}
        z, _ = self._of(state, batch)
        generated = jnp.clip(self._began.generate(state.frozen["networks"], z), -1, 1)
        generated = with_dots(generated, self.landmarks(state, z), (1.0, 1.0, -1.0))
        return {"landmarks": jnp.stack([with_dots(batch["image"], batch["landmarks"]), generated], 1)}

    def landmarks(self, state: TrainState, z: Latent) -> Float[Array, "batch n 2"]:
        """Landmarks in [0, 1] of the faces that the generator renders from z."""
        return self._network.apply({"params": state.params["landmark_generator"]}, z)

    def _of(self, state: TrainState, batch: Batch) -> tuple[Latent, Bool[Array, " batch"]]:
        """The z of training images, and the mask of inverted images."""
        index = jnp.asarray(batch["index"])
        return state.frozen["z"][index], state.frozen["known"][index]
