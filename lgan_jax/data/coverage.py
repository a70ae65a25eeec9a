"""How much of a person a recording shows: the ranges of head pose, mouth and lids that its landmarks span.

A network learns only what it is shown: a head that never turns is drawn badly when a driver turns it.
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
ALONE = "is the only person: a run can reconstruct this face, but has nobody to convert landmarks from or to"
_STILL = {"yaw": 8.0, "pitch": 8.0, "mouth": 0.06, "lids": 0.02}  # a range below it is hardly one
_SHARE = (5, 95)  # percentiles

_PLACE = {int(point): place for place, point in enumerate(IBUG68_TO_INNER49)}
_RIGID = np.array([_PLACE[int(point)] for point in RIGID])
_HEAD = MEAN_HEAD[RIGID].astype(np.float64)
_MOUTH = np.array([[_PLACE[a], _PLACE[b]] for a, b in ((61, 67), (62, 66), (63, 65))])  # inner lips
_LIDS = np.array([[_PLACE[a], _PLACE[b]] for a, b in ((37, 41), (38, 40), (43, 47), (44, 46))])


@dataclasses.dataclass(frozen=True)
class Coverage:
    """What is seen of a person: ranges from the 5th to the 95th percentile of the frames.

    Attributes:
      frames: how many there are.
      yaw: of the head, degrees; above 0 it turns to the image's right.
      pitch: of the head, degrees; above 0 it looks up.
      mouth: how far the inner lips are apart, in inter-ocular distances of the frontal face.
      lids: how far the lids are apart, mean of both eyes, in the same unit.
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
        """What lies below what trains well, in words that follow a name; empty where nothing does."""
        found = []
        if self.frames < FEWEST:
            found.append(f"has {self.frames} frames, and a run needs {FEWEST}: add some, or take this person out")
        elif self.frames < FEW:
            found.append(f"has {self.frames} frames; below {FEW} a generator overfits: add some")
        still = {name for name, least in _STILL.items() if self.spans(name) < least}
        if still == set(_STILL):
            found.append("never moves: only this one pose and expression can be drawn well; add frames that differ")
        elif {"yaw", "pitch"} <= still:
            degrees = max(self.spans("yaw"), self.spans("pitch"))
            found.append(f"hardly turns or nods ({degrees:.0f}°): other poses are drawn badly; add frames with some")
        elif "mouth" in still:
            found.append("hardly moves the mouth: other shapes of it are drawn badly; add frames of talking")
        return tuple(found)


def coverage(landmarks: Float[np.ndarray, "n N 2"], scheme: Scheme) -> Coverage:
    """How much of one person is seen, by the landmarks of n frames of the same unit on both axes.

    Pose is that of the mean head whose nose and eye corners lie best on the landmarks, seen from afar; on drawn faces
    it is off by a few degrees, and by more for a head of other proportions, so that ranges mean more than places.

    Raises `ValueError` where there is no frame, or the scheme lacks iBUG's 49 inner points.
    """
    if not len(landmarks):
        raise ValueError("coverage needs at least one frame")
    points = to_inner49(landmarks, scheme).astype(np.float64)
    yaw, pitch, scale = _pose(points)
    ranges = {
        "yaw": yaw,
        "pitch": pitch,
        "mouth": _gaps(points, _MOUTH) / scale,
        "lids": _gaps(points, _LIDS) / scale,
    }
    found = {name: np.percentile(values, _SHARE) for name, values in ranges.items()}
    return Coverage(len(points), **{name: (float(low), float(high)) for name, (low, high) in found.items()})


def of_people(faces: FaceData) -> dict[str, Coverage]:
    """The coverage of everybody's training frames, by name; of those who have some."""
    whose = {name: np.flatnonzero(faces.train.identity == i) for i, name in enumerate(faces.info.identities)}
    return {
        name: coverage(
            np.stack([faces.train.without_image(int(place))["landmarks"] for place in places]), faces.info.scheme
        )
        for name, places in whose.items()
        if len(places)
    }


def warnings(faces: FaceData) -> list[str]:
    """What lies below what trains well, one line each that names the person; frames count in all splits."""
    found = []
    for name, covered in of_people(faces).items():
        who = faces.info.identities.index(name)
        frames = sum(int((getattr(faces, split).identity == who).sum()) for split in SPLITS)
        found += [f"{name} {each}" for each in dataclasses.replace(covered, frames=frames).warnings]
    return found + [f"{name} {ALONE}" for name in faces.info.identities if len(faces.info.identities) == 1]


def _pose(points: Float[np.ndarray, "n 49 2"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Yaw and pitch in degrees, `(n,)` each, and how long the mean head's unit is in the landmarks' unit."""
    corners = np.concatenate([_HEAD, np.ones((len(_HEAD), 1))], 1)
    camera = (np.linalg.pinv(corners) @ points[:, _RIGID])[:, :3].swapaxes(1, 2)  # (n, 2, 3): affine
    left, sizes, right = np.linalg.svd(camera, full_matrices=False)
    rotation = left @ right  # its nearest with two orthonormal rows
    toward = np.cross(rotation[:, 0], rotation[:, 1])
    yaw = np.arctan2(-toward[:, 0], toward[:, 2])
    pitch = np.arcsin(np.clip(toward[:, 1], -1, 1))
    return np.rad2deg(yaw), np.rad2deg(pitch), sizes.mean(1)


def _gaps(points: Float[np.ndarray, "n 49 2"], pairs: np.ndarray) -> np.ndarray:
    """Mean distance `(n,)` between the two points of each of some pairs."""
    apart = points[:, pairs[:, 0]] - points[:, pairs[:, 1]]
    return np.linalg.norm(apart, axis=-1).mean(-1)
