"""A statistical shape model of landmarks: closed-form conversion between persons, and the active-shape constraint.

The model of one frame's landmarks is x = μ + b + e: the mean face μ of all persons, the person's face shape
b ~ N(0, B), and pose and expression e ~ N(0, W) (probabilistic linear discriminant analysis; Prince & Elder, ICCV
2007). A person's mean over k independent frames is μ + b + noise of covariance W/k, so B is the covariance of the mean
faces less W/k, and a known person's shape is the posterior mean E[b | mean face], not the mean face, which also holds
the mean pose and expression of the recording. Conversion to a target is μ + b_target + e. Of a known driver, e is
x − μ − b_driver; of any other, one frame gives E[e | x] = W (W + B)⁻¹ (x − μ). MarioNETte's landmark transformer (Ha
et al., AAAI 2020) has the same decomposition, with a network that estimates e. Several frames of one driver improve the
estimate of b (`with_driver`), and every added person improves W and B (`with_person`).

The constraint is from active shape models (Cootes et al., CVIU 1995): landmarks are projected onto the principal
directions of the target's own frames, and each coefficient is clamped to a multiple of its standard deviation.

Landmarks are `(..., N, 2)` in [0, 1]; internally, a face is a vector of 2N coordinates.
"""

from __future__ import annotations

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

_PERSON_STD = 5e-3  # smallest standard deviation of B in any direction, in image widths
_NOISE = 6e-3  # standard deviation of W, in image widths, in directions without variance in the data
_POOLED = 30  # weight of the pooled covariance, as a number of the person's own frames
_DIRECTIONS = 40  # largest number of principal directions per person
UNKNOWN = -1  # index of a driver who is none of the model's persons
OF_PEOPLE = ("people", "shapes", "directions", "deviations")  # fields with an axis of persons
_INDEPENDENT = 4  # largest effective number of independent frames in a recording: adjacent frames are similar


@flax.struct.dataclass
class ShapeModel:
    """Statistics of I persons.

    Attributes:
      count: number of persons that μ, W and B are estimated from.
      mean: μ, `(2N,)`.
      within: W, `(2N, 2N)`: the covariance of pose and expression, pooled over persons.
      scatter: covariance of the persons' mean faces, `(2N, 2N)`.
      between: B, `(2N, 2N)`: the covariance of face shapes.
      expression: W (W + B)⁻¹, `(2N, 2N)`.
      people: mean face of each person, `(I, 2N)`.
      shapes: μ + b of each person, `(I, 2N)`.
      directions: principal directions of each person's frames, `(I, 2N, D)`, orthonormal columns.
      deviations: standard deviation along each, `(I, D)`.
      driver: μ + b of the driving person, `(2N,)`, or None if unknown; see `with_driver`.
    """

    count: Any
    mean: Any
    within: Any
    scatter: Any
    between: Any
    expression: Any
    people: Any
    shapes: Any
    directions: Any
    deviations: Any
    driver: Any = None


def fit(landmarks: Float[Array, "frames people n 2"]) -> ShapeModel:
    """Fits the model to some frames of each person."""
    frames, count = landmarks.shape[:2]
    flat = landmarks.reshape(frames, count, -1)
    people = flat.mean(0)
    mean, residuals = people.mean(0), flat - people[None]
    own = jnp.einsum("fip,fiq->ipq", residuals, residuals) / frames
    within = own.mean(0) + _diagonal(mean, _NOISE)
    offsets = people - mean[None]
    scatter = offsets.T @ offsets / max(count - 1, 1)
    directions, deviations = jax.lax.map(lambda covariance: _principal(covariance, within, frames), own)
    return _model(jnp.float32(count), mean, within, scatter, people, directions, deviations)


def with_person(model: ShapeModel, landmarks: Float[Array, "frames n 2"]) -> ShapeModel:
    """Adds one person, the last, and updates μ, W and B; returns the new model.

    Every added person improves the separation of face shape from pose and expression. The result equals a fit to all
    persons (Welford's update of mean and covariance).
    """
    flat = landmarks.reshape(landmarks.shape[0], -1)
    person, count = flat.mean(0), model.count + 1
    residuals = flat - person[None]
    own = residuals.T @ residuals / len(flat)
    mean = model.mean + (person - model.mean) / count
    within = model.within + (own + _diagonal(person, _NOISE) - model.within) / count
    scatter = model.scatter * jnp.maximum(count - 2, 1) + jnp.outer(person - model.mean, person - mean)
    directions, deviations = _principal(own, within, len(flat))

    def joined(known: Array, new: Array) -> Array:
        return jnp.concatenate([known, new[None]])

    people = joined(model.people, person)
    directions, deviations = joined(model.directions, directions), joined(model.deviations, deviations)
    extended = _model(count, mean, within, scatter / jnp.maximum(count - 1, 1), people, directions, deviations)
    return extended.replace(driver=model.driver)


