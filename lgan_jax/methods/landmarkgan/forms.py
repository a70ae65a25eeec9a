"""Which class trains the generator phase of LandmarkGAN, by `settings.Settings.form`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lgan_jax.core import FaceInfo, Finished
from lgan_jax.methods.landmarkgan.generator import LandmarksPhase
from lgan_jax.methods.landmarkgan.reference import ReferencePhase
from lgan_jax.methods.landmarkgan.settings import Settings

FORMS = {"landmarks": LandmarksPhase, "reference": ReferencePhase}


class GeneratorPhase(LandmarksPhase):
    """The generator phase as a config names it: making one gives the phase of the form that its settings ask for."""

    def __new__(
        cls, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]
    ) -> LandmarksPhase:
        """See `generator.LandmarksPhase`."""
        return FORMS[settings.form](settings, faces, dtype, earlier)

    @classmethod
    def holds_frames(cls, settings: Settings) -> bool:
        """See `Phase`: the references are frames."""
        return settings.form == "reference"

    @classmethod
    def examples(cls, settings: Settings) -> int:
        """See `Phase`: as many as there are references of each identity, if that is more."""
        return max(super().examples(settings), settings.references)
