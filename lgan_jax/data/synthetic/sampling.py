"""Which images there are: what varies from one to the next, drawn at random, always the same for its number."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from lgan_jax.action_units import EXPRESSIONS, NUMBERS, expression_units
from lgan_jax.data.split import SPLITS, TEST, TRAIN, VALIDATION
from lgan_jax.data.synthetic import people
from lgan_jax.data.synthetic.framing import aligned
from lgan_jax.data.synthetic.parameters import SCALE, Background, Light, Sample

YAW, PITCH, ROLL = 35.0, 20.0, 15.0  # degrees; poses stay within plus and minus these
_STREAMS = {TRAIN: 1, TEST: 2, VALIDATION: 3}  # of random numbers, one for each split


@dataclasses.dataclass(frozen=True)
class Settings:
    """How many built-in people and images, and how they vary.

    Attributes:
      identities: number of people.
      train_per_identity: images of each person to train on.
      validation_per_identity: images of each person to choose settings with.
      test_per_identity: images of each person to test with.
      test_identities: number of further people who test, and of as many again who validate: nobody is in two splits
        then. With 0 all people are in each.
      seed: changes everything that is drawn at random.
      variation: "video" keeps a person's light, background, hair and clothes, like one video each. "wild" draws
        another person, light and background for each image; images are still dealt out over the identities.
      acts: "usual" draws an expression, mixed with talking and blinking. "varied" does so for half of the images;
        in the others every action unit acts on its own. In a third of all images eyes are more or less closed.
        "posed" goes through the eight expressions in turn, as recorded in a laboratory: of half strength at least,
        nobody talks or blinks, and all look at the camera.
      turning: how far heads turn, nod and tilt, as a share of the usual.
      aligned: whether heads have the tilt, size and place that photos are brought to (`faces.align`); else their own.
      pairs: of a person's images the second is the first with another expression, the fourth the third, and so on:
        same person, pose, gaze, light and place (the first is aligned then).
    """

    identities: int = 5
    train_per_identity: int = 600
    validation_per_identity: int = 8
    test_per_identity: int = 60
    test_identities: int = 0
    seed: int = 0
    variation: Literal["video", "wild"] = "video"
    acts: Literal["usual", "varied", "posed"] = "usual"
    turning: float = 1.0
    aligned: bool = False
    pairs: bool = False

    def __post_init__(self):
        if not 0 <= self.turning <= 1:
            raise ValueError(f"turning is {self.turning}; it is a share of the usual, at least 0 and at most 1")
        counts = [f"{split}_per_identity" for split in SPLITS]
        for name in ("identities", *counts):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, it is {getattr(self, name)}")
        if self.test_identities < 0:
            raise ValueError(f"test_identities must not be negative, it is {self.test_identities}")
        if odd := [name for name in counts if self.pairs and getattr(self, name) % 2]:
            raise ValueError(f"pairs need an even {odd[0]}, it is {getattr(self, odd[0])}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, it is {self.seed}")

    def count(self, split: str) -> int:
        """Number of images of a split: "train", "validation" or "test"."""
        return len(self.shown(split)) * getattr(self, f"{split}_per_identity")

    def shown(self, split: str) -> range:
        """The identities in a split; its images show them in turns."""
        if _stream(split) == _STREAMS[TRAIN] or not self.test_identities:
            return range(self.identities)
        first = self.identities + (self.test_identities if split == VALIDATION else 0)
        return range(first, first + self.test_identities)


def names(settings: Settings) -> tuple[str, ...]:
    """The people's names, one for each identity."""
    return people.names(settings.identities + 2 * settings.test_identities)


def sample(settings: Settings, split: str, index: int) -> Sample:
    """Image `index` of a split: a function of (`settings.seed`, `split`, `index`) and of nothing that came before.

    Each split is drawn from a stream of its own. Raises `ValueError` for another split than "train", "validation" and
    "test" and `IndexError` for an index outside of it.
    """
    if not 0 <= index < settings.count(split):
        raise IndexError(f"image {index} of {split!r}: there are {settings.count(split)}")
    rng = np.random.default_rng([settings.seed, _stream(split), index])
    shown = settings.shown(split)
    turn, place = divmod(index, len(shown))
    if settings.pairs and turn % 2:
        expression, acts, lopsided = _acting(settings, rng, turn)
        first = sample(settings, split, index - len(shown))
        return dataclasses.replace(first, expression=expression, action_units=_floats(acts), lopsided=lopsided)
    drawn = _drawn(settings, rng, shown[place], turn)
    return aligned(drawn) if settings.aligned else drawn


def _drawn(settings: Settings, rng: np.random.Generator, identity: int, turn: int) -> Sample:
    """An image of an identity that is no pair's second, with a tilt, size and place of its own."""
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


def _stream(split: str) -> int:
    if split not in _STREAMS:
        raise ValueError(f"there is no split {split!r}; the splits are {', '.join(SPLITS)}")
    return _STREAMS[split]


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
    """(expression, action units, lopsidedness) of a person's image number `turn`."""
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
            acts[NUMBERS.index(number)] = max(acts[NUMBERS.index(number)], intensity)
    acts = acts + (rng.random(len(NUMBERS)) < 0.12) * rng.uniform(0, 0.3, len(NUMBERS))
    acts[NUMBERS.index(45)] = rng.choice([0.0, rng.uniform(0.2, 0.8), 1.0], p=[0.88, 0.06, 0.06])
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
    acts[NUMBERS.index(45)] = rng.choice([0.0, rng.uniform(0.2, 1), 1.0], p=[0.65, 0.2, 0.15])
    return expression, acts, lopsided
