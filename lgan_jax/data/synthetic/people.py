"""The people of the built-in faces: everything about a person that does not change from image to image."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

HairStyle = Literal["bald", "buzz", "short", "parted", "curly", "bob", "long", "fringe", "bun"]
Colour = tuple[float, float, float]  # RGB in [0, 1], as reflectance (before light)

_NAMES = ("ada", "ben", "chloe", "dario", "emi", "femi", "greta", "hugo", "ines", "jonas", "kiran", "lena")
_NAMES += ("malik", "nora", "omar", "pia", "quinn", "rosa", "sven", "tara", "umar", "vera", "wim", "yuki")

_SKINS = {
    "pale": (0.95, 0.78, 0.70),
    "light": (0.90, 0.70, 0.58),
    "olive": (0.80, 0.60, 0.45),
    "tan": (0.70, 0.48, 0.34),
    "brown": (0.54, 0.35, 0.24),
    "dark": (0.44, 0.28, 0.20),
}
_HAIRS = {
    "black": (0.075, 0.06, 0.06),
    "dark brown": (0.17, 0.105, 0.07),
    "brown": (0.30, 0.18, 0.105),
    "red": (0.50, 0.21, 0.09),
    "blond": (0.72, 0.54, 0.29),
    "grey": (0.62, 0.61, 0.60),
}
_EYES = {
    "brown": (0.26, 0.14, 0.07),
    "dark": (0.13, 0.08, 0.05),
    "green": (0.28, 0.42, 0.22),
    "blue": (0.24, 0.44, 0.66),
    "grey": (0.42, 0.48, 0.52),
}


@dataclasses.dataclass(frozen=True)
class Person:
    """One person. Numbers without a unit scale the mean head (1 is the mean); offsets are in distances between the
    outer eye corners. Heads are symmetric except for `parting`, the side of the hair's parting (-1, 0 or 1)."""

    # shape of the head
    face_width: float = 1.0
    jaw_width: float = 1.0
    chin_length: float = 1.0
    chin_width: float = 1.0
    cheeks: float = 0.0
    forehead: float = 1.0
    # features
    eye_size: float = 1.0
    eye_height: float = 1.0
    eye_tilt: float = 0.0
    eye_spacing: float = 1.0
    brow_height: float = 0.0
    brow_arch: float = 1.0
    brow_thickness: float = 1.0
    nose_length: float = 1.0
    nose_width: float = 1.0
    nose_height: float = 1.0
    mouth_width: float = 1.0
    mouth_height: float = 0.0
    lip_thickness: float = 1.0
    ears: float = 1.0
    age: float = 0.2
    # colors
    skin: Colour = _SKINS["light"]
    lips: Colour = (0.78, 0.42, 0.40)
    iris: Colour = _EYES["brown"]
    hair: Colour = _HAIRS["brown"]
    brow: Colour = _HAIRS["dark brown"]
    lashes: float = 0.5
    blush: float = 0.5
    freckles: float = 0.0
    # hair, beard, glasses, clothes
    hair_style: HairStyle = "short"
    hairline: float = 0.0
    parting: int = 0
    beard: float = 0.0
    moustache: float = 0.0
    glasses: bool = False
    clothes: Colour = (0.25, 0.35, 0.55)
    collar: Literal["round", "v", "shirt"] = "round"
    pattern: int = 0  # seed of what is drawn at random on a person: freckles, strands of hair

    @property
    def ears_hidden(self) -> bool:
        """Whether hair lies over the ears."""
        return self.hair_style in ("curly", "bob", "long", "fringe")


_FEMININE = {"jaw_width": 0.95, "chin_width": 0.9, "brow_thickness": 0.72, "lashes": 0.9, "lip_thickness": 1.12}
_MASCULINE = {"jaw_width": 1.05, "chin_width": 1.1, "brow_thickness": 1.25, "lashes": 0.25, "nose_width": 1.05}

# The first five people of any seed, easy to tell apart: sex, age, skin, hair.
_CAST: tuple[dict, ...] = (
    _FEMININE
    | {"skin": _SKINS["pale"], "hair": _HAIRS["red"], "brow": (0.36, 0.17, 0.09), "iris": _EYES["green"]}
    | {"lips": (0.80, 0.38, 0.36), "hair_style": "long", "parting": 1, "freckles": 0.8, "age": 0.1, "eye_size": 1.05}
    | {"clothes": (0.13, 0.42, 0.40), "collar": "v"},
    _MASCULINE
    | {"skin": _SKINS["dark"], "hair": _HAIRS["black"], "brow": (0.05, 0.04, 0.04), "iris": _EYES["dark"]}
    | {"lips": (0.60, 0.30, 0.28), "hair_style": "buzz", "beard": 0.55, "moustache": 0.2, "age": 0.3}
    | {"nose_width": 1.1, "nose_height": 0.9, "lip_thickness": 1.35, "face_width": 1.03, "clothes": (0.78, 0.62, 0.20)},
    _FEMININE
    | {"skin": _SKINS["tan"], "hair": _HAIRS["dark brown"], "brow": (0.12, 0.08, 0.06), "iris": _EYES["brown"]}
    | {"lips": (0.66, 0.26, 0.27), "hair_style": "curly", "age": 0.2, "face_width": 1.02, "cheeks": 0.6}
    | {"lip_thickness": 1.25, "nose_width": 1.05, "clothes": (0.62, 0.20, 0.30), "eye_size": 1.06},
    _MASCULINE
    | {"skin": _SKINS["light"], "hair": _HAIRS["grey"], "brow": (0.42, 0.40, 0.39), "iris": _EYES["blue"]}
    | {"lips": (0.70, 0.35, 0.33), "hair_style": "parted", "parting": -1, "hairline": 0.1, "age": 1.0}
    | {"glasses": True, "lip_thickness": 0.9, "nose_length": 1.05, "clothes": (0.30, 0.38, 0.55), "collar": "shirt"},
    _FEMININE
    | {"skin": (0.93, 0.75, 0.60), "hair": _HAIRS["black"], "brow": (0.08, 0.07, 0.07), "iris": _EYES["dark"]}
    | {"lips": (0.82, 0.40, 0.42), "hair_style": "fringe", "age": 0.05, "face_width": 1.03, "eye_height": 0.85}
    | {"eye_tilt": 0.02, "nose_height": 0.85, "clothes": (0.92, 0.90, 0.86)},
)


