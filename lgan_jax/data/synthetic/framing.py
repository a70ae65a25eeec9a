"""Where a head is in its image: brought to where photos of faces are brought."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from lgan_jax.data.synthetic.parameters import Sample
from lgan_jax.data.synthetic.render import landmarks
from lgan_jax.faces import align
from lgan_jax.landmarks import WFLW98, to_ibug68
from lgan_jax.ops import procrustes


def aligned(sample: Sample) -> Sample:
    """The head with the tilt, size and place that `align.alignment` gives a photo of it.

    It is drawn so, not cropped: nothing is blurred, and the light stays where it was in the image.
    """
    turn = align.alignment(to_ibug68(landmarks(sample), WFLW98), 1)
    middle = procrustes.apply(turn, np.array([[0.5 + x for x in sample.shift]]))[0] - 0.5
    return dataclasses.replace(
        sample,
        roll=sample.roll + math.degrees(math.atan2(turn[1, 0], turn[0, 0])),
        scale=sample.scale * float(np.hypot(*turn[:, 0])),
        shift=(float(middle[0]), float(middle[1])),
    )
