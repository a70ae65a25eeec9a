"""Training phase of BEGAN (Bazrafkan et al., Eq. 1 and 2; Berthelot et al. 2017): generates faces from z in [-1, 1].

The discriminator is an auto-encoder, and its reconstruction error is its score. k balances the two networks.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax import config, optimizers
from lgan_jax.core import DATA_AXIS, Batch, FaceInfo, Finished, Metrics, example_keys
from lgan_jax.methods.began import losses
from lgan_jax.methods.began.autoencoder import check_size, started_from
from lgan_jax.methods.began.networks import LATENT, AutoEncoder, Decoder, Image, Latent
from lgan_jax.nn.initialisers import initial_variables
from lgan_jax.training.phase import Phase
from lgan_jax.training.train_state import TrainState, ema_update, warmed_up

_ROWS = 8  # rows of the sample images
_SMOOTHING = 0.99  # EMA decay of the convergence measure
_ALIKE = 0.3  # mode collapse below this standard deviation of generated faces, relative to real faces
_RISEN = 1.5  # divergence above this multiple of the lowest convergence measure
_ADAM = optimizers.Adam(learning_rate=1e-4, b1=0.5, b2=0.999)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the began phase.

    Attributes:
      steps: number of training steps.
      batch_size: images per step.
      optimizer: settings of both networks' optimizers.
      width, skips: see `networks.Decoder`.
      gamma, lambda_k: γ and λ_k of Eq. 2.
      k: initial k of Eq. 2.
      norm: norm of Eq. 1: "squared" (the paper) or "absolute" (Berthelot et al.).
      ema_decay: decay of the exponential moving average (EMA) of the weights, which inference and evaluation use; at
        step n at most (1 + n) / (10 + n).
    """

    steps: int = 200_000
    batch_size: int = 16
    optimizer: optimizers.Settings = _ADAM
    width: int = 64
    skips: bool = False
    gamma: float = 0.5
    lambda_k: float = 0.001
    k: float = 0.0
    norm: losses.Norm = "squared"
    ema_decay: float = 0.999

    def __post_init__(self) -> None:
        if not 0 < self.gamma <= 1:
            raise ValueError(f"gamma is {self.gamma}; it must be above 0 and at most 1")
        config.within(self, 0, 1, "k", "ema_decay")
        config.within(self, 1, math.inf, "steps", "batch_size", "width")
        config.within(self, 0, math.inf, "lambda_k")