def names(count: int) -> tuple[str, ...]:
    """Friendly, distinct names of the first `count` identities."""
    rounds = (index // len(_NAMES) for index in range(count))
    return tuple(_NAMES[i % len(_NAMES)] + (str(again + 1) if again else "") for i, again in enumerate(rounds))


def person(seed: int, identity: int) -> Person:
    """The person of that number: always the same for the same `seed`.

    The first five are a cast that differs in sex, age, skin and hair; `seed` changes their shape. All others are drawn
    at random. Raises `ValueError` for a negative number.
    """
    if seed < 0 or identity < 0:
        raise ValueError(f"seed and identity must not be negative, they are {seed} and {identity}")
    rng = np.random.default_rng([seed, 71, identity])
    traits = _CAST[identity] if identity < len(_CAST) else _traits(rng)
    return _shaped(traits, rng)


def stranger(rng: np.random.Generator) -> Person:
    """A person drawn at random."""
    return _shaped(_traits(rng), rng)


def _traits(rng: np.random.Generator) -> dict:
    """Sex, age, colors, hair and clothes at random."""
    feminine = bool(rng.random() < 0.5)
    age = float(rng.beta(1.2, 1.8))
    skin_name = rng.choice(list(_SKINS))
    skin = np.array(_SKINS[skin_name]) * rng.uniform(0.94, 1.05)
    fair = skin_name in ("pale", "light")
    hair_names = list(_HAIRS)[: 5 if fair else 3]
    hair = np.array(_HAIRS["grey" if rng.random() < 0.8 * (age - 0.3) else rng.choice(hair_names)])
    iris = np.array(_EYES[rng.choice(list(_EYES) if fair else ["brown", "dark"])])
    lips = skin * (0.86, 0.55, 0.58) + rng.uniform(0, 0.25 if feminine else 0.06) * np.array([0.3, -0.25, -0.2])
    styles = (
        ["curly", "bob", "long", "fringe", "bun", "short"]
        if feminine
        else ["bald", "buzz", "buzz", "short", "short", "short", "parted", "parted"]
    )
    traits = dict(_FEMININE if feminine else _MASCULINE)
    traits |= {"skin": skin, "lips": lips, "iris": iris, "hair": hair, "brow": hair * 0.55 + 0.02, "age": age}
    traits |= {"hair_style": str(rng.choice(styles)), "parting": int(rng.integers(-1, 2))}
    traits |= {"hairline": float(rng.uniform(-0.05, 0.05 if feminine else 0.12))}
    traits |= {"freckles": float(fair * max(0.0, rng.uniform(-1, 1))), "glasses": bool(rng.random() < 0.12)}
    if not feminine:
        beard = max(0.0, float(rng.uniform(-0.7, 1.0)))
        traits |= {"beard": beard, "moustache": max(beard, float(rng.uniform(-0.8, 0.9)), 0.0)}
    traits |= {"clothes": rng.uniform(0.1, 0.85, 3), "collar": str(rng.choice(["round", "v", "shirt"]))}
    return traits


def _shaped(traits: dict, rng: np.random.Generator) -> Person:
    """A person of those traits with a shape of the head of its own."""
    spreads = {"face_width": 0.025, "jaw_width": 0.03, "chin_length": 0.025, "chin_width": 0.08, "forehead": 0.03}
    spreads |= {"eye_size": 0.035, "eye_height": 0.08, "eye_spacing": 0.02, "brow_arch": 0.25, "nose_length": 0.035}
    spreads |= {"nose_width": 0.06, "nose_height": 0.1, "mouth_width": 0.045, "lip_thickness": 0.1, "ears": 0.1}
    spreads |= {"brow_thickness": 0.1}
    offsets = {"cheeks": 0.3, "eye_tilt": 0.008, "brow_height": 0.012, "mouth_height": 0.015, "blush": 0.2}
    values = dict(traits)
    for name, spread in spreads.items():
        values[name] = traits.get(name, 1.0) * (1 + spread * float(np.clip(rng.normal(), -2, 2)))
    for name, spread in offsets.items():
        base = traits.get(name, 0.5 if name == "blush" else 0.0)
        values[name] = base + spread * float(np.clip(rng.normal(), -2, 2))
    for name in ("skin", "lips", "iris", "hair", "brow", "clothes"):
        red, green, blue = np.clip(values[name], 0.0, 1.0)
        values[name] = (float(red), float(green), float(blue))
    return Person(**values, pattern=int(rng.integers(2**31)))
