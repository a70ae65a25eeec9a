"""The generator phase of LandmarkGAN; `settings.Settings.form` chooses the class that trains."""

from __future__ import annotations

from lgan_jax.methods.landmarkgan.generator import LandmarksPhase
from lgan_jax.methods.landmarkgan.reference import ReferencePhase
from lgan_jax.methods.landmarkgan.settings import Settings

FORMS = {"landmarks": LandmarksPhase, "reference": ReferencePhase}


class GeneratorPhase(LandmarksPhase):
    """The generator phase of a config, of any form."""

    @classmethod
    def variant(cls, settings: Settings) -> type[LandmarksPhase]:
        """See `Phase`: the class of the form in `settings`."""
        return FORMS[settings.form]
