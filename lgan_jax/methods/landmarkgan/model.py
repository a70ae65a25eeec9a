"""The LandmarkGAN model for inference: converts landmarks between identities and renders faces from them."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float32

from lgan_jax import checks
from lgan_jax.core import FaceInfo
from lgan_jax.methods.landmarkgan import shape_model
from lgan_jax.methods.landmarkgan.generator import LandmarksPhase
from lgan_jax.methods.landmarkgan.reference import ReferencePhase
from lgan_jax.nn.chunks import detect_in_chunks, in_chunks
from lgan_jax.training.train_state import TrainState

Target = str | int | np.integer | Sequence[str | int | np.integer] | np.ndarray


class LandmarkGAN:
    """Converts landmarks between identities, renders faces from landmarks, and detects landmarks in faces.

    Every method takes any number of leading axes, processes them in chunks of a fixed size (so only two shapes are
    compiled), and returns a numpy array. A target is a name of `info.identities`, an index into it, or a sequence of
    names or indices, one for each landmark set in row-major order.

    Attributes:
      info: landmark scheme, image size and identities of the model.
      constraint: converted landmarks are clamped to this many standard deviations of the target's training frames; 0
        disables the constraint.
      state: the final state of the phase that trained the generators, for inference.
    """

    def __init__(self, info: FaceInfo, phase: LandmarksPhase, state: TrainState) -> None:
        """Builds the model from the phase that trained the generators ("generator" or "joint") and its final state."""
        self.info, self._phase = info, phase
        self.state = state.for_use("converter").replace(variables={})
        self.constraint = phase.settings.constraint
        self._synthesize, self._detect = jax.jit(phase.synthesize), jax.jit(phase.detect)
        self._conversions = {True: jax.jit(phase.convert), False: jax.jit(phase.unconstrained)}
        self._clamped = jax.jit(phase.clamped)

    def convert(
        self, landmarks: ArrayLike, target: Target, constrain: bool = True, driver: Target | None = None
    ) -> Float32[np.ndarray, "*batch n 2"]:
        """Converts any person's landmarks `(..., N, 2)` in [0, 1] to `target`: Ψ_t(Φ(L)), or in closed form.

        With `constrain` they are clamped to the range of the target's training frames (see `constraint`). `driver` says
        whose landmarks they are, if one of the identities' (as `target`): conversion in closed form then subtracts this
        identity's face shape, in the place of an estimate from each frame. Φ takes everybody's landmarks alike.

        Raises:
          ValueError: landmarks do not have the scheme's shape or are in pixels, or the target or driver is unknown.
        """
        landmarks = self._checked_landmarks(landmarks)
        return self._for_targets(
            self._conversions[bool(constrain)], landmarks, target, self._drivers(driver, landmarks)
        )

    def clamped(
        self, landmarks: ArrayLike, target: Target, driver: Target | None = None
    ) -> Float32[np.ndarray, "*batch"]:
        """The share in [0, 1] of the converted landmarks' offset from the mean face that the constraint removes.

        It is 0 within the range of the target's training frames, and for a run without a constraint. See
        `shape_model.clamped`.

        Raises:
          ValueError: landmarks do not have the scheme's shape, or the target or driver is unknown.
        """
        landmarks = self._checked_landmarks(landmarks)
        return self._for_targets(self._clamped, landmarks, target, self._drivers(driver, landmarks))

    def synthesize(
        self,
        landmarks: ArrayLike,
        target: Target,
        convert: bool = True,
        constrain: bool = True,
        driver: Target | None = None,
    ) -> Float32[np.ndarray, "*batch size size 3"]:
        """Renders faces of `target`, RGB in [-1, 1], with the expression and pose of landmarks `(..., N, 2)` in [0, 1].

        With `convert`, the landmarks are converted to the target first by the method `convert`, which takes
        `constrain` and `driver`; without it they are used unchanged.

        Raises:
          ValueError: landmarks do not have the scheme's shape or are in pixels, or the target or driver is unknown.
        """
        landmarks = self._checked_landmarks(landmarks, checks.REACH if convert else checks.FAR)
        if convert:
            landmarks = self.convert(landmarks, target, constrain, driver)
        return self._for_targets(self._synthesize, landmarks, target)

    def with_person(self, name: str, images: ArrayLike, landmarks: ArrayLike) -> LandmarkGAN:
        """Adds one identity, the last target, from some reference frames, without training; returns a new model.

        Args:
          name: name of the person, not in `info.identities`.
          images: frames `(k, size, size, 3)`, RGB in [-1, 1], at least two, cropped like the training frames.
          landmarks: landmarks of the frames, `(k, N, 2)` in [0, 1].

        Raises:
          ValueError: the name is taken, the frames have another shape or are fewer than two, or the run's generator has
            the form "landmarks", which renders its training identities only.
        """
        self.check_takes_people()
        size = self.info.size
        images = checks.images(images, None, size, size, 3, what="frames")
        landmarks = self._checked_landmarks(landmarks)
        if name in self.info.identities:
            raise ValueError(f"this run already has an identity {name!r}: give the new person another name")
        if len(images) != len(landmarks) or landmarks.ndim != 3 or len(landmarks) < 2:
            raise ValueError(
                f"frames have the shape {images.shape} and landmarks {landmarks.shape}; expected "
                f"(k, {size}, {size}, 3) and (k, {self.info.scheme.count}, 2), k at least 2"
            )
        other = copy.copy(self)
        other.info = dataclasses.replace(self.info, identities=(*self.info.identities, name))
        other.state = jax.jit(self._phase.with_person)(self.state, jnp.asarray(images), jnp.asarray(landmarks))
        return other

    def without_people(self) -> LandmarkGAN:
        """A model without identities; add some by `with_person`. Raises `ValueError` as `with_person` does."""
        self.check_takes_people()
        other = copy.copy(self)
        other.info = dataclasses.replace(self.info, identities=())
        other.state = self._phase.without_people(self.state)
        return other

    def check_takes_people(self) -> None:
        """Raises `ValueError` (one line) if the run's identities are fixed, so `with_person` would always fail."""
        if not isinstance(self._phase, ReferencePhase):
            raise ValueError(
                "this run's generator renders its training identities only: train one with "
                "--config.generator.form=reference (as configs/celebv.py:cpu and :quick do) to add a person"
            )
        self._phase.check_closed_form()

    @property
    def in_closed_form(self) -> bool:
        """Whether a statistical shape model converts landmarks, as `with_driver` needs, not a trained network."""
        return self._phase.converter is None

    def with_driver(self, landmarks: ArrayLike) -> LandmarkGAN:
        """Adapts the conversion to one driving person, known or not, from landmarks `(k, N, 2)` of some frames.

        Its conversions separate the driver's face shape from pose and expression by all of these frames, not by each
        frame alone; see `shape_model.with_driver`.

        Raises:
          ValueError: landmarks have another shape, or the run has a trained converter.
        """
        landmarks = self._checked_landmarks(landmarks)
        if not self.in_closed_form:
            raise ValueError("this run converts landmarks by a trained network, which treats frames independently")
        if landmarks.ndim != 3 or not len(landmarks):
            raise ValueError(f"a driver's landmarks have the shape {landmarks.shape}; expected (k, N, 2), k at least 1")
        other = copy.copy(self)
        frozen = self.state.frozen
        shape = shape_model.with_driver(frozen["shape"], jnp.asarray(landmarks))
        other.state = self.state.replace(frozen={**frozen, "shape": shape})
        return other

    def detect(self, images: ArrayLike) -> Float32[np.ndarray, "*batch n 2"]:
        """Detects landmarks in [0, 1] in faces `(..., size, size, 3)` in [-1, 1], by the run's own detector.

        Raises:
          ValueError: images have another size, or values outside [-1, 1].
        """
        return detect_in_chunks(lambda chunk: self._detect(self.state, chunk), images, self.info)

    def _for_targets(self, apply: Callable, landmarks: np.ndarray, target: Target, *more: np.ndarray) -> np.ndarray:
        """Applies `apply(state, landmarks, target, *more)` to each landmark set, batched by target."""
        leading, count = landmarks.shape[:-2], self.info.scheme.count
        flat = landmarks.reshape(-1, count, 2)
        targets = self._indices(target, len(flat))
        one = jax.ShapeDtypeStruct((1, count, 2), jnp.float32)
        shape = jax.eval_shape(apply, self.state, one, jnp.int32(0), *(each[:1] for each in more)).shape
        outputs = np.empty((len(flat), *shape[1:]), np.float32)
        for index in np.unique(targets):
            mask = targets == index
            chosen = [each[mask] for each in more]
            outputs[mask] = in_chunks(
                lambda chunk, *rest, i=index: apply(self.state, chunk, jnp.int32(i), *rest), flat[mask], *chosen
            )
        return outputs.reshape(*leading, *shape[1:])

    def _checked_landmarks(self, landmarks: ArrayLike, reach: float = checks.REACH) -> np.ndarray:
        scheme = self.info.scheme
        return checks.landmarks(landmarks, scheme.count, 2, scheme=scheme.name, leading=True, reach=reach)

    def _drivers(self, driver: Target | None, landmarks: np.ndarray) -> np.ndarray:
        """The driver's index for each landmark set, `(count,)`; `shape_model.UNKNOWN` for None."""
        count = math.prod(landmarks.shape[:-2])
        known = np.full(count, shape_model.UNKNOWN) if driver is None else self._indices(driver, count)
        return known.astype(np.int32)

    def _indices(self, target: Target, count: int) -> np.ndarray:
        """The target's index for each landmark set, `(count,)`."""
        if isinstance(target, str | int | np.integer):
            return np.full(count, self._index(target))
        targets = np.array([self._index(one) for one in target], np.int64)
        if len(targets) != count:
            raise ValueError(f"there are {len(targets)} targets for {count} landmark sets; give one, or one for each")
        return targets

    def _index(self, target: Any) -> int:
        names = self.info.identities
        if not names:
            raise ValueError("this run has no identities, as its frames were stripped: add a person by `with_person`")
        if isinstance(target, str) and target in names:
            return names.index(target)
        if isinstance(target, int | np.integer) and 0 <= target < len(names):
            return int(target)
        raise ValueError(f"unknown target {target!r}; the targets are {', '.join(names)} (0 … {len(names) - 1})")
