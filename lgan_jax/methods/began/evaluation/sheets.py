"""The pictures of the evaluation: Fig. 4, 8 and 9 of Bazrafkan et al., and the convergence measure over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lgan_jax.data.kept import evenly
from lgan_jax.evaluation import plots
from lgan_jax.evaluation.report import Sheet
from lgan_jax.landmarks import Scheme
from lgan_jax.media.image_grid import Picture, Row, draw_landmarks, sheet
from lgan_jax.media.images import to_bytes
from lgan_jax.methods.began.evaluation.measures import Known, Made, Maker

_ROWS, _COLUMNS = 3, 8  # of the made faces
_PLACES = 8  # of the plot


def made(faces: Made, scheme: Scheme) -> Sheet:
    """Fig. 8: made faces with their landmarks."""
    return Sheet(
        name="made",
        title="Made faces",
        caption="As Fig. 8 of the paper: faces of random z, and below them with the landmarks that are made of the "
        "same z.",
        image=_with_landmarks(faces, scheme),
    )


def made_near(faces: Made, scheme: Scheme) -> Sheet:
    """The same of z that lie near those of training pictures."""
    return Sheet(
        name="near",
        title="Made faces near training ones",
        caption="Faces of z drawn near those of training pictures, and below them with the landmarks that are made of "
        "the same z. They are people of the training pictures, in other poses.",
        image=_with_landmarks(faces, scheme),
    )


def _with_landmarks(faces: Made, scheme: Scheme) -> Picture:
    size = faces.pictures.shape[1]
    places = evenly(np.arange(len(faces.pictures)), _ROWS * _COLUMNS)
    rows = []
    for start in range(0, len(places) - len(places) % _COLUMNS or len(places), _COLUMNS):
        some = places[start : start + _COLUMNS]
        rows.append(Row("", [faces.pictures[i] for i in some]))
        drawn = [draw_landmarks(faces.landmarks[i], scheme, size, on=faces.pictures[i]) for i in some]
        rows.append(Row("", drawn))
    return sheet(rows, [""] * len(rows[0].cells), size)


def inverted(faces: Known, scheme: Scheme) -> Sheet:
    """Fig. 4: test faces and what the inverse found."""
    size = faces.pictures.shape[1]
    chosen = evenly(np.arange(len(faces.pictures)), _COLUMNS)
    drawn = [draw_landmarks(faces.found[i], scheme, size, on=faces.made[i]) for i in chosen]
    return Sheet(
        name="inverted",
        title="Inverse of the generator",
        caption="As Fig. 4 of the paper: test pictures, the faces made of the z that was found, the same with "
        "their landmarks, and the training pictures that are nearest.",
        image=sheet(
            [
                Row("test picture", list(faces.pictures[chosen])),
                Row("made of its z", list(faces.made[chosen])),
                Row("with landmarks", drawn),
                Row("nearest in training", list(faces.nearest[chosen])),
            ],
            [""] * len(chosen),
            size,
        ),
    )


def way(model: Maker, z: np.ndarray, ends: tuple[Picture, Picture]) -> Sheet:
    """Fig. 9: from a face to its mirror image."""
    return Sheet(
        name="mirror",
        title="From a face to its mirror image",
        caption="As Fig. 9 of the paper: a test picture and its mirror image at the ends, between them the faces "
        "of z on the straight way between theirs, and the same with their landmarks.",
        image=way_picture(model, z, ends),
    )


def way_picture(model: Maker, z: np.ndarray, ends: tuple[Picture, Picture]) -> Picture:
    """Two rows: faces at points of a way through z between the pictures at its ends; the same with landmarks."""
    size, scheme = model.info.size, model.info.scheme
    made_faces = to_bytes(model.generate(z))
    drawn = [draw_landmarks(points, scheme, size, on=face) for points, face in zip(model.landmarks(z), made_faces)]
    columns = ["from", *(str(i + 1) for i in range(len(z))), "to"]
    return sheet([Row("", [ends[0], *made_faces, ends[1]]), Row("", [None, *drawn, None])], columns, size)


def convergence(history: Sequence[tuple[int, float]]) -> Sheet:
    """The convergence measure over the training's steps."""
    chosen = [history[i] for i in evenly(np.arange(len(history)), _PLACES)]
    return Sheet(
        name="convergence",
        title="Convergence measure",
        caption="Berthelot et al.'s measure on validation faces while BEGAN trained: it should fall and stay low.",
        image=plots.plot(
            [f"{step:,}" for step, _ in chosen],
            [plots.Series("this run", [value for _, value in chosen])],
            "step",
            "convergence measure",
        ),
    )
