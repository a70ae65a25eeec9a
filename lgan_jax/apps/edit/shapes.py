"""Sliders that move all landmarks of a face plausibly, learned from a run's training landmarks.

Landmarks are `(..., N, 2)` in [0, 1]. `known` holds the training landmarks `(k, N, 2)` of each identity.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Float32

from lgan_jax import landmarks as schemes
from lgan_jax.apps.shared.training_distance import principal
from lgan_jax.landmarks import Scheme
from lgan_jax.ops import procrustes

MEASURES = ("yaw", "pitch", "mouth", "smile", "brow", "blink")
_RANGE = (0.01, 0.99)  # quantiles of the training measures that a slider reaches
_RIDGE = 1e-3  # of each measure's variance
_LEAST_RANGE = 1e-3  # of the frame; a measure that varies less cannot be learned from


@dataclasses.dataclass(frozen=True)
class Slider:
    """A plausible motion of all landmarks: `direction · value` is added to them.

    Attributes:
      name: one of `MEASURES`.
      direction: how the points move at value 1, the farther end of the training range.
      least, most: the training range around a person's mean, in [-1, 0] and [0, 1]; both 0 where the training faces
        hardly vary in this measure.
    """

    name: str
    direction: Float32[np.ndarray, "N 2"]
    least: float
    most: float


def measures(points: Float[np.ndarray, "n N 2"], scheme: Scheme) -> Float[np.ndarray, "n 6"]:
    """The `MEASURES` of upright faces, as distances in their frame.

    yaw: how far the nose's tip lies to the image's right of the middle between the eyes (the face turns there).
    pitch: how far it lies above that middle (less negative: the face turns up). mouth: the gap between the lips.
    smile: half the mouth's width, plus the height of its corners over the lips' middle. brow: height of the brows over
    the eyes. blink: minus the mean height of the eyes' openings.
    """
    groups = {name: list(members) for name, members in scheme.groups.items()}
    corners = points[:, list(scheme.eye_corners)]
    tip = points[:, groups["nose_bridge"][-1]] - corners.mean(1)
    lips, inner = groups["outer_lip"], _middle(groups["inner_lip"], scheme)
    upper, lower = (points[:, i, 1] for i in inner)
    ends = points[:, [lips[0], scheme.mirror[lips[0]]]]
    width = np.abs(ends[:, 0, 0] - ends[:, 1, 0])
    height = points[:, _middle(lips, scheme), 1].mean(1) - ends[..., 1].mean(1)
    eyes = [points[:, groups[name]] for name in ("right_eye", "left_eye")]
    brows = [points[:, groups[name], 1].mean(1) for name in ("right_brow", "left_brow")]
    raised = np.mean([eye[..., 1].mean(1) - brow for eye, brow in zip(eyes, brows)], axis=0)
    opening = np.mean([_area(eye) / np.ptp(eye[..., 0], axis=1) for eye in eyes], axis=0)
    return np.stack([tip[:, 0], -tip[:, 1], np.abs(lower - upper), width / 2 + height, raised, -opening], -1)


def learn_sliders(known: Mapping[str, np.ndarray], scheme: Scheme) -> tuple[Slider, ...]:
    """One slider for each measure, by multivariate regression of the landmarks on the measures.

    Every face and its mirror image is brought upright onto its person's mean (Procrustes); what is left, as deviation
    from that mean, is reduced to its principal components and regressed on the deviations of all measures at once.
    So a slider moves the points as they moved, on average, in faces that differ in its measure and in no other.
    """
    deviations, measured = [], []
    for points in known.values():
        for faces in (points, schemes.mirrored(points, scheme)):
            upright = _upright(faces.astype(np.float64))
            values = measures(upright, scheme)
            deviations.append((upright - upright.mean(0)).reshape(len(upright), -1))
            measured.append(values - values.mean(0))
    x, m = np.concatenate(deviations), np.concatenate(measured)
    components, _ = principal(x)
    gram = m.T @ m / len(m)
    ridge = np.diag(_RIDGE * np.diag(gram) + np.finfo(float).eps)
    directions = np.linalg.solve(gram + ridge, m.T @ (x @ components) / len(m)) @ components.T
    return tuple(_slider(*one) for one in zip(MEASURES, directions.reshape(-1, scheme.count, 2), m.T))


def _upright(points: np.ndarray) -> np.ndarray:
    """Faces of one person, turned, scaled and shifted onto their mean."""
    mean = points.mean(0)
    return procrustes.apply(procrustes.similarity(points, np.broadcast_to(mean, points.shape)), points)


def _slider(name: str, direction: np.ndarray, values: np.ndarray) -> Slider:
    least, most = np.quantile(values, _RANGE)
    reach = max(-least, most)
    if most - least < _LEAST_RANGE:
        return Slider(name, np.zeros_like(direction, np.float32), 0.0, 0.0)
    return Slider(name, (direction * reach).astype(np.float32), min(least / reach, 0.0), max(most / reach, 0.0))


def _middle(group: list[int], scheme: Scheme) -> list[int]:
    """The points of a group that lie on the face's middle line."""
    return [i for i in group if scheme.mirror[i] == i]


def _area(loop: np.ndarray) -> np.ndarray:
    """Areas `(n,)` of closed outlines `(n, points, 2)`."""
    following = np.roll(loop, -1, axis=1)
    return np.abs((loop[..., 0] * following[..., 1] - loop[..., 1] * following[..., 0]).sum(1)) / 2


def resting(known: Mapping[str, np.ndarray]) -> Float32[np.ndarray, "N 2"]:
    """The face that the page opens with: the mean landmarks of the first person."""
    return next(itertools.islice(known.values(), 1)).mean(0).astype(np.float32)
