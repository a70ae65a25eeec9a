"""Image grids of the evaluation: Fig. 7, 8 and 9 of Li et al."""

from __future__ import annotations

import numpy as np

from lgan_jax.action_units import EXPRESSIONS
from lgan_jax.evaluation.harness import Setup
from lgan_jax.evaluation.report import ReportImage, grid
from lgan_jax.media.image_grid import GridRow, draw_landmarks
from lgan_jax.methods.expression.evaluation.metrics import GROUND_TRUTH, OURS, Measured, synthesized
from lgan_jax.methods.expression.evaluation.pairs import Pairs, across_people, names, of_each_expression
from lgan_jax.ops.spacing import evenly_spaced

_PEOPLE, _COLUMNS, _OTHERS, _BLOCKS = 3, 8, 12, 2  # of Fig. 7, 9, 8; columns of threes in Fig. 8


def examples(setup: Setup, measured: Measured) -> ReportImage:
    """Fig. 9: this run and others on test people."""
    pairs, chosen = measured.pairs, _by_expression(measured.pairs, _COLUMNS)
    rows = {"source": pairs.images, GROUND_TRUTH: pairs.ground_truth, **measured.images}
    return grid(
        "examples",
        "Test people",
        "As Fig. 9 of the paper: sources; the ground truth, other images of the same people, which give landmarks and "
        "expression; and the images synthesized from the sources. Nobody here was seen in training.",
        [GridRow(name, list(images[chosen])) for name, images in rows.items()],
        names(pairs.expression[chosen]),
        setup.data.info.size,
    )


def every_expression(setup: Setup, measured: Measured) -> ReportImage:
    """Fig. 7: every expression of a person from one image."""
    people = of_each_expression(setup.data, _PEOPLE)
    columns = sorted({int(each) for pairs in people for each in pairs.expression})
    rows = []
    for pairs in people:
        indices = [np.flatnonzero(pairs.expression == each) for each in columns]
        for name, images, source in (
            (OURS, synthesized(setup.model, pairs), pairs.images[0]),
            (GROUND_TRUTH, pairs.ground_truth, None),
        ):
            rows.append(GridRow(name, [source, *(images[index[0]] if len(index) else None for index in indices)]))
    return grid(
        "expressions",
        "Every expression from one image",
        "As Fig. 7 of the paper (without ExprGAN): of each person one source, on the left, and every expression that "
        "the data have of the person, synthesized and as ground truth. An empty cell: the data have none.",
        rows,
        ["source", *(EXPRESSIONS[each] for each in columns)],
        setup.data.info.size,
    )


def landmarks_of_others(setup: Setup, measured: Measured) -> ReportImage | None:
    """Fig. 8: landmarks and expression of another person; None with one test person."""
    others, info = across_people(setup.data, measured.pairs), setup.data.info
    if others is None:
        return None
    shown = others.at(_by_expression(others, _OTHERS))
    images, cells, captions = synthesized(setup.model, shown), [], []
    for i, name in enumerate(names(shown.expression)):
        lent = draw_landmarks(shown.landmarks[i], info.scheme, info.size, on=shown.ground_truth[i])
        cells += [shown.images[i], lent, images[i]]
        captions += ["", name, ""]
    missing = -len(cells) % (3 * _BLOCKS)
    cells, captions = cells + [None] * missing, captions + [""] * missing
    starts = range(0, len(cells), 3 * _BLOCKS)
    return grid(
        "landmarks-of-others",
        "Landmarks of another person",
        "As Fig. 8 of the paper, in threes: the source, another test person who gives landmarks and expression, and "
        "the synthesized image. The face's shape follows the landmarks; skin, hair and background should stay.",
        [GridRow("", cells[i : i + 3 * _BLOCKS], captions[i : i + 3 * _BLOCKS]) for i in starts],
        ["source", "landmarks of", "synthesized"] * _BLOCKS,
        info.size,
    )


def _by_expression(pairs: Pairs, count: int) -> np.ndarray:
    """Some of the pairs, evenly from those sorted by expression."""
    return evenly_spaced(np.argsort(pairs.expression, kind="stable"), count)
