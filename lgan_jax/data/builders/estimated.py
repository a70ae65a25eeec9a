"""Prepared folders of `lgan_jax.data.prepare` with estimated expressions, split by subject.

The layout is CelebV's, with tables of action units; expressions are its tables', else `faces.expression_estimate`'s.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from lgan_jax.data.builders.celebv import EXPRESSIONS, UNITS, CelebV, Frame
from lgan_jax.data.split import HeldOut
from lgan_jax.faces.expression_estimate import UNCLEAR, estimate


class Estimated(CelebV, skip_registration=True):
    """The images of a prepared folder whose action units show a clear or a neutral expression, split by subject.

    Skipped, counted and named: images that `CelebV` skips, and images whose expression is not clear.

    Raises `FileNotFoundError` or `ValueError` for a folder that is missing, has another layout, or has no action units.
    """

    def __init__(self, root: Path, cache: Path, held_out: HeldOut):
        super().__init__(root, cache, "subject", held_out, "estimated")
        if not self.tables:
            raise ValueError(
                f"{root} has no <person>/{UNITS}, from which expressions are estimated: repeat the command that "
                "prepared it to add them"
            )
        given = f", but for the images that <person>/{EXPRESSIONS} labels" if self.labels else ""
        self.notes.append(f"expressions are estimated from action units{given}")

    def features(self):
        return super().features() | {"expression": np.int32}

    def frames(self, name: str) -> list[Frame]:
        """The frames of one person with a clear expression."""
        frames = super().frames(name)
        if not frames:
            return []
        labelled = []
        for frame, estimated in zip(frames, estimate(np.stack([frame.units for frame in frames]))):
            label = estimated if frame.expression in (None, UNCLEAR) else frame.expression
            if label == UNCLEAR:
                self.skip("image whose expression is not clear", f"{name}/{frame.path.name}")
            else:
                labelled.append(dataclasses.replace(frame, expression=int(label)))
        return labelled
