"""Image grids of LandmarkGAN's evaluation: driving, Fig. 6 of Sun et al., the baselines, the worst pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int

from lgan_jax.core import FaceInfo
from lgan_jax.evaluation.harness import Setup
from lgan_jax.evaluation.report import ReportImage, grid
from lgan_jax.landmarks import Scheme
from lgan_jax.media.image_grid import GridRow, draw_landmarks
from lgan_jax.methods.landmarkgan.evaluation.baselines import DIRECT, OURS
from lgan_jax.methods.landmarkgan.evaluation.reenactment import Cases, Frames, Measured, detect

_MAX_IDENTITIES = 8
_MAX_FAILURES = 8


def driving(setup: Setup, measured: Measured) -> ReportImage:
    """Reenactment of every identity by every identity."""
    info, rows = setup.data.info, []
    targets = np.arange(min(len(info.identities), _MAX_IDENTITIES))
    for frames in measured.people[:_MAX_IDENTITIES]:
        i = strongest_expression(frames, info.scheme)
        points = np.repeat(frames.landmarks[i : i + 1], len(targets), 0)
        drivers = np.full(len(targets), frames.identity)
        converted = np.asarray(setup.model.convert(points, targets, driver=drivers))
        drawn = [draw_landmarks(p, info.scheme, info.size) for p in (frames.landmarks[i], *converted)]
        generated = measured.reenacting[OURS](points, targets, drivers)
        rows.append(GridRow(info.identities[frames.identity], [frames.images[i], *generated]))
        rows.append(GridRow("landmarks, converted", drawn))
    return grid(
        "driving",
        "Reenactment of all pairs",
        "Left: a driving frame and its landmarks. To its right, for every target: the generated face, and the "
        "converted landmarks it was generated from. A column should have one identity; a row should have one "
        "expression and pose.",
        rows,
        ["driving", *(info.identities[t] for t in targets)],
        info.size,
    )


def converter(setup: Setup, measured: Measured) -> ReportImage | None:
    """Fig. 6 of the paper; None with a single identity."""
    if not measured.reenactment:
        return None
    info, rows = setup.data.info, []
    for heading, image, points, *pair in _neighbors(info, measured):
        converted = np.asarray(setup.model.convert(points, pair[0], driver=pair[1]))
        cells = [
            image,
            draw_landmarks(points[0], info.scheme, info.size),
            measured.reenacting[DIRECT](points, *pair)[0],
            draw_landmarks(converted[0], info.scheme, info.size),
            measured.reenacting[OURS](points, *pair)[0],
        ]
        rows.append(GridRow(heading, cells))
    return grid(
        "converter",
        "With and without the converter",
        "As Fig. 6 of the paper. The target's generator with the source's landmarks unchanged, and after conversion "
        "to the target's face shape.",
        rows,
        ["driving", "landmarks", "without converter", "converted landmarks", "with converter"],
        info.size,
    )


def baselines(setup: Setup, measured: Measured) -> ReportImage | None:
    """The rows of the reenactment table; None with a single identity."""
    if not measured.reenactment:
        return None
    rows = [
        GridRow(heading, [image, *(generator(points, *pair)[0] for generator in measured.reenacting.values())])
        for heading, image, points, *pair in _neighbors(setup.data.info, measured)
    ]
    return grid(
        "baselines",
        "Comparison with the baselines",
        "The same landmarks for every generator of the first table. The nearest training frame is a real frame of the "
        "target, so it is sharp, but its expression and pose are approximate; the mean face ignores landmarks.",
        rows,
        ["driving", *measured.reenacting],
        setup.data.info.size,
    )


def failures(setup: Setup, measured: Measured) -> ReportImage | None:
    """The model's worst pairs; None with a single identity."""
    if not measured.reenactment:
        return None
    info, generator, cases = setup.data.info, measured.reenacting[OURS], measured.reenactment[OURS]
    by_identity, rows = {frames.identity: frames for frames in measured.people}, []
    for i in worst(cases):
        source, driver, target = by_identity[int(cases.source[i])], cases.source[i : i + 1], cases.target[i : i + 1]
        points = source.landmarks[cases.frame[i]][None]
        generated = generator(points, target, driver)
        returned = generator(detect(setup.model, generated), driver, target)[0]
        converted = np.asarray(setup.model.convert(points, target, driver=driver))[0]
        converted = draw_landmarks(converted, info.scheme, info.size)
        cells = [source.images[cases.frame[i]], converted, generated[0], returned]
        rows.append(GridRow(_arrow(info, source.identity, int(target[0])), cells, ("", "", *_reasons(cases, int(i)))))
    return grid(
        "failures",
        "The worst pairs",
        "Faces that dlib does not find, and the largest landmark errors after the cycle to the target and back; at "
        "most one row per pair of identities.",
        rows,
        ["driving", "converted landmarks", "generated", "returned"],
        info.size,
    )


