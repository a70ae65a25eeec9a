"""Training phase of the linear model of expressions (`linear`): ridge regression on registered pairs.

Each step adds its pairs to the normal equations and solves them. A few hundred steps on a CPU suffice, and there is no
learning rate. All of it is in the state's variables.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import dm_pix
import jax
import jax.numpy as jnp
import numpy as np

from lgan_jax import action_units, config
from lgan_jax.core import DATA_AXIS, Batch, FaceInfo, Finished, Metrics, example_keys
from lgan_jax.losses.reconstruction import l1
from lgan_jax.methods.dftnet import linear
from lgan_jax.methods.dftnet.editing import ROWS, Image, Units
from lgan_jax.methods.dftnet.linear import Landmarks, Linear
from lgan_jax.methods.dftnet.networks import Edited
from lgan_jax.methods.dftnet.pairs import dealt
from lgan_jax.methods.dftnet.registered import changed, registered
from lgan_jax.ops import augment
from lgan_jax.ops.norms import safe_norm
from lgan_jax.training.phase import Phase
from lgan_jax.training.train_state import TrainState

_POINTS = 68
_MIRRORED = dataclasses.replace(augment.NONE, mirror=True)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the linear phase.

    Attributes:
      steps: number of steps; so many batches of pairs are seen.
      batch_size: pairs per step.
      augmentation: augmentation of both images of a pair alike; mirroring makes the model symmetric.
      ridge: λ of the landmarks' regression, in squared features.
      ridge_texture: λ of the colors' regression.
      strength: factor of each action unit's displacements, in the library's order. Noisy labels make the coefficients
        of units that are rarely strong in training too small.
    """

    steps: int = 400
    batch_size: int = 8
    augmentation: augment.Settings = _MIRRORED
    ridge: float = 0.006
    ridge_texture: float = 0.06
    strength: tuple[float, ...] = (1.0,) * len(action_units.NUMBERS)

    def __post_init__(self) -> None:
        config.within(self, 1, math.inf, "steps", "batch_size")
        for name in ("ridge", "ridge_texture"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name):g}; it must be above 0")
        if len(self.strength) != len(action_units.NUMBERS) or not all(value > 0 for value in self.strength):
            raise ValueError(f"strength is {self.strength}; it must be {len(action_units.NUMBERS)} numbers above 0")


