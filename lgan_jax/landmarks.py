"""Landmark schemes: what each point is, which points mirror each other, how they are drawn.

A landmark array is float32 `(..., N, 2)`, (x, y), in [0, 1] across the image, pixel centers at (i + 0.5) / size.
Names of groups are anatomical: `right_eye` is the subject's own right eye, on the left of the image.

Sources: iBUG 300-W's 68-point markup; WFLW's 98 points (Wu et al., "Look at Boundary", CVPR 2018).
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Mapping

import numpy as np


@dataclasses.dataclass(frozen=True)
class Scheme:
    """One way to place landmarks on a face.

    Attributes:
      name: the scheme's name, as configs and data sets give it.
      groups: part of the face → indices of its points, in drawing order.
      closed: the groups that are drawn as closed curves.
      mirror: `(N,)` permutation; point i of a mirrored image is point `mirror[i]` of the original.
      eye_corners: the two outer eye corners, whose distance is the unit of errors ("inter-ocular distance").
    """

    name: str
    groups: Mapping[str, tuple[int, ...]]
    closed: frozenset[str]
    mirror: tuple[int, ...]
    eye_corners: tuple[int, int]

    @property
    def count(self) -> int:
        """How many landmarks the scheme has."""
        return len(self.mirror)

    @functools.cached_property
    def outline(self) -> np.ndarray:
        """Indices of the face's outline (ear to ear along the jaw); empty where a scheme has none."""
        return np.array(self.groups.get("outline", ()), np.int32)

    @functools.cached_property
    def inner(self) -> np.ndarray:
        """Indices of all points that are not on the outline, ascending."""
        return np.setdiff1d(np.arange(self.count), self.outline)

    @functools.cached_property
    def edges(self) -> np.ndarray:
        """`(E, 2)` pairs of points to join by a line when the landmarks are drawn."""
        edges = []
        for name, points in self.groups.items():
            edges += itertools.pairwise(points)
            if name in self.closed:
                edges.append((points[-1], points[0]))
        return np.array(edges, np.int32)


def mirrored(landmarks, scheme: Scheme):
    """Landmarks `(..., N, 2)` of the horizontally mirrored image: x becomes 1 - x, left and right change names."""
    renamed = landmarks[..., np.array(scheme.mirror), :]
    return landmarks.__array_namespace__().stack([1 - renamed[..., 0], renamed[..., 1]], -1)


def inter_ocular(landmarks, scheme: Scheme):
    """Distance `(...)` between the outer eye corners of landmarks `(..., N, 2)`, in their unit."""
    first, second = scheme.eye_corners
    difference = landmarks[..., first, :] - landmarks[..., second, :]
    return (difference**2).sum(-1) ** 0.5


def _span(first: int, last: int) -> tuple[int, ...]:
    return tuple(range(first, last + 1))


def _mirror(count: int, *pairs: tuple[tuple[int, ...], tuple[int, ...]]) -> tuple[int, ...]:
    """A permutation that exchanges each pair of equally long groups point by point and leaves the rest."""
    permutation = list(range(count))
    for ones, others in pairs:
        for one, other in zip(ones, others, strict=True):
            permutation[one], permutation[other] = other, one
    return tuple(permutation)


_CLOSED = frozenset({"right_eye", "left_eye", "outer_lip", "inner_lip"})

IBUG68 = Scheme(
    name="ibug68",
    groups={
        "outline": _span(0, 16),
        "right_brow": _span(17, 21),
        "left_brow": _span(22, 26),
        "nose_bridge": _span(27, 30),
        "lower_nose": _span(31, 35),
        "right_eye": _span(36, 41),
        "left_eye": _span(42, 47),
        "outer_lip": _span(48, 59),
        "inner_lip": _span(60, 67),
    },
    closed=_CLOSED,
    mirror=_mirror(
        68,
        (_span(0, 7), _span(9, 16)[::-1]),
        (_span(17, 21), _span(22, 26)[::-1]),
        ((31, 32), (35, 34)),
        ((36, 37, 38, 39, 40, 41), (45, 44, 43, 42, 47, 46)),
        ((48, 49, 50, 59, 58), (54, 53, 52, 55, 56)),
        ((60, 61, 67), (64, 63, 65)),
    ),
    eye_corners=(36, 45),
)

