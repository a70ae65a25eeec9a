"""Training phase of the generator on pairs: two images of one person with different expressions, before D_A.

Wang et al. train without pairs: D_C and D_A supervise the generator, for days. Pairs supervise every pixel of an edit,
so minutes of training suffice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping
from typing import Any

import dm_pix
import jax
import jax.numpy as jnp
from jaxtyping import Array

from lgan_jax import optimizers
from lgan_jax.core import Batch, FaceInfo, Finished, Metrics, example_keys, folded
from lgan_jax.losses.reconstruction import l1
from lgan_jax.methods.dftnet import editing, losses
from lgan_jax.methods.dftnet.editing import ROWS, EditingPhase
from lgan_jax.methods.dftnet.networks import GANimation
from lgan_jax.training.train_state import TrainState

_SAME = 1 / 8  # share of examples with the source as target, with its own action units


@dataclasses.dataclass(frozen=True)
class Settings(editing.Settings):
    """Settings of the pairs phase: see `editing.Settings`. It uses the weights of pairs and of Eq. 9 and 10.

    Attributes:
      emphasis: see `losses.pair`.
    """

    steps: int = 20_000
    batch_size: int = 25
    emphasis: float = 10.0


class PairsPhase(EditingPhase):
    """The phase that trains the generator of DFT-Net on pairs."""

    Settings = Settings
    grouping = "pairs"

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """See `EditingPhase`."""
        trained = {"generator": optimizers.make(settings.optimizer, settings.steps)}
        super().__init__(settings, faces, dtype, earlier.get("regressor"), None, trained)

    def train_step(
        self, state: TrainState, batch: Batch, key: jax.Array, variant: Hashable = None
    ) -> tuple[TrainState, Metrics]:
        """See `Phase`. Metrics: pair, pair_texture, total_variation, attention and total."""
        images, units = (jnp.asarray(batch[name]) for name in self.keys)
        keys = example_keys(key, len(images))
        images = jax.vmap(self._mirrored, (1, None), 1)(images, keys)
        rows = jnp.arange(len(images))
        first = jax.vmap(jax.random.bernoulli)(folded(keys, 1)).astype(int)
        same = jax.vmap(jax.random.bernoulli, (0, None))(folded(keys, 2), _SAME)
        second = jnp.where(same, first, 1 - first)
        source, target, target_units = images[rows, first], images[rows, second], units[rows, second]

        def loss(params: Any):
            edited = self._edited(params["generator"], source, target_units)
            metrics = {
                "pair": losses.pair(edited.image, source, target, self.settings.emphasis),
                "pair_texture": losses.pair(edited.texture, source, target, self.settings.emphasis),
                "total_variation": losses.total_variation(edited.flow),
                "attention": losses.attention(edited.attention),
            }
            return self._weighted(metrics)

        return self._step_of_generator(state, loss)

    def eval_step(self, state: TrainState, batch: Batch) -> Metrics:
        """See `Phase`. Edits the first image of each pair to the second image's action units.

        Metrics: l1 (of the generated and the second image, on [0, 1]), l1_source (of the first and the second image),
        ssim (of the generated and the second image), and those of `EditingPhase` for the first images.
        """
        image, units = (jnp.asarray(batch[name]) for name in self.keys)
        generated = self.edit(state, image[:, 0], units[:, 1]).image
        return {
            **super().eval_step(state, {"image": image[:, 0], "action_units": units[:, 0]}),
            "l1": l1(generated, image[:, 1]) / 2,
            "l1_source": l1(image[:, 0], image[:, 1]) / 2,
            "ssim": jnp.mean(dm_pix.ssim((generated + 1) / 2, (image[:, 1] + 1) / 2)),
        }

    def sample_images(self, state: TrainState, batch: Batch) -> Mapping[str, Array]:
        """See `Phase`. Each row: both images of a pair, warped source, texture, attention, generated face."""
        image, units = (jnp.asarray(batch[name])[:ROWS] for name in self.keys)
        return {"edited": self._parts_grid(state, image[:, 0], image[:, 1], units[:, 1])}


class BaselinePairsPhase(PairsPhase):
    """The phase that trains GANimation's generator on pairs."""

    network = GANimation
