"""What is in each picture: who, in which pose, with which action units, looking where, in which light.

Conventions: the picture's x goes right and y down. `yaw` > 0 turns the face to the picture's right (the subject's own
left), `pitch` > 0 turns it up, `roll` > 0 tilts the top of the head to the picture's right; degrees. `gaze` is (yaw,
pitch) of the eyes relative to the head, in degrees, with the same signs. Light comes from `(azimuth, elevation)`
degrees: 0, 0 is from the camera, positive from the picture's right and from above.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from lgan_jax.action_units import EXPRESSIONS, NUMBERS, expression_units
from lgan_jax.data.synthetic import people
from lgan_jax.data.synthetic.people import Colour, Person

SCALE = 0.39  # distance between the outer eye corners in picture widths: chin to forehead fill the picture
YAW, PITCH, ROLL = 35.0, 20.0, 15.0  # degrees; poses stay within plus and minus these
_SPLITS = ("train", "test")
_UNIT = {number: index for index, number in enumerate(NUMBERS)}


@dataclasses.dataclass(frozen=True)
class Settings:
    """How many built-in people and pictures, and how they vary.

    Attributes:
      identities: number of people.
      train_per_identity: pictures of each person to train on.
      test_per_identity: pictures of each person held out.
      test_identities: number of further people, who are held out whole: nobody is in both splits then. With 0 all
        people are in both.
      seed: changes everything that is drawn at random.
      variation: "video" keeps a person's light, background, hair and clothes, like one video each. "wild" draws
        another person, light and background for each picture; pictures are still dealt out over the identities.
      acts: "usual" draws an expression, mixed with talking and blinking. "varied" does so for half of the pictures;
        in the others every action unit acts on its own. In a third of all pictures eyes are more or less closed.
        "posed" goes through the eight expressions in turn, as recorded in a laboratory: of half strength at least,
        nobody talks or blinks, and all look at the camera.
      turning: how far heads turn, nod and tilt, as a share of the usual.
      pairs: of a person's pictures the second is the first with another expression, the fourth the third, and so on:
        same person, pose, gaze, light and place.
    """

    identities: int = 5
    train_per_identity: int = 600
    test_per_identity: int = 60
    test_identities: int = 0
    seed: int = 0
    variation: Literal["video", "wild"] = "video"
    acts: Literal["usual", "varied", "posed"] = "usual"
    turning: float = 1.0
    pairs: bool = False

    def __post_init__(self):
        if not 0 <= self.turning <= 1:
            raise ValueError(f"turning is {self.turning}; it is a share of the usual, at least 0 and at most 1")
        for name in ("identities", "train_per_identity", "test_per_identity"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, it is {getattr(self, name)}")
        if self.test_identities < 0:
            raise ValueError(f"test_identities must not be negative, it is {self.test_identities}")
        if self.pairs and (self.train_per_identity % 2 or self.test_per_identity % 2):
            raise ValueError("pairs need an even train_per_identity and an even test_per_identity")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, it is {self.seed}")

    def count(self, split: str) -> int:
        """Number of pictures of a split, "train" or "test"."""
        per_identity = self.test_per_identity if _split_number(split) else self.train_per_identity
        return len(self.shown(split)) * per_identity

    def shown(self, split: str) -> range:
        """The identities in a split; its pictures show them in turns."""
        if _split_number(split) and self.test_identities:
            return range(self.identities, self.identities + self.test_identities)
        return range(self.identities)


def names(settings: Settings) -> tuple[str, ...]:
    """The people's names, one for each identity."""
    return people.names(settings.identities + settings.test_identities)


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
    """A wall of two colours, lighter towards one side, with blurred shapes on it drawn from `pattern`."""

    first: Colour = (0.55, 0.62, 0.68)
    second: Colour = (0.36, 0.42, 0.50)
    pattern: int = 0
    mirrored: bool = False


