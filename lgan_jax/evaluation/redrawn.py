"""Built-in faces drawn again with something of others: what should come out where a method changes faces."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, UInt8

from lgan_jax.data import FaceData, synthetic

# Fields of a sample.
EXPRESSION = ("action_units", "expression", "lopsided")
POSE = ("yaw", "pitch", "roll", "gaze", "shift", "scale")

Places = Int[np.ndarray, " n"]
Pictures = UInt8[np.ndarray, "n H W 3"]


def taking(fields: Sequence[str], data: FaceData, places: Places, givers: Places) -> Pictures | None:
    """Faces of the test split at `places`, each with these fields of the one at `givers`; None where not built in."""
    if data.drawn is None:
        return None
    pictures = []
    for place, giver in zip(places, givers):
        own, other = (synthetic.sample(data.drawn, "test", int(i)) for i in (place, giver))
        pictures.append(draw(data, dataclasses.replace(own, **{name: getattr(other, name) for name in fields})))
    return np.stack(pictures)


def draw(data: FaceData, sample: synthetic.Sample) -> UInt8[np.ndarray, "H W 3"]:
    """The picture of a sample, of the data's size, and aligned where the data are."""
    return synthetic.draw(synthetic.aligned(sample) if data.drawn.aligned else sample, data.info.size)["image"]
