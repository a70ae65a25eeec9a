"""Image grids of the evaluation: Fig. 4, 8 and 9 of Bazrafkan et al., and the convergence measure over time."""

from __future__ import annotations

import numpy as np

from lgan_jax.evaluation import plots
from lgan_jax.evaluation.harness import Setup
from lgan_jax.evaluation.report import ReportImage, grid
from lgan_jax.media.image_grid import GridRow, Image, draw_landmarks, image_grid
from lgan_jax.media.images import to_bytes
from lgan_jax.methods.began.evaluation.metrics import Generated, Measured
from lgan_jax.ops.spacing import evenly_spaced
from lgan_jax.protocols import LandmarkedGenerator

_ROWS, _COLUMNS = 3, 8  # grid of the generated faces
_LABELS = 8  # axis labels of the plot


def generated(setup: Setup, measured: Measured) -> ReportImage:
    """Fig. 8: generated faces with their landmarks."""
    caption = (
        "As Fig. 8 of the paper: faces of random z; below, the same faces with the landmarks generated from the same z."
    )
    return _with_landmarks("generated", "Generated faces", caption, setup, measured.generated)


def generated_near(setup: Setup, measured: Measured) -> ReportImage:
    """Generated faces of z near those of training images, with their landmarks."""
    caption = (
        "Faces of z near those of training images; below, the same faces with the landmarks generated from the same z. "
        "They have identities of the training images, in other poses."
    )
    return _with_landmarks("near", "Generated faces near training images", caption, setup, measured.near)


def _with_landmarks(name: str, title: str, caption: str, setup: Setup, faces: Generated) -> ReportImage:
    size, scheme = setup.data.info.size, setup.data.info.scheme
    indices = evenly_spaced(np.arange(len(faces.images)), _ROWS * _COLUMNS)
    rows = []
    for start in range(0, len(indices) - len(indices) % _COLUMNS or len(indices), _COLUMNS):
        some = indices[start : start + _COLUMNS]
        rows.append(GridRow("", [faces.images[i] for i in some]))
        drawn = [draw_landmarks(faces.landmarks[i], scheme, size, on=faces.images[i]) for i in some]
        rows.append(GridRow("", drawn))
    return grid(name, title, caption, rows, [""] * len(rows[0].cells), size)


def inverted(setup: Setup, measured: Measured) -> ReportImage:
    """Fig. 4: test images and their inversions."""
    test, info = measured.test, setup.data.info
    chosen = evenly_spaced(np.arange(len(test.images)), _COLUMNS)
    drawn = [draw_landmarks(test.found[i], info.scheme, info.size, on=test.generated[i]) for i in chosen]
    return grid(
        "inverted",
        "Inverse of the generator",
        "As Fig. 4 of the paper: test images, the faces generated from their z, the same faces with their landmarks, "
        "and the nearest training images.",
        [
            GridRow("test image", list(test.images[chosen])),
            GridRow("generated from its z", list(test.generated[chosen])),
            GridRow("with landmarks", drawn),
            GridRow("nearest in training", list(test.nearest[chosen])),
        ],
        [""] * len(chosen),
        info.size,
    )


def mirror(setup: Setup, measured: Measured) -> ReportImage:
    """Fig. 9: interpolation from a face to its mirror image."""
    return ReportImage(
        "mirror",
        "Interpolation from a face to its mirror image",
        "As Fig. 9 of the paper: a test image and its mirror image at the ends; between them, faces of interpolated z, "
        "and the same faces with their landmarks.",
        interpolation_grid(setup.model, *measured.mirror),
    )


def interpolation_grid(model: LandmarkedGenerator, z: np.ndarray, ends: tuple[Image, Image]) -> Image:
    """Two rows: faces of interpolated z between the images at the ends; the same with landmarks."""
    size, scheme = model.info.size, model.info.scheme
    faces = to_bytes(model.generate(z))
    drawn = [draw_landmarks(points, scheme, size, on=face) for points, face in zip(model.landmarks(z), faces)]
    columns = ["from", *(str(i + 1) for i in range(len(z))), "to"]
    return image_grid([GridRow("", [ends[0], *faces, ends[1]]), GridRow("", [None, *drawn, None])], columns, size)


def convergence(setup: Setup, measured: Measured) -> ReportImage | None:
    """Plot of the convergence measure over the training steps; None with fewer than two values."""
    if len(setup.history) < 2:
        return None
    chosen = [setup.history[i] for i in evenly_spaced(np.arange(len(setup.history)), _LABELS)]
    return plots.plot(
        "convergence",
        "Convergence measure",
        "Berthelot et al.'s measure on the validation split during BEGAN's training: it should decrease and stay low.",
        [f"{step:,}" for step, _ in chosen],
        [plots.Series("this run", [value for _, value in chosen])],
        "step",
        "convergence measure",
    )
