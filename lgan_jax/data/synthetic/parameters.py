"""All that an image depends on: who, in which pose, with which action units, looking where, in which light.

Conventions: the image's x goes right and y down. `yaw` > 0 turns the face to the image's right (the subject's own
left), `pitch` > 0 turns it up, `roll` > 0 tilts the top of the head to the image's right; degrees. `gaze` is (yaw,
pitch) of the eyes relative to the head, in degrees, with the same signs. Light comes from `(azimuth, elevation)`
degrees: 0, 0 is from the camera, positive from the image's right and from above.
"""

from __future__ import annotations

import dataclasses

from lgan_jax.action_units import EXPRESSIONS, NUMBERS, expression_units
from lgan_jax.data.synthetic.people import Colour, Person

SCALE = 0.39  # distance between the outer eye corners in image widths: chin to forehead fill the image


@dataclasses.dataclass(frozen=True)
class Light:
    """A soft directional light and what comes from everywhere; strengths near 1, `warmth` in [-1, 1]."""

    azimuth: float = -30.0
    elevation: float = 35.0
    key: float = 0.75
    ambient: float = 0.5
    warmth: float = 0.1


@dataclasses.dataclass(frozen=True)
class Background:
    """A wall of two colors, lighter towards one side, with blurred shapes on it drawn from `pattern`."""

    first: Colour = (0.55, 0.62, 0.68)
    second: Colour = (0.36, 0.42, 0.50)
    pattern: int = 0
    mirrored: bool = False


@dataclasses.dataclass(frozen=True)
class Sample:
    """All parameters of one image; `dataclasses.replace` gives the same image with something changed.

    Attributes:
      person: who is drawn.
      identity: the number of the person among the data set's.
      expression: index into `EXPRESSIONS` of what the action units show.
      action_units: 17 intensities in [0, 1].
      lopsided: in [-1, 1]; at 1 (-1) units 12 and 14 act only on the corner of the mouth at the image's right (left)
        of a frontal face; the recorded intensity is that of the stronger side.
      yaw, pitch, roll: of the head, degrees (see the module).
      gaze: (yaw, pitch) of the eyes in the head, degrees.
      light, background: see there.
      shift: offset of the face from the image's middle, in image widths.
      scale: distance between the outer eye corners of the mean face, in image widths.
    """

    person: Person
    identity: int = 0
    expression: int = 0
    action_units: tuple[float, ...] = (0.0,) * len(NUMBERS)
    lopsided: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    gaze: tuple[float, float] = (0.0, 0.0)
    light: Light = Light()
    background: Background = Background()
    shift: tuple[float, float] = (0.0, 0.0)
    scale: float = SCALE

    def unit(self, number: int) -> float:
        """Intensity of the action unit of that number (its name, not its index)."""
        return self.action_units[NUMBERS.index(number)]

    def with_expression(self, name: str, strength: float = 1.0) -> Sample:
        """The same image with that expression at `strength` in [0, 1] in place of its own."""
        acts = tuple(float(x) for x in strength * expression_units(name))
        lopsided = 1.0 if name == "contempt" else 0.0
        number = EXPRESSIONS.index(name)
        return dataclasses.replace(self, action_units=acts, expression=number, lopsided=lopsided)

    def mirrored(self) -> Sample:
        """The parameters of the horizontally mirrored image."""
        return dataclasses.replace(
            self,
            person=dataclasses.replace(self.person, parting=-self.person.parting),
            lopsided=-self.lopsided,
            yaw=-self.yaw,
            roll=-self.roll,
            gaze=(-self.gaze[0], self.gaze[1]),
            light=dataclasses.replace(self.light, azimuth=-self.light.azimuth),
            background=dataclasses.replace(self.background, mirrored=not self.background.mirrored),
            shift=(-self.shift[0], self.shift[1]),
        )