class LinearPhase(Phase):
    """The phase that fits `linear.Linear`, with the regressor phase's D_C for action units.

    Its state has `discriminator` in `params`; `variables` has the `moments` of the regression and the `linear` model.
    """

    Settings = Settings
    grouping = "pairs"
    keys = ("image", "action_units", "landmarks")

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """See `Phase`. Raises `ValueError` without an earlier regressor phase, and for another scheme than iBUG's."""
        if "regressor" not in earlier:
            raise ValueError("the linear phase needs the regressor phase before it: list both in config.phases")
        if faces.scheme.name != "ibug68":
            raise ValueError(f"the linear phase needs ibug68 landmarks; these data have {faces.scheme.name}")
        super().__init__(settings, faces, dtype, earlier)
        self._regressor = earlier["regressor"]

    def init(self, key: jax.Array, batch: Batch) -> TrainState:
        """See `Phase`. Coefficients start at zero: nothing changes."""
        del key, batch
        features, side = linear.FEATURES, linear.SIDE
        openings = len(linear.OPENINGS)
        moments = {
            "count": jnp.zeros(()),
            "features": jnp.zeros((features, features)),
            "displacement": jnp.zeros((features, 2 * _POINTS)),
            "texture": jnp.zeros((features, 3 * side * side)),
            "quality": jnp.zeros(openings),
        }
        model = Linear(
            jnp.zeros((features, _POINTS, 2)),
            jnp.zeros((features, side, side, 3)),
            jnp.zeros((openings, linear.ROWS, linear.COLUMNS, 3)),
            jnp.zeros(openings, bool),
        )
        discriminator = jax.tree.map(jnp.copy, self._regressor.state.ema["discriminator"])
        variables = {"moments": moments, "linear": model._asdict()}
        return TrainState.create({"discriminator": discriminator}, {}, (), variables)

    def train_step(
        self, state: TrainState, batch: Batch, key: jax.Array, variant: Hashable = None
    ) -> tuple[TrainState, Metrics]:
        """See `Phase`. Metrics of the model before the step: landmarks (mean error, image widths)."""
        keys = example_keys(key, len(batch["image"]))
        source, target = dealt({name: jnp.asarray(batch[name]) for name in self.keys}, keys, 0.0)
        target = _over(target, source, self.faces)
        source, target = (
            changed(face, keys, self.settings.augmentation, self.faces.scheme) for face in (source, target)
        )
        change = linear.features(source["action_units"], target["action_units"])
        model = Linear(**state.variables["linear"])
        shown = linear.moved(source["landmarks"], jnp.einsum("bf,fnc->bnc", change, model.displacement))
        metrics = {"landmarks": jnp.mean(safe_norm(shown - target["landmarks"]))}
        before, _ = linear.on_reference(source["image"], source["landmarks"])
        after, offset = linear.on_reference(target["image"], target["landmarks"])
        moves = target["landmarks"] - source["landmarks"]
        moments = _added(state.variables["moments"], change, moves, after - before)
        mouths = linear.mouths(target["image"], target["landmarks"], after, offset)
        fitted = self._fitted(moments)
        fitted["mouths"], moments["quality"] = _best(model.mouths, moments["quality"], mouths)
        fitted["known"] = moments["quality"] > 0
        state = state.with_variables(moments=moments, linear=fitted)
        return state.finished_step(), jax.lax.pmean(metrics, DATA_AXIS)

    def _fitted(self, moments: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """The coefficients that solve the normal equations, of upper and lower face with their own units each."""
        points, rows = linear.upper_face()
        upper, lower, colors = map(linear.columns, (linear.UPPER, linear.LOWER, linear.UPPER_COLORS))
        ridge, side = self.settings.ridge, linear.SIDE
        strength = jnp.tile(jnp.array(self.settings.strength), 2).reshape(-1, 1, 1)
        moves = [_solved(moments, "displacement", each, ridge).reshape(-1, _POINTS, 2) for each in (upper, lower)]
        ridge = self.settings.ridge_texture
        above, below = (_solved(moments, "texture", each, ridge).reshape(-1, side, side, 3) for each in (colors, lower))
        return {
            "displacement": strength * jnp.where(points.reshape(1, -1, 1), *moves),
            "texture": below + rows.reshape(1, -1, 1, 1) * (above - below),
        }

    def eval_step(self, state: TrainState, batch: Batch) -> Metrics:
        """See `Phase`. Edits the first image of each pair to the second image's action units, both as labeled.

        Metrics: l1 (of the generated and the second image, on [0, 1]), l1_source (of the first and the second image),
        ssim (of the generated and the second image), landmarks (mean error, image widths), action_units (mean absolute
        difference of D_C's estimates for the first image and its labels).
        """
        arrays = {name: jnp.asarray(batch[name]) for name in self.keys}
        source, target = ({name: each[:, side] for name, each in arrays.items()} for side in (0, 1))
        target = _over(target, source, self.faces)
        generated = self.edit(
            state, source["image"], target["action_units"], source["action_units"], source["landmarks"]
        )
        change = linear.features(source["action_units"], target["action_units"])
        displacement = jnp.asarray(state.variables["linear"]["displacement"])
        shown = linear.moved(source["landmarks"], jnp.einsum("bf,fnc->bnc", change, displacement))
        return {
            "l1": l1(generated.image, target["image"]) / 2,
            "l1_source": l1(source["image"], target["image"]) / 2,
            "ssim": jnp.mean(dm_pix.ssim((generated.image + 1) / 2, (target["image"] + 1) / 2)),
            "landmarks": jnp.mean(safe_norm(shown - target["landmarks"])),
            "action_units": l1(self.estimate(state, source["image"]), source["action_units"]),
        }

    def sample_images(self, state: TrainState, batch: Batch) -> Mapping[str, jax.Array]:
        """See `Phase`. Each row: both images of a pair, warped source, texture, attention, generated face."""
        image, units, landmarks = (jnp.asarray(batch[name])[:ROWS] for name in self.keys)
        edited = self.edit(state, image[:, 0], units[:, 1], units[:, 0], landmarks[:, 0])
        attention = jnp.broadcast_to(2 * edited.attention - 1, edited.image.shape)
        cells = [image[:, 0], image[:, 1], edited.aligned, edited.texture, attention, edited.image]
        return {"edited": jnp.stack(cells, 1)}

    def edit(self, state: TrainState, image: Image, units: Units, own: Units, landmarks: Landmarks) -> Edited:
        """Edits faces in [-1, 1] with action units `own` and `landmarks` to other action units."""
        return linear.edited(Linear(**state.variables["linear"]), image, linear.features(own, units), landmarks)

    def notes(self, state: TrainState) -> Sequence[str]:
        """See `Phase`."""
        count = int(np.sum(np.asarray(state.variables["linear"]["known"])))
        return (f"the run holds the insides of {count} mouths from training photos, and shows them where lips part",)

    def estimate(self, state: TrainState, image: Image) -> Units:
        """D_C's estimates of the action units of faces in [-1, 1]."""
        return self._regressor.phase.seen(state.params["discriminator"], image)


def _over(target: Batch, source: Batch, faces: FaceInfo) -> Batch:
    """Targets brought over their sources; see `registered`."""
    image, landmarks = registered(target["image"], target["landmarks"], source["landmarks"], faces.scheme)
    return {**target, "image": image, "landmarks": landmarks}


def _added(
    moments: Mapping[str, jax.Array], change: jax.Array, moves: jax.Array, colors: jax.Array
) -> dict[str, jax.Array]:
    """The moments with those of a batch, over all devices: features, displacements and changes of colors."""
    own = {
        "count": jnp.asarray(len(change), jnp.float32),
        "features": change.T @ change,
        "displacement": change.T @ moves.reshape(len(change), -1),
        "texture": change.T @ colors.reshape(len(change), -1),
    }
    own = jax.lax.psum(own, DATA_AXIS)
    return {**moments, **{name: moments[name] + value for name, value in own.items()}}


def _solved(moments: Mapping[str, jax.Array], name: str, columns: np.ndarray, ridge: float) -> jax.Array:
    """The coefficients of some features that solve the normal equations; zero for the others."""
    left = moments["features"][np.ix_(columns, columns)] + ridge * moments["count"] * jnp.eye(len(columns))
    return jnp.zeros_like(moments[name]).at[columns].set(jnp.linalg.solve(left, moments[name][columns]))


def _best(
    stored: jax.Array, quality: jax.Array, mouths: tuple[jax.Array, jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """For each opening the best mouth so far, and how good it is, over all devices; `mouths` as `linear.mouths`."""
    shown, good, bins = jax.lax.all_gather(mouths, DATA_AXIS, tiled=True)
    slots = jnp.arange(len(quality))
    of_slot = jnp.where(bins[:, None] == slots[None], good[:, None], -1.0)
    first, best = jnp.argmax(of_slot, 0), jnp.max(of_slot, 0)
    better = best > quality
    return jnp.where(better.reshape(-1, 1, 1, 1), shown[first], stored), jnp.where(better, best, quality)
