"""Options for preparing faces."""

from __future__ import annotations

import dataclasses

from lgan_jax.cli import option

LANDMARKS = ("dlib", "face_landmarker")
ACTION_UNITS = ("landmarks", "blendshapes")


@dataclasses.dataclass(frozen=True)
class Options:
    """Settings of `prepare`, each but the last a flag of the command.

    Attributes:
      face_landmarker: SHA-256 of the Face Landmarker's bundle; empty where it is not used.
    """

    size: int = option("side of the crops in pixels; the mean face spans 220 of 256", default=256)
    smooth: float = option(
        "smooth the crops of a resting head over so many frames (standard deviation; 0 disables)", default=2.0
    )
    blur: float = option(
        "drop crops whose sharpness (variance of the Laplacian) is below this share of the person's median; 0 disables",
        default=0.3,
    )
    jump: float = option(
        "drop frames whose landmarks move more than so many times the person's median motion and back (0 disables)",
        default=8.0,
    )
    landmarks: str = option(
        "detector of faces and landmarks: dlib, or Google's Face Landmarker", default="dlib", choices=LANDMARKS
    )
    action_units: str = option(
        "source of action units: the landmarks, or the Face Landmarker's blendshape scores, which need no neutral "
        "image of the person",
        default="landmarks",
        choices=ACTION_UNITS,
    )
    face_landmarker: str = ""

    def __post_init__(self):
        if not 32 <= self.size <= 2048:
            raise ValueError(f"--size must be between 32 and 2048 pixels, not {self.size}")
        if not 0 <= self.smooth <= 100:
            raise ValueError(f"--smooth must be between 0 and 100 frames, not {self.smooth}")
        if not 0 <= self.blur < 1:
            raise ValueError(f"--blur is a share of the median: at least 0 and below 1, not {self.blur}")
        if not (self.jump == 0 or self.jump >= 1):
            raise ValueError(f"--jump is a multiple of the median: 0 or at least 1, not {self.jump}")
        for name, choices in (("landmarks", LANDMARKS), ("action_units", ACTION_UNITS)):
            if (value := getattr(self, name)) not in choices:
                raise ValueError(f"{flag(name)} must be {' or '.join(choices)}, not {value!r}")

    @property
    def needs_face_landmarker(self) -> bool:
        """Whether these options use the Face Landmarker."""
        return self.landmarks == "face_landmarker" or self.action_units == "blendshapes"

    @property
    def labels(self) -> str:
        """The sources of landmarks and action units, for a report."""
        bundle = f"Google's Face Landmarker (SHA-256 {self.face_landmarker})"
        points = bundle if self.landmarks == "face_landmarker" else "dlib"
        units = f"blendshape scores of {bundle}" if self.action_units == "blendshapes" else "the landmarks"
        return f"landmarks by {points}, action units estimated from {units}"


def flag(name: str) -> str:
    """The command's flag for an option."""
    return f"--{name.replace('_', '-')}"