def reconstruction(setup: Setup, measured: Measured) -> ReportImage:
    """The rows of the reconstruction table."""
    info, rows = setup.data.info, []
    for frames in measured.people[:_MAX_IDENTITIES]:
        i = strongest_expression(frames, info.scheme)
        points, own = frames.landmarks[i : i + 1], np.array([frames.identity])
        cells = [frames.images[i], draw_landmarks(points[0], info.scheme, info.size)]
        cells += [generator(points, own, own)[0] for generator in measured.reconstructing.values()]
        rows.append(GridRow(info.identities[frames.identity], cells))
    return grid(
        "reconstruction-images",
        "Reconstruction",
        f"A {setup.settings.split} frame, its landmarks, and the frame generated from them, without conversion.",
        rows,
        [f"{setup.settings.split} frame", "landmarks", *measured.reconstructing],
        info.size,
    )


def strongest_expression(frames: Frames, scheme: Scheme) -> int:
    """Index of the frame with the strongest expression.

    Its inner landmarks are farthest from an affine transform of the person's mean. Head motion is nearly affine;
    opening the mouth or closing the eyes is not.
    """
    points = frames.landmarks[:, scheme.inner].astype(np.float64)
    mean = np.concatenate([points.mean(0), np.ones((points.shape[1], 1))], 1)
    rest = [((mean @ np.linalg.lstsq(mean, face, rcond=None)[0] - face) ** 2).sum() for face in points]
    return int(np.argmax(rest))


def worst(cases: Cases) -> Int[np.ndarray, " k"]:
    """Indices of the worst pairs, one per (source, target): up to half without a detected face, the rest by error.

    The error is dlib's; without dlib, the LMK of the run's own detector.
    """
    metrics = cases.metrics
    by_dlib = not np.isnan(metrics["lmk"]).all()
    errors = np.where(np.isnan(metrics["lmk"]), -1, metrics["lmk"]) if by_dlib else metrics["own_lmk"]
    lost = ~(metrics["generated_found"] & metrics["returned_found"]) & by_dlib
    missing = _one_of_each(cases, np.flatnonzero(lost))
    ranked = _one_of_each(cases, np.argsort(-errors, kind="stable"))
    room = max(_MAX_FAILURES - len(ranked), _MAX_FAILURES // 2)
    chosen = [*missing[:room], *(i for i in ranked if i not in missing[:room])]
    return np.array(chosen[:_MAX_FAILURES], np.int64)


def _one_of_each(cases: Cases, order: np.ndarray) -> list[int]:
    first: dict[tuple[int, int], int] = {}
    for i in order.tolist():
        first.setdefault((int(cases.source[i]), int(cases.target[i])), i)
    return list(first.values())


def _reasons(cases: Cases, i: int) -> tuple[str, str]:
    """The captions under the generated and the returned face."""
    metrics = cases.metrics
    if np.isnan(metrics["lmk"]).all():
        return "", f"LMK {metrics['own_lmk'][i]:.2f} (own)"
    if np.isnan(metrics["error"][i]):
        after = "original not found" if metrics["returned_found"][i] else "not found"
    else:
        after = f"error {metrics['error'][i]:.1%}"
    return "" if metrics["generated_found"][i] else "not found", after


def _neighbors(
    info: FaceInfo, measured: Measured
) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """For every source: a heading, its frame of strongest expression, its landmarks, the next identity, and its own."""
    for frames in measured.people[:_MAX_IDENTITIES]:
        i, target = strongest_expression(frames, info.scheme), (frames.identity + 1) % len(info.identities)
        heading = _arrow(info, frames.identity, target)
        yield heading, frames.images[i], frames.landmarks[i : i + 1], np.array([target]), np.array([frames.identity])


def _arrow(info: FaceInfo, source: int, target: int) -> str:
    return f"{info.identities[source]} → {info.identities[target]}"
