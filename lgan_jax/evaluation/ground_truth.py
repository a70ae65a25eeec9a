"""Ground truth for edited faces: built-in faces of the test split, rendered again with fields of others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, UInt8

from lgan_jax.data import FaceData, synthetic

# Fields of a sample.
EXPRESSION = ("action_units", "expression", "lopsided")
POSE = ("yaw", "pitch", "roll", "gaze", "shift", "scale")

Indices = Int[np.ndarray, " n"]
Images = UInt8[np.ndarray, "n H W 3"]


def with_fields_of(fields: Sequence[str], data: FaceData, indices: Indices, donors: Indices) -> Images | None:
    """Test faces with these fields of the test faces `donors`; None where the data are not built in.

    With another pose they are aligned anew where the data are.
    """
    if data.drawn is None:
        return None
    images = []
    for index, donor in zip(indices, donors):
        own, other = (synthetic.sample(data.drawn, "test", int(i)) for i in (index, donor))
        target = dataclasses.replace(own, **{name: getattr(other, name) for name in fields})
        posed = data.drawn.aligned and set(POSE) <= set(fields)
        images.append(render(data, synthetic.aligned(target) if posed else target))
    return np.stack(images)


def render(data: FaceData, sample: synthetic.Sample) -> UInt8[np.ndarray, "H W 3"]:
    """The image of a sample, of the data's size."""
    return synthetic.draw(sample, data.info.size)["image"]
