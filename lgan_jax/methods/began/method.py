"""Training BEGAN (Bazrafkan et al., Eq. 1 and 2; Berthelot et al. 2017): faces out of numbers in [-1, 1].

The discriminator is an auto-encoder, and what it judges by is how well it decodes. k keeps the two in balance.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from lgan_jax import config, optimizers
from lgan_jax.core import DATA_AXIS, Batch, FaceInfo, Finished, Metrics, example_keys
from lgan_jax.methods.began import losses
from lgan_jax.methods.began.autoencoder import check_size, started_from
from lgan_jax.methods.began.networks import LATENT, AutoEncoder, Decoder, Image, Latent
from lgan_jax.nn.initialisers import initial_variables

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


@flax.struct.dataclass
class State:
    """Everything that training changes.

    Attributes:
      step: of this phase.
      params: of `autoencoder` (D) and `generator` (G).
      optimizer: its state.
      average: the generator that is used.
      k: of Eq. 2.
      convergence: the convergence measure, smoothed over some hundred steps.
      lowest: the lowest that `convergence` was.
    """

    step: Any  # scalar int32
    params: dict[str, Any]
    optimizer: Any
    average: Any
    k: Any
    convergence: Any
    lowest: Any


class Began:
    """The phase that trains D and G."""

    Settings = Settings
    grouping = "single"
    keys = ("image",)

    def __init__(self, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> None:
        """`dtype` is what to compute in. Of `earlier` phases it starts from `autoencoder`, where that is there.

        Raises `ValueError` for pictures of a size that the networks cannot take, and for other networks than `earlier`.
        """
        check_size(faces.size)
        self.settings, self.faces = settings, faces
        self._generator = Decoder(faces.size, settings.width, settings.skips, dtype)
        self._autoencoder = AutoEncoder(LATENT, faces.size, settings.width, settings.skips, dtype)
        self._trained = earlier.get("autoencoder")
        if self._trained:
            other = self._trained.method.settings
            if (settings.width, settings.skips) != (other.width, other.skips):
                raise ValueError("width and skips of config.began must be as in config.autoencoder, where it starts")
        self._optimizer = optimizers.make(settings.optimizer, settings.steps)

    def init(self, key: jax.Array, batch: Batch) -> State:
        """See `core.Method`."""
        del batch
        params = started_from(self._trained.state) if self._trained else self._drawn(key)
        return State(
            step=jnp.zeros((), jnp.int32),
            params=params,
            optimizer=self._optimizer.init(params),
            average=jax.tree.map(jnp.copy, params["generator"]),
            k=jnp.full((), self.settings.k),
            convergence=jnp.zeros(()),
            lowest=jnp.full((), jnp.inf),
        )

    def train_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Metrics]:
        """See `core.Method`. Both networks take one step, from the same made faces (z_D = z_G).

        The gradients of L_D and L_G come out of one backward pass: that of L(G(z)) reaches D's parameters times −k, and
        G's as it is.
        Metrics: real (L(x)), made (L(G(z))), k, convergence, variation (see `variation`).
        """
        image = jnp.asarray(batch["image"])
        z = uniform(example_keys(key, len(image)))
        norm, gamma = self.settings.norm, self.settings.gamma

        def loss(params: Mapping[str, Any]):
            made = self._generator.apply({"params": params["generator"]}, z)
            real_error = losses.reconstruction(norm, image, self._decoded(params["autoencoder"], image))
            against = _with_gradient(params["autoencoder"], -state.k)
            made_error = losses.reconstruction(norm, made, self._decoded(against, made))
            return real_error + made_error, {"real": real_error, "made": made_error, **_varied(image, made, DATA_AXIS)}

        gradients, metrics = jax.grad(loss, has_aux=True)(state.params)
        gradients, metrics = jax.lax.pmean((gradients, metrics), DATA_AXIS)
        real, made = metrics["real"], metrics["made"]
        k = losses.balance(state.k, real, made, gamma, self.settings.lambda_k)
        convergence = losses.convergence(real, made, gamma)
        updates, optimizer = self._optimizer.update(gradients, state.optimizer, state.params)
        params = optax.apply_updates(state.params, updates)
        smoothed = optimizers.averaged(_SMOOTHING, state.step, state.convergence, convergence)
        after = State(
            step=state.step + 1,
            params=params,
            optimizer=optimizer,
            average=optimizers.averaged(self.settings.ema_decay, state.step, state.average, params["generator"]),
            k=k,
            convergence=smoothed,
            lowest=jnp.minimum(state.lowest, smoothed),
        )
        return after, {**metrics, "k": k, "convergence": convergence}

    def eval_step(self, state: State, batch: Batch) -> Metrics:
        """See `core.Method`. Of validation faces, and of as many made by the averaged generator of the same z always.

        Metrics: real, made, convergence, variation; risen: the training's smoothed convergence measure over the lowest
        that it was.
        """
        image = jnp.asarray(batch["image"])
        made = self.generate(state, self._shown(len(image)))
        norm, params = self.settings.norm, state.params["autoencoder"]
        real_error, made_error = (losses.reconstruction(norm, v, self._decoded(params, v)) for v in (image, made))
        return {
            "real": real_error,
            "made": made_error,
            "convergence": losses.convergence(real_error, made_error, self.settings.gamma),
            **_varied(image, made),
            "risen": jnp.where(jnp.isinf(state.lowest), 1, state.convergence / state.lowest),
        }

    def remarks(self, figures: Mapping[str, float]) -> tuple[str, ...]:
        """See `core.Method`: mode collapse and divergence, where the figures of `eval_step` show them."""
        lines = []
        if figures["variation"] < _ALIKE:
            lines.append(
                f"mode collapse, or not trained for long: made faces differ {figures['variation']:.2f} times as much "
                "as real ones do; where it was more before, take a lower learning rate or a higher config.began.gamma"
            )
        if figures["risen"] > _RISEN:
            lines.append(
                f"divergence: the convergence measure is {figures['risen']:.1f} times what it was at its lowest; "
                "take a lower learning rate"
            )
        return tuple(lines)

    def pictures(self, state: State, batch: Batch) -> Mapping[str, Array]:
        """See `core.Method`: a real face, what D decodes of it, a made face, what D decodes of that, in a row."""
        image = jnp.asarray(batch["image"])[:_ROWS]
        made = self.generate(state, self._shown(len(image)))
        params = state.params["autoencoder"]
        return {"faces": jnp.stack([image, self._decoded(params, image), made, self._decoded(params, made)], 1)}

    def generate(self, state: State, z: Latent) -> Image:
        """Faces, about [-1, 1], by the averaged generator, of which only `average` is needed."""
        return self._generator.apply({"params": state.average}, z)

    def features(self, state: State, image: Image) -> Latent:
        """What D's encoder makes of pictures, of which only its parameters are needed."""
        variables = {"params": state.params["autoencoder"]}
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
