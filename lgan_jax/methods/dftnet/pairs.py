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

from lgan_jax import optimizers
from lgan_jax.core import Batch, FaceInfo, Finished, Metrics, example_keys, folded
from lgan_jax.losses.reconstruction import l1
from lgan_jax.methods.dftnet import editing, losses
from lgan_jax.methods.dftnet.editing import ROWS, EditingPhase, Keys
from lgan_jax.methods.dftnet.networks import Edited, GANimation
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
        """See `Phase`. Metrics: the losses of `_losses`, and total."""
        keys = example_keys(key, len(batch["image"]))
        source, target = self.sources_and_targets(batch, keys)

        def loss(params: Any):
            edited = self._edited(params["generator"], source["image"], target["action_units"])
            return self._weighted(self._losses(edited, source, target))

        return self._step_of_generator(state, loss)

    def sources_and_targets(self, batch: Batch, keys: Keys) -> tuple[Batch, Batch]:
        """Sources and targets, see `dealt`; an eighth has the source as target, with its own action units."""
        arrays = {name: jnp.asarray(batch[name]) for name in self.keys}
        arrays["image"] = jax.vmap(self._mirrored, (1, None), 1)(arrays["image"], keys)
        return dealt(arrays, keys, _SAME)

    def _losses(self, edited: Edited, source: Batch, target: Batch) -> Metrics:
        emphasis = self.settings.emphasis
        return {
            "pair": losses.pair(edited.image, source["image"], target["image"], emphasis),
            "pair_texture": losses.pair(edited.texture, source["image"], target["image"], emphasis),
            "total_variation": losses.total_variation(edited.flow),
            "attention": losses.attention(edited.attention),
        }

    def eval_step(self, state: TrainState, batch: Batch) -> Metrics:
        """See `Phase`. Edits the first image of each pair to the second image's action units.

        Metrics: l1 (of the generated and the second image, on [0, 1]), l1_source (of the first and the second image),
        ssim (of the generated and the second image), and those of `EditingPhase` for the first images.
        """
        image, units = jnp.asarray(batch["image"]), jnp.asarray(batch["action_units"])
        generated = self.edit(state, image[:, 0], units[:, 1]).image
        return {
            **super().eval_step(state, {"image": image[:, 0], "action_units": units[:, 0]}),
            "l1": l1(generated, image[:, 1]) / 2,
            "l1_source": l1(image[:, 0], image[:, 1]) / 2,
            "ssim": jnp.mean(dm_pix.ssim((generated + 1) / 2, (image[:, 1] + 1) / 2)),
        }

    def sample_images(self, state: TrainState, batch: Batch) -> Mapping[str, jax.Array]:
        """See `Phase`. Each row: both images of a pair, warped source, texture, attention, generated face."""
        image, units = (jnp.asarray(batch[name])[:ROWS] for name in ("image", "action_units"))
        return {"edited": self._parts_grid(state, image[:, 0], image[:, 1], units[:, 1])}


class BaselinePairsPhase(PairsPhase):
    """The phase that trains GANimation's generator on pairs."""

    network = GANimation


def dealt(arrays: Batch, keys: Keys, same: float) -> tuple[Batch, Batch]:
    """Sources and targets: either image of each pair is the source, and the other the target.

    With probability `same`, the source itself is the target.
    """
    rows = jnp.arange(len(keys))
    first = jax.vmap(jax.random.bernoulli)(folded(keys, 1)).astype(int)
    alike = jax.vmap(jax.random.bernoulli, (0, None))(folded(keys, 2), same)
    second = jnp.where(alike, first, 1 - first)
    source, target = ({name: each[rows, side] for name, each in arrays.items()} for side in (first, second))
    return source, target
