"""Training BEGAN (Bazrafkan et al., Eq. 1 and 2; Berthelot et al. 2017): faces out of numbers in [-1, 1].

The discriminator is an auto-encoder, and what it judges by is how well it decodes. k keeps the two in balance.
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

_ROWS = 8  # of the pictures to look at
_SMOOTHING = 0.99  # of the convergence measure, to see its trend
_ALIKE = 0.3  # made faces vary less than this share of what real ones do: mode collapse
_RISEN = 1.5  # times the lowest that the convergence measure was at: divergence
_ADAM = optimizers.Adam(learning_rate=1e-4, b1=0.5, b2=0.999)


@dataclasses.dataclass(frozen=True)
class Settings:
    """The began phase.

    Attributes:
      steps: how many.
      batch_size: pictures a step.
      optimizer: its fields, for both networks.
      width, skips: of the networks, see there.
      gamma, lambda_k: γ and λ_k of Eq. 2.
      k: of Eq. 2, to start with.
      norm: of Eq. 1: "squared" (the paper's) or "absolute" (Berthelot et al.).
      ema_decay: of the exponential moving average (EMA) of the weights, which is what is used and evaluated; at step n
        at most (1 + n) / (10 + n).
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

    Its state has the `params` of `autoencoder` (D) and `generator` (G), the EMA of `generator`, and the variables `k`,
    of Eq. 2; `convergence`, the convergence measure, smoothed over some hundred steps; and `lowest`, its least value.
    """

    Settings = Settings
    grouping = "single"
    keys = ("image",)

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """`dtype` is what to compute in. Of `earlier` phases it starts from `autoencoder`, where that is there.

        Raises `ValueError` for pictures of a size that the networks cannot take, and for other networks than `earlier`.
        """
        check_size(faces.size)
        super().__init__(settings, faces, dtype, earlier)
        self._generator = Decoder(faces.size, settings.width, settings.skips, dtype)
        self._autoencoder = AutoEncoder(LATENT, faces.size, settings.width, settings.skips, dtype)
        self._trained = earlier.get("autoencoder")
        if self._trained:
            other = self._trained.phase.settings
            if (settings.width, settings.skips) != (other.width, other.skips):
                raise ValueError("width and skips of config.began must be as in config.autoencoder, where it starts")
        optimizer = optimizers.make(settings.optimizer, settings.steps)
        self._optimizers = dict.fromkeys(("autoencoder", "generator"), optimizer)

    def init(self, key: jax.Array, batch: Batch) -> TrainState:
        """See `Phase`."""
        del batch
        params = started_from(self._trained.state) if self._trained else self._drawn(key)
        balance = {"k": jnp.full((), self.settings.k), "convergence": jnp.zeros(()), "lowest": jnp.full((), jnp.inf)}
        return TrainState.create(params, self._optimizers, ("generator",), balance)

    def train_step(
        self, state: TrainState, batch: Batch, key: jax.Array, variant: Hashable = None
    ) -> tuple[TrainState, Metrics]:
        """See `Phase`. Both networks take one step, from the same made faces (z_D = z_G).

        The gradients of L_D and L_G come out of one backward pass: that of L(G(z)) reaches D's parameters times −k, and
        G's as it is.
        Metrics: real (L(x)), made (L(G(z))), k, convergence, variation (see `variation`).
        """
        image = jnp.asarray(batch["image"])
        z = uniform(example_keys(key, len(image)))
        norm, gamma, variables = self.settings.norm, self.settings.gamma, state.variables

        def loss(params: Mapping[str, Any]):
            made = self._generator.apply({"params": params["generator"]}, z)
            real_error = losses.reconstruction(norm, image, self._decoded(params["autoencoder"], image))
            against = _with_gradient(params["autoencoder"], -variables["k"])
            made_error = losses.reconstruction(norm, made, self._decoded(against, made))
            metrics = {"real": real_error, "made": made_error, **_varied(image, made, DATA_AXIS)}
            return real_error + made_error, (metrics, None)

        after, metrics, _ = state.descend(self._optimizers, loss, *self._optimizers)
        real, made = metrics["real"], metrics["made"]
        k = losses.balance(variables["k"], real, made, gamma, self.settings.lambda_k)
        convergence = losses.convergence(real, made, gamma)
        smoothed = ema_update(warmed_up(_SMOOTHING, state.step), variables["convergence"], convergence)
        lowest = jnp.minimum(variables["lowest"], smoothed)
        after = after.with_variables(k=k, convergence=smoothed, lowest=lowest)
        after = after.finished_step(warmed_up(self.settings.ema_decay, state.step))
        return after, {**metrics, "k": k, "convergence": convergence}

    def eval_step(self, state: TrainState, batch: Batch) -> Metrics:
        """See `Phase`. Of validation faces, and of as many made by the generator's EMA of the same z always.

        Metrics: real, made, convergence, variation; risen: the training's smoothed convergence measure over the lowest
        that it was.
        """
        image = jnp.asarray(batch["image"])
        made = self.generate(self.networks(state), self._shown(len(image)))
        norm, params, variables = self.settings.norm, state.params["autoencoder"], state.variables
        real_error, made_error = (losses.reconstruction(norm, v, self._decoded(params, v)) for v in (image, made))
        return {
            "real": real_error,
            "made": made_error,
            "convergence": losses.convergence(real_error, made_error, self.settings.gamma),
            **_varied(image, made),
            "risen": jnp.where(jnp.isinf(variables["lowest"]), 1, variables["convergence"] / variables["lowest"]),
        }

    def warnings(self, metrics: Mapping[str, float]) -> tuple[str, ...]:
        """See `Phase`: mode collapse and divergence."""
        lines = []
        if metrics["variation"] < _ALIKE:
            lines.append(
                f"mode collapse, or not trained for long: made faces differ {metrics['variation']:.2f} times as much "
                "as real ones do; where it was more before, take a lower learning rate or a higher config.began.gamma"
            )
        if metrics["risen"] > _RISEN:
            lines.append(
                f"divergence: the convergence measure is {metrics['risen']:.1f} times what it was at its lowest; "
                "take a lower learning rate"
            )
        return tuple(lines)

    def sample_images(self, state: TrainState, batch: Batch) -> Mapping[str, Array]:
        """See `Phase`: a real face, what D decodes of it, a made face, what D decodes of that, in a row."""
        image = jnp.asarray(batch["image"])[:_ROWS]
        made = self.generate(self.networks(state), self._shown(len(image)))
        params = state.params["autoencoder"]
        return {"faces": jnp.stack([image, self._decoded(params, image), made, self._decoded(params, made)], 1)}

    def networks(self, state: TrainState) -> dict[str, Any]:
        """What `generate` and `features` need of a state."""
        return {"generator": state.ema["generator"], "encoder": state.params["autoencoder"]["encoder"]}

    def generate(self, networks: Mapping[str, Any], z: Latent) -> Image:
        """Faces, about [-1, 1], by the generator's EMA."""
        return self._generator.apply({"params": networks["generator"]}, z)

    def features(self, networks: Mapping[str, Any], image: Image) -> Latent:
        """The features that D's encoder finds in images."""
        variables = {"params": {"encoder": networks["encoder"]}}
        return self._autoencoder.apply(variables, image, method=lambda network, image: network.encoder(image))

    def _drawn(self, key: jax.Array) -> dict[str, Any]:
        one, other = jax.random.split(key)
        image = jnp.zeros((1, self.faces.size, self.faces.size, 3))
        return {
            "autoencoder": initial_variables(self._autoencoder, one, image)["params"],
            "generator": initial_variables(self._generator, other, jnp.zeros((1, LATENT)))["params"],
        }

    def _decoded(self, params: Any, image: Image) -> Image:
        return self._autoencoder.apply({"params": params}, image)

    def _shown(self, count: int) -> Latent:
        return uniform(jax.vmap(jax.random.key)(jnp.arange(count)))


def uniform(keys: jax.Array) -> Float[Array, "batch latent"]:
    """z, uniform in [-1, 1], one for each key."""
    return jax.vmap(lambda key: jax.random.uniform(key, (LATENT,), minval=-1.0))(keys)


def _with_gradient(tree: Any, factor: Array) -> Any:
    """The same numbers, which gradients reach times `factor`."""
    return jax.tree.map(lambda x: factor * x + jax.lax.stop_gradient(x - factor * x), tree)


def _varied(real: Image, made: Image, axis: str | None = None) -> Metrics:
    """variation: the standard deviation of made faces' pixels over the batch, as a share of that of real ones'.

    With the mapped axis `axis` of devices, over the batch of all of them.
    """

    def mean(image: Image) -> Array:
        return image.mean(0) if axis is None else jax.lax.pmean(image.mean(0), axis)

    images = jax.lax.stop_gradient((made, real))
    spread = [jnp.sqrt(mean((image - mean(image)[None]) ** 2)).mean() for image in images]
    return {"variation": spread[0] / jnp.maximum(spread[1], 1e-6)}
