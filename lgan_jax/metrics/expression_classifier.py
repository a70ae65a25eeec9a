"""A small convolutional classifier of expressions: it evaluates generated faces, and shows what these add to real ones.

It is an ordinary one on purpose (3×3 convolutions of stride 2, group norm, dropout), since Table 4 of Li et al., IEEE
Access 2021, compares what it is trained on, not classifiers. Labels are indices into `action_units.EXPRESSIONS`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import cv2
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, UInt8

from lgan_jax import optimizers
from lgan_jax.action_units import EXPRESSIONS
from lgan_jax.media.images import resized
from lgan_jax.nn.chunks import in_chunks
from lgan_jax.nn.initialisers import initial_variables

SIDE = 48  # pixels a side of its input
_REACH = 1  # pixels by which faces, which are aligned, are moved while it learns
_DROPOUT = 0.25
_GROUPS = 4  # of the group norm

Gray = UInt8[np.ndarray, "n side side"]
Fetch = Callable[[Int[np.ndarray, " n"]], tuple[Gray, Int[np.ndarray, " n"]]]


@dataclasses.dataclass(frozen=True)
class Settings:
    """How it is trained.

    Attributes:
      steps: how many; the same whatever it is trained on.
      batch_size: faces a step.
      width: channels of the first of three convolutions, each of which has twice as many as the one before.
      learning_rate: of Adam, at its highest; it falls to 0 along a cosine.
    """

    steps: int = 800
    batch_size: int = 32
    width: int = 16
    learning_rate: float = 2e-3

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} of the expression classifier must be at least 1, not {getattr(self, name)}")
        if self.width < _GROUPS or self.width % _GROUPS:
            raise ValueError(f"width of the expression classifier must be a multiple of {_GROUPS}, not {self.width}")


class Network(nn.Module):
    """Three times a 3×3 convolution of stride 2, group norm and ReLU; dropout; one dense layer on the whole map.

    The map is not averaged: faces are aligned, and where something is seen tells brows from mouths.

    Attributes:
      width: channels of the first convolution.
    """

    width: int

    @nn.compact
    def __call__(self, faces: Float[Array, "n side side 1"], train: bool = False) -> Float[Array, "n expressions"]:
        """Logits of the expressions for gray faces of any range; each is first standardized."""
        x = faces - faces.mean((1, 2, 3), keepdims=True)
        x = x / (x.std((1, 2, 3), keepdims=True) + 1e-6)
        for level in range(3):
            x = nn.Conv(self.width * 2**level, (3, 3), (2, 2), use_bias=False)(x)
            x = nn.relu(nn.GroupNorm(_GROUPS)(x))
        x = nn.Dropout(_DROPOUT, deterministic=not train)(x.reshape(len(x), -1))
        return nn.Dense(len(EXPRESSIONS))(x)


class Classifier:
    """A trained network."""

    def __init__(self, settings: Settings, params: Any) -> None:
        """`params` are those of `Network`."""
        self.params, self._logits = params, _compiled(settings)[1]

    def __call__(self, faces: Gray) -> Int[np.ndarray, " n"]:
        """The expressions of `prepared` faces. Raises `ValueError` for what are no bytes."""
        if faces.dtype != np.uint8 or faces.shape[1:] != (SIDE, SIDE):
            raise ValueError(
                f"faces are {faces.dtype} {faces.shape}; expected bytes, (B, {SIDE}, {SIDE}), as `prepared` makes them"
            )
        return in_chunks(lambda chunk: self._logits(self.params, chunk), faces).argmax(-1)


def prepared(images: UInt8[np.ndarray, "n H W 3"]) -> Gray:
    """RGB images as the classifier takes them: gray, `SIDE` pixels a side."""
    gray = [cv2.cvtColor(resized(image, SIDE), cv2.COLOR_RGB2GRAY) for image in images]
    return np.stack(gray) if gray else np.zeros((0, SIDE, SIDE), np.uint8)


def train(
    count: int, fetch: Fetch, settings: Settings, seed: int, advance: Callable[[int], None] = lambda step: None
) -> Classifier:
    """Trains a classifier; equal arguments give equal weights on a CPU.

    Args:
      count: how many faces there are to learn from; every epoch goes through all in a new order.
      fetch: gives the faces, prepared, and labels of some of the `count`.
      settings: how.
      seed: of the weights' start, the order, dropout, and how faces are moved and mirrored.
      advance: called with the number of steps done after each.

    Raises:
      ValueError: there is no face.
    """
    if count < 1:
        raise ValueError("the expression classifier has no face to learn from")
    step, _ = _compiled(settings)
    first, key = jax.random.split(jax.random.key(seed))
    start = jnp.zeros((1, SIDE, SIDE, 1))
    params = initial_variables(Network(settings.width), first, start)["params"]
    moments = _optimizer(settings).init(params)
    order = _order(count, np.random.default_rng(seed))
    for number in range(settings.steps):
        faces, labels = fetch(np.array([next(order) for _ in range(settings.batch_size)]))
        params, moments = step(params, moments, faces, labels.astype(np.int32), jax.random.fold_in(key, number))
        advance(number + 1)
    return Classifier(settings, params)


def _order(count: int, rng: np.random.Generator):
    """Indices below `count` without end, epoch after epoch."""
    while True:
        yield from rng.permutation(count)


def _optimizer(settings: Settings) -> optax.GradientTransformation:
    adam = optimizers.Adam(learning_rate=settings.learning_rate, schedule=optimizers.Cosine())
    return optimizers.make(adam, settings.steps)


@functools.cache
def _compiled(settings: Settings) -> tuple[Callable, Callable]:
    """The step `(params, moments, faces, labels, key) → (params, moments)`, and `(params, faces) → logits`."""
    network, optimizer = Network(settings.width), _optimizer(settings)

    @jax.jit
    def step(params: Any, moments: Any, faces: Array, labels: Array, key: jax.Array) -> tuple[Any, Any]:
        movement, dropout = jax.random.split(key)
        moved = moved_and_mirrored(_in_range(faces), movement)

        def loss(params: Any) -> Array:
            logits = network.apply({"params": params}, moved, train=True, rngs={"dropout": dropout})
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

        updates, moments = optimizer.update(jax.grad(loss)(params), moments, params)
        return optax.apply_updates(params, updates), moments

    return step, jax.jit(lambda params, faces: network.apply({"params": params}, _in_range(faces)))


def _in_range(faces: Array) -> Float[Array, "n side side 1"]:
    return faces[..., None].astype(jnp.float32) / 255


def moved_and_mirrored(faces: Float[Array, "n side side 1"], key: jax.Array) -> Float[Array, "n side side 1"]:
    """Faces, each mirrored or not and moved by up to `_REACH` pixels, the border repeated."""
    mirror, shift = jax.random.split(key)
    faces = jnp.where(jax.random.bernoulli(mirror, shape=(len(faces), 1, 1, 1)), faces[:, :, ::-1], faces)
    wide = jnp.pad(faces, ((0, 0), (_REACH, _REACH), (_REACH, _REACH), (0, 0)), mode="edge")
    starts = jax.random.randint(shift, (len(faces), 2), 0, 2 * _REACH + 1)
    return jax.vmap(lambda face, at: jax.lax.dynamic_slice(face, (at[0], at[1], 0), faces.shape[1:]))(wide, starts)
