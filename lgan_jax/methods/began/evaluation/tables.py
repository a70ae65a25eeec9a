"""Result tables of BEGAN's evaluation."""

from __future__ import annotations

import numpy as np

from lgan_jax.evaluation import frechet
from lgan_jax.evaluation.harness import Setup
from lgan_jax.evaluation.tables import Column, Table, measured_rows, scalar
from lgan_jax.methods.began.evaluation.metrics import (
    AVERAGE,
    INVERTED,
    LINEAR,
    MEAN,
    NEAREST,
    OURS,
    STEPS,
    Measured,
    difference,
)

_CONVERGENCE = (Column("measure", "M", "Berthelot et al.'s global measure of convergence", "lower", 4),)
_INVERSION = (
    Column("error", "error", "mean absolute difference from the image, as a share of the range from black to white",
           "lower", 2, True),
)  # fmt: skip
_LANDMARKS = (
    Column("test", "test\nimages", "mean distance from the ground truth", "lower", 2, True),
    Column("generated", "generated\n(dlib)", "mean distance from dlib's landmarks, in detected faces", "lower",
           2, True),
    Column("near", "generated\nnear train.", "the same of faces whose z lie near those of training images", "lower", 2,
           True),
)  # fmt: skip
_SMOOTHNESS = (
    Column("images", "images", "of the mean absolute difference of neighboring images", "lower", 2),
    Column("landmarks", "landmarks", "of the mean distance of neighboring landmarks", "lower", 2),
)


def convergence(setup: Setup, measured: Measured) -> Table | None:
    """The convergence measure at some steps of the training; None without a history."""
    history = setup.history
    if not history:
        return None
    chosen = {"first": 0, "lowest": int(np.argmin([value for _, value in history])), "last": len(history) - 1}
    rows = {f"{name}, step {history[i][0]:,}": {"measure": scalar(history[i][1])} for name, i in chosen.items()}
    return Table(
        key="convergence",
        title="Convergence measure",
        about=f"M = L(x) + |γ·L(x) − L(G(z))| on the validation split, at {len(history)} evaluations during BEGAN "
        "trained.",
        columns=_CONVERGENCE,
        rows=measured_rows(rows, _CONVERGENCE),
        compare=False,
    )


def distances(setup: Setup, measured: Measured) -> Table:
    """Fréchet distances."""
    kinds = {
        frechet.GENERATED: measured.generated.images,
        frechet.NEAR: measured.near.images,
        frechet.TRAINING: measured.test.training,
    }
    return frechet.table(kinds, measured.test.images, setup.dlib, setup.inception)


def inversion(setup: Setup, measured: Measured) -> Table:
    """Errors of inverted test images, and of baselines."""
    test, searched = measured.test, setup.model.searched.error
    kinds = {INVERTED: test.generated, NEAREST: test.nearest, AVERAGE: test.mean}
    training_error = float(searched[searched >= 0].mean()) / 2
    return Table(
        key="inversion",
        title="Inverse of the generator (Eq. 3)",
        about=f"{len(test.images)} test images. The mean error of all training images is {training_error:.2%}.",
        columns=_INVERSION,
        rows=measured_rows(
            {name: {"error": difference(test.images, images)} for name, images in kinds.items()}, _INVERSION
        ),
    )


def landmarks(setup: Setup, measured: Measured) -> Table:
    """Errors of the landmark generator and its baselines, and of dlib for reference."""
    return Table(
        key="landmarks",
        title="Landmarks",
        about=f"{len(measured.test.images)} inverted test images with known landmarks, and as many generated images, "
        "for which dlib's landmarks are the ground truth. 49 inner points, in units of the distance between the outer "
        "eye corners.",
        columns=_LANDMARKS,
        rows=measured_rows(measured.errors, _LANDMARKS, set(measured.errors) - {OURS, MEAN, LINEAR}),
    )


def smoothness(setup: Setup, measured: Measured) -> Table:
    """The largest step of interpolations through z, divided by the mean step."""
    count = len(next(iter(measured.smoothness.values()))["images"])
    return Table(
        key="smoothness",
        title="Interpolations in Z (Fig. 9)",
        about=f"{count} interpolations of each kind, {STEPS} points each: the largest step over the mean one, 1 where "
        "all are alike.",
        columns=_SMOOTHNESS,
        rows=measured_rows(measured.smoothness, _SMOOTHNESS),
        compare=False,
    )
