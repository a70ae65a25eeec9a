"""How large the networks that are compared are."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class _GeneratorSizes:
    size: int = 256
    width: float = 1.0
    discriminator_width: int = 64


@dataclasses.dataclass(frozen=True)
class Sizes(_GeneratorSizes):
    """The defaults are LandmarkGAN's; `points` are WFLW's 98 wherever a whole step is run."""

    points: int = 98
    detector_width: int = 256
    detector_depth: int = 4


@dataclasses.dataclass(frozen=True)
class EditorSizes(_GeneratorSizes):
    """The defaults are DFT-Net's."""

    size: int = 128
    width: int = 64
    blocks: int = 6
