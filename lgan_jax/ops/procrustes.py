"""The similarity transform between two sets of corresponding points, in least squares.

Transforms are `(..., 2, 3)` matrices [cR | t] in the frame and unit of their points; c > 0, R a rotation (never a
mirror). Functions take NumPy and JAX arrays alike; leading axes are batches.
Source: Umeyama, "Least-squares estimation of transformation parameters between two point patterns", TPAMI 1991.
"""

from __future__ import annotations

from jaxtyping import Float


def similarity(source: Float[object, "*batch N 2"], target: Float[object, "*batch N 2"]) -> Float[object, "*batch 2 3"]:
    """The c, R, t that minimise the sum of ‖y − (cRx + t)‖² over the points x of `source` and y of `target`.

    In two dimensions Umeyama's closed form (Eq. 40 to 42) needs no singular value decomposition: with centered points,
    cR = [[a, −b], [b, a]], a = Σ x·y / Σ ‖x‖² and b = Σ x×y / Σ ‖x‖².
    A `source` whose points all coincide has no answer: the result is not finite.
    """
    xp = source.__array_namespace__()
    x_mean, y_mean = source.mean(-2), target.mean(-2)
    x, y = source - x_mean[..., None, :], target - y_mean[..., None, :]
    variance = (x**2).sum((-2, -1))
    a = (x * y).sum((-2, -1)) / variance
    b = (x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0]).sum(-1) / variance
    rotation = xp.stack([xp.stack([a, -b], -1), xp.stack([b, a], -1)], -2)
    translation = y_mean - (rotation * x_mean[..., None, :]).sum(-1)
    return xp.concatenate([rotation, translation[..., None]], -1)


def apply(transform: Float[object, "*batch 2 3"], points: Float[object, "*batch N 2"]) -> Float[object, "*batch N 2"]:
    """The points x moved to cRx + t."""
    rotated = (transform[..., None, :, :2] * points[..., None, :]).sum(-1)
    return rotated + transform[..., None, :, 2]


def inverse(transform: Float[object, "*batch 2 3"]) -> Float[object, "*batch 2 3"]:
    """The similarity that undoes one: R⊤/c and −R⊤t/c."""
    xp = transform.__array_namespace__()
    a, b, t = transform[..., 0, 0], transform[..., 1, 0], transform[..., 2]
    squared = a**2 + b**2
    a, b = a / squared, b / squared
    rotation = xp.stack([xp.stack([a, b], -1), xp.stack([-b, a], -1)], -2)
    return xp.concatenate([rotation, -(rotation * t[..., None, :]).sum(-1)[..., None]], -1)
