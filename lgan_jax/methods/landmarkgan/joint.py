"""The joint phase of LandmarkGAN: trains converter, generators and discriminators together, coupled by Eq. 6."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax import optimizers
from lgan_jax.core import Batch, FaceInfo, Finished, Metrics
from lgan_jax.methods.landmarkgan import converter, generator, health
from lgan_jax.methods.landmarkgan.converter import ConverterPhase, partner_shift
from lgan_jax.training.train_state import TrainState


@dataclasses.dataclass(frozen=True)
class Settings(generator.Settings):
    """Settings of the joint phase: the generator phase's fields, and the converter's.

    Attributes:
      converter_optimizer: settings of the converter's optimizer.
      converter_width: width of the converter's hidden layers; an earlier converter phase's value has precedence.
      converter_start: see `converter.Settings.start`; an earlier converter phase's value has precedence.
      converter_weights: weights of the converter's losses, Eq. 4 and 5; an earlier phase's value has precedence.
    """

    converter_optimizer: optimizers.Settings = converter.Settings.optimizer
    converter_width: int = converter.Settings.width
    converter_start: Literal["kaiming", "shift"] = converter.Settings.start
    converter_weights: converter.Weights = converter.Settings.weights


class JointPhase(generator.LandmarksPhase):
    """The phase that minimises Eq. 1 jointly.

    Eq. 2 and 3 compare Θ_t(L_t) with I_t, as in the generator phase. The generated face of Eq. 6 and of feature
    matching is Θ_t(Ψ_t(Φ(L_s))) with a random s ≠ t in each step (Liu et al. compare unpaired faces), so both losses
    train Φ and Ψ_t. With one identity, s = t.
    """

    Settings = Settings
    settings: Settings
    section = "joint"

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """See `LandmarksPhase`; a finished "converter" phase in `earlier` initialises the converter."""
        if settings.form != "landmarks":
            raise ValueError(
                f"joint trains converter and generator together, which the form {settings.form!r} does not support: "
                'set config.joint.form="landmarks", or use the phases detector and generator'
            )
        super().__init__(settings, faces, dtype, earlier)
        self._optimizers["converter"] = converter.make_optimizer(settings.converter_optimizer, settings.steps)

    def _make_converter(self, earlier: Mapping[str, Finished]) -> tuple[ConverterPhase, Any]:
        if "converter" in earlier:
            return super()._make_converter(earlier)
        settings = converter.Settings(
            width=self.settings.converter_width,
            start=self.settings.converter_start,
            weights=self.settings.converter_weights,
        )
        return ConverterPhase(settings, self.faces, jnp.float32, {}), None

    def _initial_converter(self, key: jax.Array, landmarks: generator.Landmarks) -> Any:
        return self.converter.initial(key, landmarks) if self._converter_params is None else self._converter_params

    def _generator_loss(
        self, trained: Any, state: TrainState, batch: Batch, key: jax.Array, *, adversarial: bool
    ) -> tuple[Float[Array, ""], tuple[Metrics, generator.Images]]:
        landmarks, count = batch["landmarks"], len(self.faces.identities)
        shift = partner_shift(key, count)
        converter_loss, converter_metrics = self.converter.loss(trained["converter"], landmarks, shift)
        inputs = [landmarks]
        if adversarial:
            inputs.append(self.converter.from_others(trained["converter"], landmarks, shift))
        generated = self._rendered(state, trained["generators"], health.finite_gradient(jnp.concatenate(inputs)))
        reconstructed, transferred = jnp.split(generated, [len(landmarks)])
        metrics: dict[str, Array] = self._reconstruction(state, batch["image"], landmarks, reconstructed)
        if adversarial:
            metrics |= self._gan(state, batch["image"], transferred)
        total = self._weighted(metrics)
        metrics |= {**converter_metrics, "total": total + converter_metrics["total"]}
        return total.sum() + converter_loss, (metrics, transferred)
