"""Action units from the Face Landmarker's blendshape scores, without a neutral image of the person.

Of the 17 units eleven are estimated: 1, 2, 4, 5, 12, 17, 20, 23, 25, 26, 45. The scores that would show 6, 9 and 15
(cheek squint, nose sneer, mouth frown) hardly ever move on photographs, and what would show 7, 10 and 14 has not been
checked: these units are unknown, NaN, never 0. Both sides of the face are averaged.

The correspondences are the usual ones between ARKit's blendshapes, whose names the scores bear, and the Facial Action
Coding System. A unit's intensity is its score's way from a face at rest to a strong expression.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxtyping import Float

from lgan_jax import action_units as units
from lgan_jax.faces.face_landmarker.tables import BLENDSHAPES

# A unit's score at rest and at full strength, rounded: the median of neutral faces (Face Research Lab London Set), and
# the 99th percentile of frames of talking people, or of photographs where these go beyond it.
# studies/face_landmarker_agreement.py prints such figures for a folder of photos.
_REST_AND_FULL = {
    1: (0.02, 0.95),
    2: (0.1, 0.95),
    4: (0.03, 0.7),
    5: (0.01, 0.5),
    12: (0.0, 0.85),
    17: (0.15, 0.5),
    20: (0.0, 0.3),
    23: (0.05, 0.5),
    25: (0.0, 0.6),
    26: (0.0, 0.65),
    45: (0.1, 0.7),
}
ESTIMATED = tuple(_REST_AND_FULL)


def action_units(scores: Float[Any, "*batch 52"]) -> Float[Any, "*batch 17"]:
    """Intensities in [0, 1] in the library's order, NaN for the units that are not known.

    NumPy and JAX arrays alike; scores that are NaN give NaN.
    """
    xp = scores.__array_namespace__()
    shown = unit_scores(scores)
    columns = [xp.full_like(scores[..., 0], xp.nan)] * len(units.NUMBERS)
    for number, (rest, full) in _REST_AND_FULL.items():
        columns[units.NUMBERS.index(number)] = ((shown[number] - rest) / (full - rest)).clip(0, 1)
    return xp.stack(columns, -1)


def unit_scores(scores: Float[Any, "*batch 52"]) -> Mapping[int, Float[Any, "*batch"]]:
    """The score in [0, 1] that shows each unit of `ESTIMATED`, as it is at rest and at full strength."""
    xp = scores.__array_namespace__()

    def score(name: str) -> Any:
        return scores[..., BLENDSHAPES.index(name)]

    def sides(name: str) -> Any:
        return (score(f"{name}Left") + score(f"{name}Right")) / 2

    rolled = (score("mouthRollLower") + score("mouthRollUpper")) / 2
    parted = xp.maximum(sides("mouthLowerDown"), sides("mouthUpperUp"))  # lips part without the jaw, too
    return {
        1: score("browInnerUp"),
        2: sides("browOuterUp"),
        4: sides("browDown"),
        5: sides("eyeWide"),
        12: sides("mouthSmile"),
        17: score("mouthShrugLower"),
        20: sides("mouthStretch"),
        23: xp.maximum(sides("mouthPress"), rolled),
        25: xp.maximum(score("jawOpen") - score("mouthClose"), parted),
        26: score("jawOpen"),
        45: sides("eyeBlink"),
    }
