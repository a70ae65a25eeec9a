"""A statistical shape model of landmarks: closed-form conversion between persons, and the active-shape constraint.

The model of one frame's landmarks is x = μ + b + e: the mean face μ of all persons, the person's face shape
b ~ N(0, B), and pose and expression e ~ N(0, W) (probabilistic linear discriminant analysis; Prince & Elder, ICCV
2007). So one frame of any person, known or not, separates pose and expression from face shape:
E[e | x] = W (W + B)⁻¹ (x − μ). The converted landmarks are the target's mean face plus e. MarioNETte's landmark
transformer (Ha et al., AAAI 2020) has the same decomposition, with a network that estimates e. Several frames of one
driver improve the estimate of b (`with_driver`), and every added person improves W and B (`with_person`).

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
OF_PEOPLE = ("people", "directions", "deviations")  # fields with an axis of persons
_INDEPENDENT = 8  # largest effective number of independent frames in a recording: adjacent frames are similar


@flax.struct.dataclass
class ShapeModel:
    """Statistics of I persons.

    Attributes:
      count: number of persons that μ, W and B are estimated from.
      mean: μ, `(2N,)`.
      within: W, `(2N, 2N)`: the covariance of pose and expression, pooled over persons.
      between: B, `(2N, 2N)`: the covariance of face shapes.
      expression: W (W + B)⁻¹, `(2N, 2N)`.
      people: μ + b of each person, `(I, 2N)`.
      directions: principal directions of each person's frames, `(I, 2N, D)`, orthonormal columns.
      deviations: standard deviation along each, `(I, D)`.
      driver: μ + b of the driving person, `(2N,)`, or None if unknown; see `with_driver`.
    """

    count: Any
    mean: Any
    within: Any
    between: Any
    expression: Any
    people: Any
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
    shapes = people - mean[None]
    between = shapes.T @ shapes / max(count - 1, 1) + _diagonal(mean, _PERSON_STD)
    directions, deviations = jax.lax.map(lambda covariance: _principal(covariance, within, frames), own)
    expression = _expression(within, between)
    return ShapeModel(jnp.float32(count), mean, within, between, expression, people, directions, deviations)


def with_person(model: ShapeModel, landmarks: Float[Array, "frames n 2"]) -> ShapeModel:
    """Adds one person, the last, and updates μ, W and B; returns the new model.

    Every added person improves the separation of face shape from pose and expression. The result equals a fit to all
    persons (Welford's update of mean and covariance).
    """
    flat = landmarks.reshape(landmarks.shape[0], -1)
    person, count = flat.mean(0), model.count + 1
    residuals = flat - person[None]
    own = residuals.T @ residuals / len(flat)
    floor = _diagonal(person, _PERSON_STD)
    mean = model.mean + (person - model.mean) / count
    within = model.within + (own + _diagonal(person, _NOISE) - model.within) / count
    scatter = (model.between - floor) * jnp.maximum(count - 2, 1) + jnp.outer(person - model.mean, person - mean)
    between = scatter / jnp.maximum(count - 1, 1) + floor
    directions, deviations = _principal(own, within, len(flat))

    def joined(known: Array, new: Array) -> Array:
        return jnp.concatenate([known, new[None]])

    return model.replace(
        count=count,
        mean=mean,
        within=within,
        between=between,
        expression=_expression(within, between),
        people=joined(model.people, person),
        directions=joined(model.directions, directions),
        deviations=joined(model.deviations, deviations),
    )


def convert(model: ShapeModel, landmarks: Float[Array, "batch n 2"], target: Any) -> Float[Array, "batch n 2"]:
    """Converts any person's landmarks to the person of index `target`."""
    flat = landmarks.reshape(len(landmarks), -1)
    driven = flat - (model.mean if model.driver is None else model.driver)[None]
    change = driven @ model.expression.T if model.driver is None else driven
    return (model.people[target][None] + change).reshape(landmarks.shape)


def with_driver(model: ShapeModel, landmarks: Float[Array, "frames n 2"]) -> ShapeModel:
    """Adapts the model to one driver with some known frames: `convert` then subtracts this driver's own face shape.

    The posterior mean of the shape given the mean d of x − μ over k independent frames is B (B + W/k)⁻¹ d. k is the
    number of frames, at most 8, as adjacent frames are similar; k = 1 gives the conversion of a single frame. The
    residual of each frame, e = x − μ − b, is pose and expression.
    """
    offset = landmarks.reshape(len(landmarks), -1).mean(0) - model.mean
    independent = min(len(landmarks), _INDEPENDENT)
    shape = model.between @ jnp.linalg.solve(model.between + model.within / independent, offset)
    return model.replace(driver=model.mean + shape)


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


def _principal(covariance: Array, within: Array, frames: int) -> tuple[Array, Array]:
    """Principal directions and standard deviations of a person's covariance, regularized by the pooled covariance."""
    regularized = (frames * covariance + _POOLED * within) / (frames + _POOLED)
    variances, directions = jnp.linalg.eigh(regularized)
    count = min(_DIRECTIONS, len(variances))
    return directions[:, ::-1][:, :count], jnp.sqrt(jnp.maximum(variances[::-1][:count], 0))


def _expression(within: Array, between: Array) -> Array:
    """W (W + B)⁻¹, which equals ((W + B)⁻¹ W)⊤ for symmetric matrices."""
    return jnp.linalg.solve(within + between, within).T


def _diagonal(vector: Array, std: float) -> Array:
    """The covariance of independent coordinates with standard deviation `std`, of the vector's size."""
    return std**2 * jnp.eye(vector.shape[-1])
