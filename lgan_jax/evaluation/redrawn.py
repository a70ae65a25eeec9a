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
    """Faces of the test split at `places`, each with these fields of the one at `givers`; None where not built in.

    With another pose they are aligned anew where the data are.
    """
    if data.drawn is None:
        return None
    pictures = []
    for place, giver in zip(places, givers):
        own, other = (synthetic.sample(data.drawn, "test", int(i)) for i in (place, giver))
        made = dataclasses.replace(own, **{name: getattr(other, name) for name in fields})
        posed = data.drawn.aligned and set(POSE) <= set(fields)
        pictures.append(draw(data, synthetic.aligned(made) if posed else made))
    return np.stack(pictures)


def draw(data: FaceData, sample: synthetic.Sample) -> UInt8[np.ndarray, "H W 3"]:
    """The picture of a sample, of the data's size."""
    return synthetic.draw(sample, data.info.size)["image"]
