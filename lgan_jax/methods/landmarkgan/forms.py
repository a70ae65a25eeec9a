"""Which class trains the generator phase of LandmarkGAN, by `generator.Settings.form`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lgan_jax.core import FaceInfo, Finished
from lgan_jax.methods.landmarkgan.generator import Generator
from lgan_jax.methods.landmarkgan.reference import ReferenceGenerator
from lgan_jax.methods.landmarkgan.settings import Settings

FORMS = {"landmarks": Generator, "reference": ReferenceGenerator}


class GeneratorPhase:
    """The generator phase as a config names it: making one gives the phase of the form that its settings ask for."""

    Settings = Settings
    grouping = Generator.grouping
    keys = Generator.keys

    def __new__(cls, settings: Settings, faces: FaceInfo, dtype: Any, earlier: Mapping[str, Finished]) -> Generator:
        """See `generator.Generator`."""
        return FORMS[settings.form](settings, faces, dtype, earlier)