@dataclasses.dataclass(frozen=True)
class Sample:
    """All parameters of one picture; `dataclasses.replace` gives the same picture with something changed.

    Attributes:
      person: who is drawn.
      identity: the number of the person among the data set's.
      expression: index into `EXPRESSIONS` of what the action units show.
      action_units: 17 intensities in [0, 1].
      lopsided: in [-1, 1]; at 1 (-1) units 12 and 14 act only on the corner of the mouth at the picture's right (left)
        of a frontal face; the recorded intensity is that of the stronger side.
      yaw, pitch, roll: of the head, degrees (see the module).
      gaze: (yaw, pitch) of the eyes in the head, degrees.
      light, background: see there.
      shift: offset of the face from the picture's middle, in picture widths.
      scale: distance between the outer eye corners of the mean face, in picture widths.
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
        return self.action_units[_UNIT[number]]

    def with_expression(self, name: str, strength: float = 1.0) -> Sample:
        """The same picture with that expression at `strength` in [0, 1] in place of its own."""
        acts = strength * expression_units(name)
        lopsided = 1.0 if name == "contempt" else 0.0
        number = EXPRESSIONS.index(name)
        return dataclasses.replace(self, action_units=_floats(acts), expression=number, lopsided=lopsided)

    def mirrored(self) -> Sample:
        """The parameters of the horizontally mirrored picture."""
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


def sample(settings: Settings, split: str, index: int) -> Sample:
    """Picture `index` of a split: a function of (`settings.seed`, `split`, `index`) and of nothing that came before.

    Training and held-out pictures are drawn from separate streams. Raises `ValueError` for another split than "train"
    and "test" and `IndexError` for an index outside of it.
    """
    if not 0 <= index < settings.count(split):
        raise IndexError(f"picture {index} of {split!r}: there are {settings.count(split)}")
    rng = np.random.default_rng([settings.seed, 1 + _split_number(split), index])
    shown = settings.shown(split)
    turn, place = divmod(index, len(shown))
    identity = shown[place]
    if settings.pairs and turn % 2:
        expression, acts, lopsided = _acting(settings, rng, turn)
        first = sample(settings, split, index - len(shown))
        return dataclasses.replace(first, expression=expression, action_units=_floats(acts), lopsided=lopsided)
    if settings.variation == "wild":
        who, (light, background) = people.stranger(rng), _place(rng)
    else:
        who = people.person(settings.seed, identity)
        light, background = _place(np.random.default_rng([settings.seed, 72, identity]))
        light = _flickered(light, rng)
    expression, acts, lopsided = _acting(settings, rng, turn)
    usual = [np.clip(s * rng.normal(), -m, m) for s, m in ((15.0, YAW), (8.0, PITCH), (5.5, ROLL))]
    turned = _floats(settings.turning * angle for angle in usual)
    gaze = [float(np.clip(s * rng.normal(), -m, m)) for s, m in ((9, 25), (5, 15))]
    if settings.acts == "posed":
        gaze = [-turned[0], -turned[1]]
    return Sample(
        person=who,
        identity=identity,
        expression=expression,
        action_units=_floats(acts),
        lopsided=lopsided,
        yaw=turned[0],
        pitch=turned[1],
        roll=turned[2],
        gaze=(gaze[0], gaze[1]),
        light=light,
        background=background,
        shift=_floats(np.clip(rng.normal(0, 0.01, 2), -0.02, 0.02)),
        scale=float(SCALE * np.exp(np.clip(rng.normal(0, 0.025), -0.05, 0.05))),
    )


def _split_number(split: str) -> int:
    if split not in _SPLITS:
        raise ValueError(f"there is no split {split!r}; the splits are {', '.join(_SPLITS)}")
    return _SPLITS.index(split)


def _floats(values) -> tuple[float, ...]:
    return tuple(float(v) for v in values)


def _place(rng: np.random.Generator) -> tuple[Light, Background]:
    light = Light(
        azimuth=float(rng.uniform(-60, 60)),
        elevation=float(rng.uniform(15, 50)),
        key=float(rng.uniform(0.6, 0.85)),
        ambient=float(rng.uniform(0.42, 0.6)),
        warmth=float(rng.uniform(-0.5, 0.8)),
    )
    first = rng.uniform(0.25, 0.85) * np.array([1, 1, 1]) + rng.uniform(-0.14, 0.14, 3)
    second = first * rng.uniform(0.55, 0.85) + rng.uniform(-0.05, 0.05, 3)
    colours = [_floats(np.clip(c, 0.05, 0.95)) for c in (first, second)]
    pattern = int(rng.integers(2**31))
    return light, Background(first=colours[0], second=colours[1], pattern=pattern, mirrored=bool(rng.random() < 0.5))


def _flickered(light: Light, rng: np.random.Generator) -> Light:
    """The small changes of light within one video."""
    return dataclasses.replace(
        light,
        azimuth=light.azimuth + float(np.clip(3 * rng.normal(), -6, 6)),
        elevation=light.elevation + float(np.clip(2 * rng.normal(), -4, 4)),
        key=light.key * (1 + float(np.clip(0.02 * rng.normal(), -0.04, 0.04))),
    )


def _acting(settings: Settings, rng: np.random.Generator, turn: int) -> tuple[int, np.ndarray, float]:
    """(expression, action units, lopsidedness) of a person's picture number `turn`."""
    if settings.acts == "posed":
        return _posed(rng, turn % len(EXPRESSIONS))
    drawn = _acts(rng)
    return _varied(rng, *drawn) if settings.acts == "varied" else drawn