def convert(
    model: ShapeModel, landmarks: Float[Array, "batch n 2"], target: Any, driver: Any = UNKNOWN
) -> Float[Array, "batch n 2"]:
    """Converts landmarks to the person of index `target`.

    `driver`, `(batch,)` or a scalar: the index of the person whose landmarks they are, or `UNKNOWN`, which means the
    person of `with_driver` or, without one, anybody.
    """
    flat = landmarks.reshape(len(landmarks), -1)
    anybody = (flat - model.mean[None]) @ model.expression.T if model.driver is None else flat - model.driver[None]
    known = jnp.broadcast_to(jnp.asarray(driver), flat.shape[:1])
    change = jnp.where((known == UNKNOWN)[:, None], anybody, flat - model.shapes[known])
    return (model.shapes[target][None] + change).reshape(landmarks.shape)


def with_driver(model: ShapeModel, landmarks: Float[Array, "frames n 2"]) -> ShapeModel:
    """Adapts the model to one driver with some known frames: `convert` then subtracts this driver's own face shape.

    The posterior mean of the shape given the mean d of x − μ over k independent frames is B (B + W/k)⁻¹ d. k is the
    number of frames, at most 4, as adjacent frames are similar; k = 1 gives the conversion of a single frame. The
    residual of each frame, e = x − μ − b, is pose and expression.
    """
    face = landmarks.reshape(len(landmarks), -1).mean(0)
    independent = min(len(landmarks), _INDEPENDENT)
    return model.replace(driver=_shapes(face[None], model.mean, model.within, model.between, independent)[0])


def constrain(
    model: ShapeModel, landmarks: Float[Array, "batch n 2"], target: Any, limit: float
) -> Float[Array, "batch n 2"]:
    """Clamps landmarks to ±`limit` standard deviations of the person of index `target` in every direction."""
    _, clipped = _coefficients(model, landmarks, target, limit)
    return (model.people[target][None] + clipped @ model.directions[target].T).reshape(landmarks.shape)


def clamped(
    model: ShapeModel, landmarks: Float[Array, "batch n 2"], target: Any, limit: float
) -> Float[Array, " batch"]:
    """The share in [0, 1] of the landmarks' offset from the target's mean face that `constrain` removes.

    It is the norm of the removed part of the coefficients, divided by the coefficients' norm. It is 0 for landmarks
    within the limit in every direction.
    """
    coefficients, clipped = _coefficients(model, landmarks, target, limit)
    length = jnp.linalg.norm(coefficients, axis=-1)
    return jnp.linalg.norm(coefficients - clipped, axis=-1) / jnp.maximum(length, jnp.finfo(length.dtype).tiny)


def _coefficients(model: ShapeModel, landmarks: Array, target: Any, limit: float) -> tuple[Array, Array]:
    """Coefficients `(batch, D)` along the target's principal directions, unclamped and clamped to the limit."""
    offset = landmarks.reshape(len(landmarks), -1) - model.people[target][None]
    coefficients = offset @ model.directions[target]
    bound = limit * model.deviations[target][None]
    return coefficients, jnp.clip(coefficients, -bound, bound)


def _model(
    count: Array, mean: Array, within: Array, scatter: Array, people: Array, directions: Array, deviations: Array
) -> ShapeModel:
    """The model of these statistics, with what follows from them: B, W (W + B)⁻¹ and the face shapes."""
    variances, axes = jnp.linalg.eigh(scatter - within / _INDEPENDENT)
    between = (axes * jnp.maximum(variances, 0)[None]) @ axes.T + _diagonal(mean, _PERSON_STD)
    expression = jnp.linalg.solve(within + between, within).T  # W (W + B)⁻¹, as both are symmetric
    shapes = _shapes(people, mean, within, between, _INDEPENDENT)
    return ShapeModel(
        count=count,
        mean=mean,
        within=within,
        scatter=scatter,
        between=between,
        expression=expression,
        people=people,
        shapes=shapes,
        directions=directions,
        deviations=deviations,
    )


def _shapes(faces: Array, mean: Array, within: Array, between: Array, independent: int) -> Array:
    """μ + B (B + W/k)⁻¹ (x̄ − μ): face shapes, by mean faces `(people, 2N)` over k independent frames."""
    gains = jnp.linalg.solve(between + within / independent, (faces - mean[None]).T)
    return mean[None] + (between @ gains).T


def _principal(covariance: Array, within: Array, frames: int) -> tuple[Array, Array]:
    """Principal directions and standard deviations of a person's covariance, regularized by the pooled covariance."""
    regularized = (frames * covariance + _POOLED * within) / (frames + _POOLED)
    variances, directions = jnp.linalg.eigh(regularized)
    count = min(_DIRECTIONS, len(variances))
    return directions[:, ::-1][:, :count], jnp.sqrt(jnp.maximum(variances[::-1][:count], 0))


def _diagonal(vector: Array, std: float) -> Array:
    """The covariance of independent coordinates with standard deviation `std`, of the vector's size."""
    return std**2 * jnp.eye(vector.shape[-1])
