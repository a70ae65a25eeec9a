"""The pictures of the evaluation: Fig. 7, 8 and 9 of Li et al."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lgan_jax.action_units import EXPRESSIONS
from lgan_jax.data import FaceData
from lgan_jax.data.kept import evenly
from lgan_jax.evaluation.report import Sheet
from lgan_jax.media.image_grid import Row, draw_landmarks, sheet
from lgan_jax.methods.expression.evaluation.cases import Cases, Pictures, names, of_each_expression, strangers
from lgan_jax.methods.expression.evaluation.measures import Model, made_by
from lgan_jax.methods.expression.evaluation.tables import OURS, TRUTH

_PEOPLE, _COLUMNS, _STRANGERS, _BLOCKS = 3, 8, 12, 2  # of Fig. 7, 9, 8; columns of threes in Fig. 8


def sheets(data: FaceData, model: Model, cases: Cases, made: Mapping[str, Pictures]) -> list[Sheet]:
    """All sheets.

    Args:
      data: where the cases are from.
      model: the run's.
      cases: the measured couples.
      made: faces made of them, by this run under `OURS` and by the runs that it is compared with.
    """
    pictures = [_examples(cases, made, data.info.size), _expressions(data, model)]
    others = strangers(data, cases)
    return pictures if others is None else [*pictures, _other_people(data, model, others)]


def _examples(cases: Cases, made: Mapping[str, Pictures], size: int) -> Sheet:
    chosen = _varied(cases, _COLUMNS)
    rows = {"source": cases.pictures, TRUTH: cases.true, **made}
    return Sheet(
        name="examples",
        title="Test people",
        caption="As Fig. 9 of the paper: sources; other pictures of the same people, whose landmarks and expressions "
        "are asked for; what is made of the sources. Nobody here was seen in training.",
        image=sheet(
            [Row(name, list(pictures[chosen])) for name, pictures in rows.items()],
            names(cases.expression[chosen]),
            size,
        ),
    )


def _expressions(data: FaceData, model: Model) -> Sheet:
    people = of_each_expression(data, _PEOPLE)
    asked = sorted({int(each) for cases in people for each in cases.expression})
    rows = []
    for cases in people:
        made = made_by(model, cases)
        places = [np.flatnonzero(cases.expression == each) for each in asked]
        for name, pictures, source in ((OURS, made, cases.pictures[0]), (TRUTH, cases.true, None)):
            rows.append(Row(name, [source, *(pictures[place[0]] if len(place) else None for place in places)]))
    return Sheet(
        name="expressions",
        title="Every expression from one picture",
        caption="As Fig. 7 of the paper (without ExprGAN): of each person one picture, on the left, and every "
        "expression that the data has of the person, made and true. An empty place: the data has none to ask for.",
        image=sheet(rows, ["source", *(EXPRESSIONS[each] for each in asked)], data.info.size),
    )


def _other_people(data: FaceData, model: Model, others: Cases) -> Sheet:
    shown = others.at(_varied(others, _STRANGERS))
    made, cells, captions = made_by(model, shown), [], []
    for i, name in enumerate(names(shown.expression)):
        lent = draw_landmarks(shown.landmarks[i], data.info.scheme, data.info.size, on=shown.true[i])
        cells += [shown.pictures[i], lent, made[i]]
        captions += ["", name, ""]
    missing = -len(cells) % (3 * _BLOCKS)
    cells, captions = cells + [None] * missing, captions + [""] * missing
    starts = range(0, len(cells), 3 * _BLOCKS)
    rows = [Row("", cells[i : i + 3 * _BLOCKS], captions[i : i + 3 * _BLOCKS]) for i in starts]
    return Sheet(
        name="strangers",
        title="Landmarks of another person",
        caption="As Fig. 8 of the paper, in threes: the source, another test person whose landmarks and expression "
        "are asked for, and what is made. The face's shape follows the landmarks; skin, hair and place should stay.",
        image=sheet(rows, ["source", "landmarks of", "made"] * _BLOCKS, data.info.size),
    )


def _varied(cases: Cases, count: int) -> np.ndarray:
    """Some of the cases, evenly from those sorted by expression."""
    return evenly(np.argsort(cases.expression, kind="stable"), count)
