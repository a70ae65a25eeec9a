"""Coverage of a recording: the ranges of head pose, mouth opening and eyelid opening that its landmarks span.

A generator renders poses and expressions outside of its training range badly.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from lgan_jax.data.dataset import FaceData
from lgan_jax.data.split import FEWEST, SPLITS
from lgan_jax.landmarks import IBUG68_TO_INNER49, Scheme, to_inner49
from lgan_jax.ops.frontal import MEAN_HEAD, RIGID

Range = tuple[float, float]

FEW = 60  # frames; below, expect overfitting
ALONE = "is the only identity: a run can reconstruct this face, but cannot convert landmarks between identities"
_STILL = {"yaw": 8.0, "pitch": 8.0, "mouth": 0.06, "lids": 0.02}  # smaller ranges count as constant
_SHARE = (5, 95)  # percentiles

_PLACE = {int(point): place for place, point in enumerate(IBUG68_TO_INNER49)}
_RIGID = np.array([_PLACE[int(point)] for point in RIGID])
_HEAD = MEAN_HEAD[RIGID].astype(np.float64)
_MOUTH = np.array([[_PLACE[a], _PLACE[b]] for a, b in ((61, 67), (62, 66), (63, 65))])  # inner lips
_LIDS = np.array([[_PLACE[a], _PLACE[b]] for a, b in ((37, 41), (38, 40), (43, 47), (44, 46))])


@dataclasses.dataclass(frozen=True)
class Coverage:
    """Ranges of a person's pose and expression, from the 5th to the 95th percentile of the frames.

    Attributes:
      frames: number of frames.
      yaw: of the head, degrees; above 0 it turns to the image's right.
      pitch: of the head, degrees; above 0 it looks up.
      mouth: distance between the inner lips, in inter-ocular distances of the frontal face.
      lids: distance between the lids, mean of both eyes, in the same unit.
    """

    frames: int
    yaw: Range
    pitch: Range
    mouth: Range
    lids: Range

    def spans(self, name: str) -> float:
        """The width of one of the ranges."""
        low, high = getattr(self, name)
        return high - low

    @property
    def warnings(self) -> tuple[str, ...]:
        """Ranges that are too small for good training, as predicates of a person's name; empty where none is."""
        found = []
        if self.frames < FEWEST:
            found.append(f"has {self.frames} frames, and a run needs {FEWEST}: add frames, or remove this person")
        elif self.frames < FEW:
            found.append(f"has {self.frames} frames; below {FEW} a generator overfits: add some")
        still = {name for name, least in _STILL.items() if self.spans(name) < least}
        if still == set(_STILL):
            found.append("never moves: only this pose and expression can be rendered well; add different frames")
        elif {"yaw", "pitch"} <= still:
            degrees = max(self.spans("yaw"), self.spans("pitch"))
            found.append(
                f"hardly turns or nods ({degrees:.0f}°): other poses are rendered badly; add frames with other poses"
            )
        elif "mouth" in still:
            found.append("hardly moves the mouth: other mouth shapes are rendered badly; add frames of talking")
        return tuple(found)


def coverage(landmarks: Float[np.ndarray, "n N 2"], scheme: Scheme) -> Coverage:
    """Coverage of one person, from the landmarks of n frames with the same unit on both axes.

    Pose is fitted with a mean head and an affine camera to the nose and the eye corners. On synthetic faces it is off
    by a few degrees, and by more for unusual proportions, so ranges are more reliable than absolute angles.

    Raises `ValueError` if there is no frame, or the scheme lacks iBUG's 49 inner points.
    """
    if not len(landmarks):
        raise ValueError("coverage needs at least one frame")
    points = to_inner49(landmarks, scheme).astype(np.float64)
    yaw, pitch, scale = head_pose(points)
    ranges = {
        "yaw": yaw,
        "pitch": pitch,
        "mouth": _gaps(points, _MOUTH) / scale,
        "lids": _gaps(points, _LIDS) / scale,
    }
    found = {name: np.percentile(values, _SHARE) for name, values in ranges.items()}
    return Coverage(len(points), **{name: (float(low), float(high)) for name, (low, high) in found.items()})


def of_people(faces: FaceData) -> dict[str, Coverage]:
    """Coverage of each identity's training frames, by name; identities without training frames are absent."""
    whose = {name: np.flatnonzero(faces.train.identity == i) for i, name in enumerate(faces.info.identities)}
    return {
        name: coverage(
            np.stack([faces.train.without_image(int(place))["landmarks"] for place in places]), faces.info.scheme
        )
        for name, places in whose.items()
        if len(places)
    }


def warnings(faces: FaceData) -> list[str]:
    """Coverage warnings, one line each that names the person; frames are counted in all splits."""
    found = []
    for name, covered in of_people(faces).items():
        who = faces.info.identities.index(name)
        frames = sum(int((getattr(faces, split).identity == who).sum()) for split in SPLITS)
        found += [f"{name} {each}" for each in dataclasses.replace(covered, frames=frames).warnings]
    return found + [f"{name} {ALONE}" for name in faces.info.identities if len(faces.info.identities) == 1]


def head_pose(points: Float[np.ndarray, "n 49 2"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Yaw and pitch in degrees, `(n,)` each, and the mean head's unit in units of the landmarks."""
    corners = np.concatenate([_HEAD, np.ones((len(_HEAD), 1))], 1)
    camera = (np.linalg.pinv(corners) @ points[:, _RIGID])[:, :3].swapaxes(1, 2)  # (n, 2, 3): affine
    left, sizes, right = np.linalg.svd(camera, full_matrices=False)
    rotation = left @ right  # nearest matrix with orthonormal rows
    toward = np.cross(rotation[:, 0], rotation[:, 1])
    yaw = np.arctan2(-toward[:, 0], toward[:, 2])
    pitch = np.arcsin(np.clip(toward[:, 1], -1, 1))
    return np.rad2deg(yaw), np.rad2deg(pitch), sizes.mean(1)


def _gaps(points: Float[np.ndarray, "n 49 2"], pairs: np.ndarray) -> np.ndarray:
    """Mean distance `(n,)` between the points of each pair."""
    apart = points[:, pairs[:, 0]] - points[:, pairs[:, 1]]
    return np.linalg.norm(apart, axis=-1).mean(-1)
