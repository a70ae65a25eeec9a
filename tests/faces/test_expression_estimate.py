"""Expressions estimated from action units."""

import numpy as np
import pytest

from lgan_jax.action_units import EXPRESSIONS, NUMBERS, expression_units, units
from lgan_jax.data.synthetic import Settings, sample
from lgan_jax.faces.expression_estimate import UNCLEAR, estimate
from lgan_jax.faces.unit_estimate import ESTIMATED

NEUTRAL = EXPRESSIONS.index("neutral")
REST = np.zeros((40, len(NUMBERS)), np.float32)
UNSEEN = [i for i, number in enumerate(NUMBERS) if number not in ESTIMATED]


def of(*rows, rest=REST):
    """The names of what these frames of a person show, who otherwise is at rest."""
    labels = estimate(np.concatenate([rest, np.stack(rows)]))
    assert (labels[: len(rest)] == NEUTRAL).all()
    return [EXPRESSIONS[label] if label != UNCLEAR else "unclear" for label in labels[len(rest) :]]


@pytest.mark.parametrize("strength", [0.6, 1.0])
def test_the_usual_combinations_are_told(strength):
    assert of(*(strength * expression_units(name) for name in EXPRESSIONS)) == list(EXPRESSIONS)


def test_expressions_whose_units_are_not_seen_are_not_told():
    shown = np.stack([expression_units(name) for name in EXPRESSIONS])
    shown[:, UNSEEN] = 0
    told = of(*shown)
    for name, found in zip(EXPRESSIONS, told):
        if name not in ("contempt", "disgust"):
            assert found == name
    assert not {"contempt", "disgust"} & set(told)


def test_strength_is_relative_to_what_the_person_shows():
    """By 0.6 of a whole smile it is full; 0.3 to 0.4 of that are unclear, and less is neutral."""
    smile = 0.6 * expression_units("happiness")
    many = np.concatenate([REST, np.stack([smile] * 6)])
    labels = estimate(np.concatenate([many, np.stack([share * smile for share in (0.25, 0.35, 0.45)])]))
    happiness = EXPRESSIONS.index("happiness")
    assert labels[-9:].tolist() == [happiness] * 6 + [NEUTRAL, UNCLEAR, happiness]


def test_the_usual_face_is_neutral_and_talking_is_no_expression():
    usual = units({12: 0.4, 4: 0.3})
    assert of(expression_units("surprise"), usual, rest=REST + usual) == ["surprise", "neutral"]
    assert of(units({25: 0.4, 26: 0.15}), units({45: 1.0}), expression_units("anger")) == [
        "neutral",
        "neutral",
        "anger",
    ]
    assert estimate(expression_units("anger")[None]).tolist() == [NEUTRAL]  # nothing to compare it with


def test_agrees_with_what_the_built_in_faces_act():
    settings = Settings(identities=1, train_per_identity=240)
    shown = [sample(settings, "train", i) for i in range(240)]
    labels = estimate(np.array([each.action_units for each in shown], np.float32))
    clear = labels != UNCLEAR
    assert clear.mean() > 0.95
    assert (labels == [each.expression for each in shown])[clear].mean() > 0.97
