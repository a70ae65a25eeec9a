"""A statistical model of landmarks: conversion in closed form, and the active-shape constraint.

Landmarks of one frame are modeled as x = μ + b + e: the mean face μ of everybody, the person's shape b ~ N(0, B) and
pose and expression e ~ N(0, W) (probabilistic linear discriminant analysis; Prince & Elder, ICCV 2007). So one frame of
anybody, known or not, tells pose and expression apart from the shape of the face: E[e | x] = W (W + B)⁻¹ (x − μ). The
converted landmarks are those of the target's mean face plus e. MarioNETte's landmark transformer (Ha et al., AAAI 2020)
has the same decomposition with e found by a network. Several frames of one driver tell b better than one does
(`with_driver`), and every person who is added makes W and B better (`with_person`).

The constraint is that of active shape models (Cootes et al., CVIU 1995): landmarks are projected onto the principal
directions of the target's own frames, and each coefficient is held within a multiple of its standard deviation.

Landmarks are `(..., N, 2)` in [0, 1]; inside, a face is a vector of 2N numbers.
"""

from __future__ import annotations

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

_PERSON_DEVIATION = 5e-3  # a person's shape deviates at least so much (in image widths) in every direction of B
_NOISE = 6e-3  # standard deviation of W, in image widths, in directions that no frame shows
_POOLED = 30  # frames that the pooled covariance counts for beside a person's own
_DIRECTIONS = 40  # principal directions of a person that are kept
OF_PEOPLE = ("people", "directions", "deviations")  # fields that hold something of each person
_INDEPENDENT = 8  # frames of a recording count for so many independent ones at most: neighbors are alike


@flax.struct.dataclass
class ShapeModel:
    """The statistics, of I people.

    Attributes:
      count: how many people μ, W and B are of.
      mean: μ, `(2N,)`.
      within: W, `(2N, 2N)`: the covariance of pose and expression, pooled over people.
      between: B, `(2N, 2N)`: the covariance of the shapes of faces.
      expression: W (W + B)⁻¹, `(2N, 2N)`.
      people: μ + b of each person, `(I, 2N)`.
      directions: principal directions of each person's frames, `(I, 2N, D)`, orthonormal columns.
      deviations: standard deviation along each, `(I, D)`.
      driver: μ + b of the one person who drives, `(2N,)`, where that is known; see `with_driver`.
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
    """The model of some frames of each person."""
    frames, count = landmarks.shape[:2]
    flat = landmarks.reshape(frames, count, -1)
    people = flat.mean(0)
    mean, residuals = people.mean(0), flat - people[None]
    own = jnp.einsum("fip,fiq->ipq", residuals, residuals) / frames
    within = own.mean(0) + _diagonal(mean, _NOISE)
    shapes = people - mean[None]
    between = shapes.T @ shapes / max(count - 1, 1) + _diagonal(mean, _PERSON_DEVIATION)
    directions, deviations = jax.lax.map(lambda covariance: _principal(covariance, within, frames), own)
    expression = _expression(within, between)
    return ShapeModel(jnp.float32(count), mean, within, between, expression, people, directions, deviations)


def with_person(model: ShapeModel, landmarks: Float[Array, "frames n 2"]) -> ShapeModel:
    """The model with one more person, the last, of whom μ, W and B learn as well.

    So with every person that is added, shapes of faces are told from pose and expression better, as if all had been
    known from the start (Welford's update of mean and covariance).
    """
    flat = landmarks.reshape(landmarks.shape[0], -1)
    person, count = flat.mean(0), model.count + 1
    residuals = flat - person[None]
    own = residuals.T @ residuals / len(flat)
    floor = _diagonal(person, _PERSON_DEVIATION)
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
    """Anybody's landmarks as the person of index `target` would have them."""
    flat = landmarks.reshape(len(landmarks), -1)
    driven = flat - (model.mean if model.driver is None else model.driver)[None]
    change = driven @ model.expression.T if model.driver is None else driven
    return (model.people[target][None] + change).reshape(landmarks.shape)


def with_driver(model: ShapeModel, landmarks: Float[Array, "frames n 2"]) -> ShapeModel:
    """The model for one driver, of whom some frames are known: `convert` then subtracts this person's own shape.

    The posterior mean of the shape given the mean d of x − μ over k independent frames is B (B + W/k)⁻¹ d. k is the
    number of frames, and 8 at most, as neighboring frames are alike; at k = 1 the conversion is that of a single
    frame. What is left of each frame, e = x − μ − b, is pose and expression.
    """
    deviation = landmarks.reshape(len(landmarks), -1).mean(0) - model.mean
    independent = min(len(landmarks), _INDEPENDENT)
    shape = model.between @ jnp.linalg.solve(model.between + model.within / independent, deviation)
    return model.replace(driver=model.mean + shape)


def constrain(
    model: ShapeModel, landmarks: Float[Array, "batch n 2"], target: Any, limit: float
) -> Float[Array, "batch n 2"]:
    """Landmarks held where the person of index `target` has been: ±`limit` standard deviations in every direction."""
    _, held = _coefficients(model, landmarks, target, limit)
    return (model.people[target][None] + held @ model.directions[target].T).reshape(landmarks.shape)


def clamped(
    model: ShapeModel, landmarks: Float[Array, "batch n 2"], target: Any, limit: float
) -> Float[Array, " batch"]:
    """How much of the landmarks' deviation from the target's mean face `constrain` takes away, as a share in [0, 1].

    The length of what is cut off from the coefficients, over their length. It is 0 for landmarks that lie within the
    limit in every direction.
    """
    coefficients, held = _coefficients(model, landmarks, target, limit)
    length = jnp.linalg.norm(coefficients, axis=-1)
    return jnp.linalg.norm(coefficients - held, axis=-1) / jnp.maximum(length, jnp.finfo(length.dtype).tiny)


def _coefficients(model: ShapeModel, landmarks: Array, target: Any, limit: float) -> tuple[Array, Array]:
    """Coefficients `(batch, D)` along the target's principal directions, and the same within the limit."""
    deviation = landmarks.reshape(len(landmarks), -1) - model.people[target][None]
    coefficients = deviation @ model.directions[target]
    bound = limit * model.deviations[target][None]
    return coefficients, jnp.clip(coefficients, -bound, bound)


def _principal(covariance: Array, within: Array, frames: int) -> tuple[Array, Array]:
    """Principal directions and standard deviations of a person's covariance, regularized by the pooled one."""
    regularized = (frames * covariance + _POOLED * within) / (frames + _POOLED)
    variances, directions = jnp.linalg.eigh(regularized)
    kept = min(_DIRECTIONS, len(variances))
    return directions[:, ::-1][:, :kept], jnp.sqrt(jnp.maximum(variances[::-1][:kept], 0))


def _expression(within: Array, between: Array) -> Array:
    """W (W + B)⁻¹, which is ((W + B)⁻¹ W)⊤ of symmetric matrices."""
    return jnp.linalg.solve(within + between, within).T


def _diagonal(vector: Array, deviation: float) -> Array:
    """The covariance of independent numbers of that standard deviation, as many as the vector has."""
    return deviation**2 * jnp.eye(vector.shape[-1])
