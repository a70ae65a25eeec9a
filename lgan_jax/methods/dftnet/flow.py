"""Training phase of the flow alone, before texture and D_A.

Only warped pixels can reduce D_C's loss in this phase. A texture would reduce it faster with a pattern of colors, and
the flow would not be trained.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from lgan_jax import optimizers
from lgan_jax.core import Batch, FaceInfo, Finished, Metrics, example_keys
from lgan_jax.methods.dftnet import editing
from lgan_jax.methods.dftnet.editing import EditingPhase, Image, Units
from lgan_jax.methods.dftnet.networks import Edited
from lgan_jax.training.train_state import TrainState


@dataclasses.dataclass(frozen=True)
class Settings(editing.SampledTargets):
    """Settings of the flow phase: see `editing.SampledTargets`. It uses the weights of Eq. 7 to 9."""

    steps: int = 20_000
    batch_size: int = 25


class FlowPhase(EditingPhase):
    """The phase that trains E and F of DFT-Net for A = 1, with the regressor phase's D_C."""

    Settings = Settings
    _terms = ("condition", "cycle", "total_variation")

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """See `EditingPhase`. Also raises `ValueError` without an earlier regressor phase."""
        if "regressor" not in earlier:
            raise ValueError("the flow phase needs the regressor phase before it: list both in config.phases")
        trained = {"generator": optimizers.make(settings.optimizer, settings.steps)}
        super().__init__(settings, faces, dtype, earlier["regressor"], None, trained)

    def train_step(
        self, state: TrainState, batch: Batch, key: jax.Array, variant: Hashable = None
    ) -> tuple[TrainState, Metrics]:
        """See `Phase`. Metrics: condition, cycle, total_variation and total."""
        image, units = (jnp.asarray(batch[name]) for name in self.keys)
        keys = example_keys(key, len(image))
        return self.update_generator(state, self._mirrored(image, keys), units, keys)

    def _weighted(self, metrics: Metrics) -> tuple[jax.Array, tuple[Metrics, None]]:
        return super()._weighted({name: metrics[name] for name in self._terms})

    def _edited(self, params: Any, image: Image, units: Units) -> Edited:
        edited = super()._edited(params, image, units)
        return edited._replace(image=edited.aligned, attention=jnp.ones_like(edited.attention))
