"""A trained LandmarkGAN to work with: landmarks in, landmarks or faces out."""

from __future__ import annotations

import copy
import dataclasses
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
    """Converts landmarks between people, makes faces from them, and finds them in faces.

    Every method takes any number of leading axes, works through them in chunks of a fixed size (so that only two
    shapes are ever compiled), and returns a numpy array. A target is a name of `info.identities`, an index into it, or
    a sequence of either, one for each landmark set (for landmarks `(..., N, 2)`, of shape `(...)` once counted off).

    Attributes:
      info: the scheme and size of what it was trained on, and the people it knows.
      constraint: standard deviations of the target's training frames within which converted landmarks are held; 0 for
        none.
    """

    def __init__(self, info: FaceInfo, phase: LandmarksPhase, state: TrainState) -> None:
        """From the phase that trained the generators ("generator" or "joint") and its last state."""
        self.info, self._phase = info, phase
        self._state = state.for_use("converter").replace(variables={})
        self.constraint = phase.settings.constraint
        self._synthesize, self._detect = jax.jit(phase.synthesize), jax.jit(phase.detect)
        self._conversions = {True: jax.jit(phase.convert), False: jax.jit(phase.unconstrained)}
        self._clamped = jax.jit(phase.clamped)

    def convert(
        self, landmarks: ArrayLike, target: Target, constrain: bool = True
    ) -> Float32[np.ndarray, "*batch n 2"]:
        """Landmarks `(..., N, 2)` in [0, 1] of anybody, as `target` would have them: Ψ_t(Φ(L)), or in closed form.

        They are held where the target's training frames have been (see `constraint`) unless `constrain` is off.

        Raises:
          ValueError: for landmarks of another shape than the scheme's or in pixels, or a target that is not known.
        """
        return self._for_targets(self._conversions[bool(constrain)], self._checked_landmarks(landmarks), target)

    def clamped(self, landmarks: ArrayLike, target: Target) -> Float32[np.ndarray, "*batch"]:
        """How much of anybody's landmarks, converted to `target`, the constraint takes away: a share in [0, 1].

        It is 0 where they lie within the target's training frames, or the run has no constraint. See
        `shape_model.clamped`.

        Raises:
          ValueError: for landmarks of another shape than the scheme's, or a target that is not known.
        """
        return self._for_targets(self._clamped, self._checked_landmarks(landmarks), target)

    def synthesize(
        self, landmarks: ArrayLike, target: Target, convert: bool = True, constrain: bool = True
    ) -> Float32[np.ndarray, "*batch size size 3"]:
        """Faces of `target`, RGB in [-1, 1], with the expression and pose of landmarks `(..., N, 2)` in [0, 1].

        `convert` says to bring the landmarks to the target's face first, as the function of that name does with
        `constrain`; without it they are taken as they are.

        Raises:
          ValueError: for landmarks of another shape than the scheme's or in pixels, or a target that is not known.
        """
        landmarks = self._checked_landmarks(landmarks, checks.REACH if convert else checks.FAR)
        if convert:
            landmarks = self.convert(landmarks, target, constrain)
        return self._for_targets(self._synthesize, landmarks, target)

    def with_person(self, name: str, images: ArrayLike, landmarks: ArrayLike) -> LandmarkGAN:
        """A model that knows one more person, the last target, from some frames; nothing is trained.

        Args:
          name: of the person; none of `info.identities`.
          images: frames `(k, size, size, 3)`, RGB in [-1, 1], at least two, framed as the run's training frames are.
          landmarks: of the frames, `(k, N, 2)` in [0, 1].

        Raises:
          ValueError: for a name that is taken, frames of another shape, fewer than two, or a run whose generator has
            the form "landmarks", which makes only the people that it was trained on.
        """
        self.check_takes_people()
        size = self.info.size
        images = checks.images(images, None, size, size, 3, what="frames")
        landmarks = self._checked_landmarks(landmarks)
        if name in self.info.identities:
            raise ValueError(f"there is a {name!r} in this run already: give the new person another name")
        if len(images) != len(landmarks) or landmarks.ndim != 3 or len(landmarks) < 2:
            raise ValueError(
                f"frames have the shape {images.shape} and landmarks {landmarks.shape}; expected "
                f"(k, {size}, {size}, 3) and (k, {self.info.scheme.count}, 2), k at least 2"
            )
        other = copy.copy(self)
        other.info = dataclasses.replace(self.info, identities=(*self.info.identities, name))
        other._state = jax.jit(self._phase.with_person)(self._state, jnp.asarray(images), jnp.asarray(landmarks))
        return other

    def without_people(self) -> LandmarkGAN:
        """A model that knows nobody, until `with_person` adds somebody. Raises `ValueError` as that does."""
        self.check_takes_people()
        other = copy.copy(self)
        other.info = dataclasses.replace(self.info, identities=())
        other._state = self._phase.without_people(self._state)
        return other

    def check_takes_people(self) -> None:
        """Raises `ValueError`, one line, for a run whose people are fixed: `with_person` would refuse any frames."""
        if not isinstance(self._phase, ReferencePhase):
            raise ValueError(
                "this run's generator makes only the people it was trained on: train one with "
                "--config.generator.form=reference (as configs/celebv.py:cpu and :quick do) to add a person"
            )
        self._phase.check_closed_form()

    @property
    def in_closed_form(self) -> bool:
        """Whether landmarks are converted by statistics of shape, as `with_driver` needs, not by a trained network."""
        return self._phase.converter is None

    def with_driver(self, landmarks: ArrayLike) -> LandmarkGAN:
        """A model for the landmarks of one driver, known or not, of whom some frames `(k, N, 2)` are given.

        Its conversions tell the driver's shape from pose and expression by all of these frames, not by each alone; see
        `shape_model.with_driver`.

        Raises:
          ValueError: for landmarks of another shape, or a run with a trained converter.
        """
        landmarks = self._checked_landmarks(landmarks)
        if not self.in_closed_form:
            raise ValueError("this run converts landmarks by a trained network, which takes each frame alone")
        if landmarks.ndim != 3 or not len(landmarks):
            raise ValueError(f"a driver's landmarks have the shape {landmarks.shape}; expected (k, N, 2), k at least 1")
        other = copy.copy(self)
        frozen = self._state.frozen
        shape = shape_model.with_driver(frozen["shape"], jnp.asarray(landmarks))
        other._state = self._state.replace(frozen={**frozen, "shape": shape})
        return other

    def detect(self, images: ArrayLike) -> Float32[np.ndarray, "*batch n 2"]:
        """Landmarks in [0, 1] of faces `(..., size, size, 3)` in [-1, 1], by the detector that training used.

        Raises:
          ValueError: for images of another size, or outside [-1, 1].
        """
        return detect_in_chunks(lambda chunk: self._detect(self._state, chunk), images, self.info)

    def _for_targets(self, apply: Callable, landmarks: np.ndarray, target: Target) -> np.ndarray:
        """`apply(state, landmarks, target)` to each landmark set for its target, together for those that share one."""
        leading, count = landmarks.shape[:-2], self.info.scheme.count
        flat = landmarks.reshape(-1, count, 2)
        targets = self._indices(target, len(flat))
        shape = jax.eval_shape(apply, self._state, jax.ShapeDtypeStruct((1, count, 2), jnp.float32), jnp.int32(0)).shape
        made = np.empty((len(flat), *shape[1:]), np.float32)
        for index in np.unique(targets):
            those = targets == index
            made[those] = in_chunks(lambda chunk, index=index: apply(self._state, chunk, jnp.int32(index)), flat[those])
        return made.reshape(*leading, *shape[1:])

    def _checked_landmarks(self, landmarks: ArrayLike, reach: float = checks.REACH) -> np.ndarray:
        scheme = self.info.scheme
        return checks.landmarks(landmarks, scheme.count, 2, scheme=scheme.name, leading=True, reach=reach)

    def _indices(self, target: Target, count: int) -> np.ndarray:
        """One index `(count,)` for each landmark set."""
        if isinstance(target, str | int | np.integer):
            return np.full(count, self._index(target))
        targets = np.array([self._index(one) for one in target], np.int64)
        if len(targets) != count:
            raise ValueError(f"there are {len(targets)} targets for {count} landmark sets; give one, or one for each")
        return targets

    def _index(self, target: Any) -> int:
        names = self.info.identities
        if not names:
            raise ValueError("this run knows nobody, as its frames were stripped: add a person by `with_person`")
        if isinstance(target, str) and target in names:
            return names.index(target)
        if isinstance(target, int | np.integer) and 0 <= target < len(names):
            return int(target)
        raise ValueError(f"there is no target {target!r}; the targets are {', '.join(names)} (0 … {len(names) - 1})")
