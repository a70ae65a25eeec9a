"""What a person can choose when preparing faces."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Options:
    """Settings of `prepare`; the command's flags have the same names.

    Attributes:
      size: side of the crops in pixels. Of 256, the mean face spans 220, with 18 on each side.
      smooth: standard deviation, in frames, of the filter that steadies the crops of a resting head; 0 is none.
      blur: a crop is blurred if its sharpness is below this share of the person's median; 0 keeps all.
      jump: landmarks jump if they move more than this many times the person's median motion and back; 0 keeps all.
    """

    size: int = 256
    smooth: float = 2.0
    blur: float = 0.3
    jump: float = 8.0

    def __post_init__(self):
        if not 32 <= self.size <= 2048:
            raise ValueError(f"--size must be between 32 and 2048 pixels, not {self.size}")
        if not 0 <= self.smooth <= 100:
            raise ValueError(f"--smooth must be between 0 and 100 frames, not {self.smooth}")
        if not 0 <= self.blur < 1:
            raise ValueError(f"--blur is a share of the median: at least 0 and below 1, not {self.blur}")
        if not (self.jump == 0 or self.jump >= 1):
            raise ValueError(f"--jump is a multiple of the median: 0 or at least 1, not {self.jump}")
