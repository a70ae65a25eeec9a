"""The phase class of LandmarkGAN's generator for each value of `settings.Settings.form`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lgan_jax.core import FaceInfo, Finished
from lgan_jax.methods.landmarkgan.generator import LandmarksPhase
from lgan_jax.methods.landmarkgan.reference import ReferencePhase
from lgan_jax.methods.landmarkgan.settings import Settings

FORMS = {"landmarks": LandmarksPhase, "reference": ReferencePhase}


class GeneratorPhase(LandmarksPhase):
    """The generator phase of a config: its constructor returns the phase class that `settings.form` selects."""

    def __new__(
        cls, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]
    ) -> LandmarksPhase:
        """See `generator.LandmarksPhase`."""
        return FORMS[settings.form](settings, faces, dtype, earlier)

    @classmethod
    def holds_frames(cls, settings: Settings) -> bool:
        """See `Phase`. The form "reference" stores training frames."""
        return settings.form == "reference"

    @classmethod
    def examples(cls, settings: Settings) -> int:
        """See `Phase`. At least the number of reference frames per identity."""
        return max(super().examples(settings), settings.references)
