"""The built-in synthetic faces as a data set, rendered once and stored as PNG."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from lgan_jax import action_units
from lgan_jax.data import synthetic
from lgan_jax.data.builders import base
from lgan_jax.data.builders.rendering import rendered
from lgan_jax.faces import align


class Synthetic(base.FaceBuilder, skip_registration=True):
    """Images of `size` pixels a side with 98 landmarks, action units, expression, pose and gaze.

    The key changes with the settings, the size and the rendering code.
    """

    def __init__(self, settings: synthetic.Settings, size: int, cache: Path):
        self.settings = settings
        self.size = size
        digest = hashlib.sha256(repr((dataclasses.astuple(settings), size)).encode())
        for path in (
            Path(action_units.__file__),
            Path(align.__file__),
            *sorted(Path(synthetic.__file__).parent.glob("*.py")),
        ):
            digest.update(path.read_bytes())
        super().__init__(cache, f"synthetic-{digest.hexdigest()[:16]}", synthetic.names(settings), "wflw98")
        self.pairs = settings.pairs
        self.disjoint = settings.test_identities > 0

    def features(self):
        return {
            "action_units": tfds.features.Tensor(shape=(len(action_units.NUMBERS),), dtype=np.float32),
            "expression": np.int32,
            "pose": tfds.features.Tensor(shape=(3,), dtype=np.float32),
            "gaze": tfds.features.Tensor(shape=(2,), dtype=np.float32),
        }

    def records(self):
        order = [(split, index) for split in base.SPLITS for index in range(self.settings.count(split))]
        self.total = len(order)
        yield from rendered(self.settings, self.size, order)