class BEGANPhase(Phase):
    """The phase that trains D and G.

    Its state has the `params` of `autoencoder` (D) and `generator` (G), the EMA of `generator`, and three variables:
    `k` of Eq. 2; `convergence`, an EMA of the convergence measure; and `lowest`, the EMA's minimum.
    """

    Settings = Settings
    grouping = "single"
    keys = ("image",)

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """Starts from the phase `autoencoder` if `earlier` has it; `dtype` is the dtype of computations.

        Raises `ValueError` for an unsupported image size, and if the networks differ from the `autoencoder` phase's.
        """
        check_size(faces.size)
        super().__init__(settings, faces, dtype, earlier)
        self.generator = Decoder(faces.size, settings.width, settings.skips, dtype)
        self.autoencoder = AutoEncoder(LATENT, faces.size, settings.width, settings.skips, dtype)
        self._trained = earlier.get("autoencoder")
        if self._trained:
            other = self._trained.phase.settings
            if (settings.width, settings.skips) != (other.width, other.skips):
                raise ValueError("width and skips of config.began must equal those of config.autoencoder")
        optimizer = optimizers.make(settings.optimizer, settings.steps)
        self._optimizers = dict.fromkeys(("autoencoder", "generator"), optimizer)

    def init(self, key: jax.Array, batch: Batch) -> TrainState:
        """See `Phase`."""
        del batch
        params = started_from(self._trained.state) if self._trained else self._initial_params(key)
        balance = {"k": jnp.full((), self.settings.k), "convergence": jnp.zeros(()), "lowest": jnp.full((), jnp.inf)}
        return TrainState.create(params, self._optimizers, ("generator",), balance)

    def train_step(
        self, state: TrainState, batch: Batch, key: jax.Array, variant: Hashable = None
    ) -> tuple[TrainState, Metrics]:
        """See `Phase`. Both networks take one step, from the same generated faces (z_D = z_G).

        One backward pass computes the gradients of L_D and L_G: the gradient of L(G(z)) is scaled by −k for D's
        parameters and unchanged for G's.
        Metrics: real (L(x)), generated (L(G(z))), k, convergence, variation (see `_varied`).
        """
        image = jnp.asarray(batch["image"])
        z = uniform(example_keys(key, len(image)))
        norm, gamma, variables = self.settings.norm, self.settings.gamma, state.variables

        def loss(params: Mapping[str, Any]):
            generated = self.generator.apply({"params": params["generator"]}, z)
            real_error = losses.reconstruction(norm, image, self._decoded(params["autoencoder"], image))
            against = _with_gradient(params["autoencoder"], -variables["k"])
            generated_error = losses.reconstruction(norm, generated, self._decoded(against, generated))
            metrics = {"real": real_error, "generated": generated_error, **_varied(image, generated, DATA_AXIS)}
            return real_error + generated_error, (metrics, None)

        after, metrics, _ = state.descend(self._optimizers, loss, *self._optimizers)
        real, generated = metrics["real"], metrics["generated"]
        k = losses.balance(variables["k"], real, generated, gamma, self.settings.lambda_k)
        convergence = losses.convergence(real, generated, gamma)
        smoothed = ema_update(warmed_up(_SMOOTHING, state.step), variables["convergence"], convergence)
        lowest = jnp.minimum(variables["lowest"], smoothed)
        after = after.with_variables(k=k, convergence=smoothed, lowest=lowest)
        after = after.finished_step(warmed_up(self.settings.ema_decay, state.step))
        return after, {**metrics, "k": k, "convergence": convergence}

    def eval_step(self, state: TrainState, batch: Batch) -> Metrics:
        """See `Phase`. For validation faces, and as many faces generated by the EMA generator from fixed z.

        Metrics: real, generated, convergence, variation; risen: the training's smoothed convergence measure, relative
        to its minimum.
        """
        image = jnp.asarray(batch["image"])
        generated = self.generate(self.networks(state), self._shown(len(image)))
        norm, params, variables = self.settings.norm, state.params["autoencoder"], state.variables
        real_error, generated_error = (
            losses.reconstruction(norm, v, self._decoded(params, v)) for v in (image, generated)
        )
        return {
            "real": real_error,
            "generated": generated_error,
            "convergence": losses.convergence(real_error, generated_error, self.settings.gamma),
            **_varied(image, generated),
            "risen": jnp.where(jnp.isinf(variables["lowest"]), 1, variables["convergence"] / variables["lowest"]),
        }

    def warnings(self, metrics: Mapping[str, float]) -> tuple[str, ...]:
        """See `Phase`: mode collapse and divergence."""
        lines = []
        if metrics["variation"] < _ALIKE:
            lines.append(
                f"mode collapse, or training is too short: the standard deviation of generated faces is "
                f"{metrics['variation']:.2f} times that of real faces; if it decreased, lower the learning rate or "
                "raise config.began.gamma"
            )
        if metrics["risen"] > _RISEN:
            lines.append(
                f"divergence: the convergence measure is {metrics['risen']:.1f} times its minimum; "
                "lower the learning rate"
            )
        return tuple(lines)

    def sample_images(self, state: TrainState, batch: Batch) -> Mapping[str, Array]:
        """See `Phase`. Each row: a real face, its reconstruction by D, a generated face, and its reconstruction."""
        image = jnp.asarray(batch["image"])[:_ROWS]
        generated = self.generate(self.networks(state), self._shown(len(image)))
        params = state.params["autoencoder"]
        return {
            "faces": jnp.stack([image, self._decoded(params, image), generated, self._decoded(params, generated)], 1)
        }

    def networks(self, state: TrainState) -> dict[str, Any]:
        """The networks in a state that `generate` and `features` take."""
        return {"generator": state.ema["generator"], "encoder": state.params["autoencoder"]["encoder"]}

    def generate(self, networks: Mapping[str, Any], z: Latent) -> Image:
        """Generates faces, approximately in [-1, 1], by the EMA generator."""
        return self.generator.apply({"params": networks["generator"]}, z)

    def features(self, networks: Mapping[str, Any], image: Image) -> Latent:
        """Features of images by D's encoder."""
        variables = {"params": {"encoder": networks["encoder"]}}
        return self.autoencoder.apply(variables, image, method=lambda network, image: network.encoder(image))

    def _initial_params(self, key: jax.Array) -> dict[str, Any]:
        one, other = jax.random.split(key)
        image = jnp.zeros((1, self.faces.size, self.faces.size, 3))
        return {
            "autoencoder": initial_variables(self.autoencoder, one, image)["params"],
            "generator": initial_variables(self.generator, other, jnp.zeros((1, LATENT)))["params"],
        }

    def _decoded(self, params: Any, image: Image) -> Image:
        return self.autoencoder.apply({"params": params}, image)

    def _shown(self, count: int) -> Latent:
        return uniform(jax.vmap(jax.random.key)(jnp.arange(count)))


def uniform(keys: jax.Array) -> Float[Array, "batch latent"]:
    """Samples z, uniform in [-1, 1], one per key."""
    return jax.vmap(lambda key: jax.random.uniform(key, (LATENT,), minval=-1.0))(keys)


def _with_gradient(tree: Any, factor: Array) -> Any:
    """The identity function on `tree`, with its gradient scaled by `factor`."""
    return jax.tree.map(lambda x: factor * x + jax.lax.stop_gradient(x - factor * x), tree)


def _varied(real: Image, generated: Image, axis: str | None = None) -> Metrics:
    """The metric `variation`: standard deviation of generated faces' pixels over the batch, relative to real faces'.

    With `axis`, the mapped axis of devices, over the global batch.
    """

    def mean(image: Image) -> Array:
        return image.mean(0) if axis is None else jax.lax.pmean(image.mean(0), axis)

    images = jax.lax.stop_gradient((generated, real))
    spread = [jnp.sqrt(mean((image - mean(image)[None]) ** 2)).mean() for image in images]
    return {"variation": spread[0] / jnp.maximum(spread[1], 1e-6)}