WFLW98 = Scheme(
    name="wflw98",
    groups={
        "outline": _span(0, 32),
        "right_brow": _span(33, 41),
        "left_brow": _span(42, 50),
        "nose_bridge": _span(51, 54),
        "lower_nose": _span(55, 59),
        "right_eye": _span(60, 67),
        "left_eye": _span(68, 75),
        "outer_lip": _span(76, 87),
        "inner_lip": _span(88, 95),
        "right_pupil": (96,),
        "left_pupil": (97,),
    },
    closed=_CLOSED | {"right_brow", "left_brow"},
    mirror=_mirror(
        98,
        (_span(0, 15), _span(17, 32)[::-1]),
        (_span(33, 41), (46, 45, 44, 43, 42, 50, 49, 48, 47)),
        ((55, 56), (59, 58)),
        (_span(60, 67), (72, 71, 70, 69, 68, 75, 74, 73)),
        ((76, 77, 78, 87, 86), (82, 81, 80, 83, 84)),
        ((88, 89, 95), (92, 91, 93)),
        ((96,), (97,)),
    ),
    eye_corners=(60, 72),
)

# iBUG's 68 points among WFLW's 98.
WFLW98_TO_IBUG68 = np.array(
    [
        *range(0, 33, 2),
        *range(33, 38),
        *range(42, 47),
        *range(51, 60),
        *(60, 61, 63, 64, 65, 67),
        *(68, 69, 71, 72, 73, 75),
        *range(76, 96),
    ],
    np.int32,
)

# The 49 of Bazrafkan et al.: iBUG's 68 without the outline and without the two inner mouth corners.
IBUG68_TO_INNER49 = np.array([i for i in range(17, 68) if i not in (60, 64)], np.int32)


def _subset(name: str, parent: Scheme, indices: np.ndarray) -> Scheme:
    position = {int(old): new for new, old in enumerate(indices)}
    groups = {k: tuple(position[i] for i in v if i in position) for k, v in parent.groups.items()}
    return Scheme(
        name=name,
        groups={k: v for k, v in groups.items() if v},
        closed=parent.closed,
        mirror=tuple(position[parent.mirror[i]] for i in indices),
        eye_corners=(position[parent.eye_corners[0]], position[parent.eye_corners[1]]),
    )


INNER49 = _subset("inner49", IBUG68, IBUG68_TO_INNER49)

SCHEMES = {scheme.name: scheme for scheme in (IBUG68, WFLW98, INNER49)}


def scheme(name: str) -> Scheme:
    """The scheme of that name. Raises `ValueError` that lists the names there are."""
    if name not in SCHEMES:
        raise ValueError(f"there is no landmark scheme {name!r}; the schemes are {', '.join(SCHEMES)}")
    return SCHEMES[name]


def scheme_of_count(count: int) -> Scheme:
    """The scheme with that many points. Raises `ValueError` where none has."""
    for candidate in SCHEMES.values():
        if candidate.count == count:
            return candidate
    counts = ", ".join(f"{s.count} ({s.name})" for s in SCHEMES.values())
    raise ValueError(f"no landmark scheme has {count} points; known are {counts}")


def to_ibug68(landmarks, scheme: Scheme):
    """iBUG's 68 points `(..., 68, 2)` of landmarks in a scheme that contains them. Raises `ValueError` otherwise."""
    if scheme.name == "ibug68":
        return landmarks
    if scheme.name == "wflw98":
        return landmarks[..., WFLW98_TO_IBUG68, :]
    raise ValueError(f"{scheme.name} does not contain the 68 points of iBUG")


def to_inner49(landmarks, scheme: Scheme):
    """iBUG's 49 inner points `(..., 49, 2)` of landmarks in any scheme that contains them; else a `ValueError`."""
    return landmarks if scheme.name == "inner49" else to_ibug68(landmarks, scheme)[..., IBUG68_TO_INNER49, :]