def _acts(rng: np.random.Generator) -> tuple[int, np.ndarray, float]:
    """(expression, action units, lopsidedness): an expression of some strength, mixed with talking and blinking."""
    expression = int(rng.choice(len(EXPRESSIONS), p=[0.2] + [0.8 / 7] * 7))
    name = EXPRESSIONS[expression]
    acts = rng.uniform(0.35, 1.0) * expression_units(name) * rng.uniform(0.7, 1.0, len(NUMBERS))
    lopsided = float(rng.choice([-1, 1]) * rng.uniform(0.7, 1.0)) if name == "contempt" else 0.0
    if name != "contempt":
        lopsided = float(np.clip(0.06 * rng.normal(), -0.15, 0.15))
    if rng.random() < 0.4:  # talking: the jaw, lips parted, spread, rounded or pressed together
        talk = {25: rng.uniform(0.2, 0.9), 26: rng.uniform(0, 0.6), 20: rng.uniform(0, 0.3), 23: rng.uniform(0, 0.5)}
        for number, intensity in talk.items():
            acts[_UNIT[number]] = max(acts[_UNIT[number]], intensity)
    acts = acts + (rng.random(len(NUMBERS)) < 0.12) * rng.uniform(0, 0.3, len(NUMBERS))
    acts[_UNIT[45]] = rng.choice([0.0, rng.uniform(0.2, 0.8), 1.0], p=[0.88, 0.06, 0.06])
    return expression, np.clip(acts, 0, 1), lopsided


def _posed(rng: np.random.Generator, expression: int) -> tuple[int, np.ndarray, float]:
    """As `_acts`, of this expression: see `Settings.acts`."""
    name = EXPRESSIONS[expression]
    acts = rng.uniform(0.5, 1.0) * expression_units(name) * rng.uniform(0.85, 1.0, len(NUMBERS))
    lopsided = float(rng.choice([-1, 1])) if name == "contempt" else 0.0
    return expression, acts, lopsided


def _varied(
    rng: np.random.Generator, expression: int, acts: np.ndarray, lopsided: float
) -> tuple[int, np.ndarray, float]:
    """As `_acts`, from what it drew: see `Settings.acts`. What acts on its own is called neutral."""
    if rng.random() < 0.5:
        expression, lopsided = 0, 0.0
        acts = (rng.random(len(NUMBERS)) < 0.25) * rng.uniform(0.2, 1, len(NUMBERS))
    acts = acts.copy()
    acts[_UNIT[45]] = rng.choice([0.0, rng.uniform(0.2, 1), 1.0], p=[0.65, 0.2, 0.15])
    return expression, acts, lopsided
