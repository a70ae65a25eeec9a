"""The pictures of LandmarkGAN's evaluation: who drives whom, Fig. 6 of Sun et al., the baselines, the worst pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Int

from lgan_jax.core import FaceInfo
from lgan_jax.evaluation.report import Sheet
from lgan_jax.landmarks import Scheme
from lgan_jax.media.image_grid import Row, draw_landmarks, sheet
from lgan_jax.methods.landmarkgan.evaluation.makers import Maker, Model
from lgan_jax.methods.landmarkgan.evaluation.reenactment import Frames, Pairs, detect

_MOST_PEOPLE = 8
_MOST_FAILURES = 8


def sheets(
    model: Model,
    info: FaceInfo,
    people: Sequence[Frames],
    makers: Mapping[str, Maker],
    redrawers: Mapping[str, Maker],
    pairs: Pairs | None,
) -> list[Sheet]:
    """All sheets; those that need a second identity only where `pairs` (the model's own) are given.

    Args:
      model: converts and detects.
      info: scheme, size and names.
      people: the measured frames.
      makers: the rows of the reenactment table; the first is the model with its converter.
      redrawers: the rows of the reconstruction table.
      pairs: the model's values, which say where it failed.
    """
    shown = people[:_MOST_PEOPLE]
    made = [_driving(model, info, shown, next(iter(makers.values())))]
    if pairs is not None:
        made += [
            _converter(model, info, shown, makers),
            _baselines(info, shown, makers),
            _failures(model, info, people, next(iter(makers.values())), pairs),
        ]
    return [*made, _redrawn(info, shown, redrawers)]


def liveliest(frames: Frames, scheme: Scheme) -> int:
    """The frame with the strongest expression.

    The one whose inner landmarks are farthest from an affine image of the person's mean: turning, nodding and moving
    the head is nearly affine, opening the mouth or closing the eyes is not.
    """
    points = frames.landmarks[:, scheme.inner].astype(np.float64)
    mean = np.concatenate([points.mean(0), np.ones((points.shape[1], 1))], 1)
    rest = [((mean @ np.linalg.lstsq(mean, face, rcond=None)[0] - face) ** 2).sum() for face in points]
    return int(np.argmax(rest))


def _driving(model: Model, info: FaceInfo, people: Sequence[Frames], maker: Maker) -> Sheet:
    targets = np.arange(min(len(info.identities), _MOST_PEOPLE))
    rows = []
    for frames in people:
        i = liveliest(frames, info.scheme)
        points = np.repeat(frames.landmarks[i : i + 1], len(targets), 0)
        converted = np.asarray(model.convert(points, targets))
        drawn = [draw_landmarks(p, info.scheme, info.size) for p in (frames.landmarks[i], *converted)]
        rows.append(Row(info.identities[frames.identity], [frames.pictures[i], *maker(points, targets)]))
        rows.append(Row("landmarks, converted", drawn))
    return Sheet(
        name="driving",
        title="Who drives whom",
        caption="Left: a held-out frame and its landmarks. To its right, for every target: the face made, and the "
        "converted landmarks it was made from. Down a column the person should stay the same; along a row, the "
        "expression and the pose.",
        image=sheet(rows, ["driving", *(info.identities[t] for t in targets)], info.size),
    )


def _converter(model: Model, info: FaceInfo, people: Sequence[Frames], makers: Mapping[str, Maker]) -> Sheet:
    ours, direct = list(makers.values())[:2]
    rows = []
    for frames, points, target in _neighbours(info, people):
        converted = np.asarray(model.convert(points, target))
        cells = [
            frames.pictures[liveliest(frames, info.scheme)],
            draw_landmarks(points[0], info.scheme, info.size),
            direct(points, target)[0],
            draw_landmarks(converted[0], info.scheme, info.size),
            ours(points, target)[0],
        ]
        rows.append(Row(_arrow(info, frames.identity, int(target[0])), cells))
    return Sheet(
        name="converter",
        title="With and without the converter",
        caption="As Fig. 6 of the paper. The source's landmarks fed to the target's generator as they are, and after "
        "the converter has given them the target's shape.",
        image=sheet(
            rows, ["driving", "landmarks", "without converter", "converted landmarks", "with converter"], info.size
        ),
    )


def _baselines(info: FaceInfo, people: Sequence[Frames], makers: Mapping[str, Maker]) -> Sheet:
    rows = []
    for frames, points, target in _neighbours(info, people):
        cells = [
            frames.pictures[liveliest(frames, info.scheme)],
            *(maker(points, target)[0] for maker in makers.values()),
        ]
        rows.append(Row(_arrow(info, frames.identity, int(target[0])), cells))
    return Sheet(
        name="baselines",
        title="Beside the baselines",
        caption="The same landmarks given to every row of the first table. The nearest training frame is a real frame "
        "of the target, so it is sharp, but its expression and pose are only near; the mean face ignores landmarks.",
        image=sheet(rows, ["driving", *makers], info.size),
    )


def _failures(model: Model, info: FaceInfo, people: Sequence[Frames], maker: Maker, pairs: Pairs) -> Sheet:
    by_identity = {frames.identity: frames for frames in people}
    rows = []
    for i in worst(pairs):
        source, target = by_identity[int(pairs.source[i])], pairs.target[i : i + 1]
        points = source.landmarks[pairs.frame[i]][None]
        made = maker(points, target)
        back = maker(detect(model, made), pairs.source[i : i + 1])[0]
        converted = draw_landmarks(np.asarray(model.convert(points, target))[0], info.scheme, info.size)
        rows.append(
            Row(
                _arrow(info, source.identity, int(target[0])),
                [source.pictures[pairs.frame[i]], converted, made[0], back],
                ("", "", *_reasons(pairs, int(i))),
            )
        )
    return Sheet(
        name="failures",
        title="The worst pairs",
        caption="For each, where it went wrong: faces that dlib does not find, and the largest landmark errors after "
        "the way to the target and back, one row for a pair of identities at most.",
        image=sheet(rows, ["driving", "converted landmarks", "made", "back"], info.size),
    )


def worst(pairs: Pairs) -> Int[np.ndarray, " k"]:
    """Indices of the worst pairs, one of each (source, target): half not found (if so many), half by their error.

    The error is dlib's; where dlib was not there, the own detector's LMK.
    """
    judged = not np.isnan(pairs.lmk).all()
    errors = np.where(np.isnan(pairs.lmk), -1, pairs.lmk) if judged else pairs.own_lmk
    lost = ~(pairs.made_found & pairs.back_found) & judged
    missing = _one_of_each(pairs, np.flatnonzero(lost))
    ranked = _one_of_each(pairs, np.argsort(-errors, kind="stable"))
    room = max(_MOST_FAILURES - len(ranked), _MOST_FAILURES // 2)
    chosen = [*missing[:room], *(i for i in ranked if i not in missing[:room])]
    return np.array(chosen[:_MOST_FAILURES], np.int64)


def _one_of_each(pairs: Pairs, order: np.ndarray) -> list[int]:
    first: dict[tuple[int, int], int] = {}
    for i in order.tolist():
        first.setdefault((int(pairs.source[i]), int(pairs.target[i])), i)
    return list(first.values())


def _reasons(pairs: Pairs, i: int) -> tuple[str, str]:
    """What is said under the made face and under the face that came back."""
    if np.isnan(pairs.lmk).all():
        return "", f"LMK {pairs.own_lmk[i]:.2f} (own)"
    if np.isnan(pairs.error[i]):
        after = "original not found" if pairs.back_found[i] else "not found"
    else:
        after = f"error {pairs.error[i]:.1%}"
    return "" if pairs.made_found[i] else "not found", after


def _redrawn(info: FaceInfo, people: Sequence[Frames], redrawers: Mapping[str, Maker]) -> Sheet:
    rows = []
    for frames in people:
        i = liveliest(frames, info.scheme)
        points, own = frames.landmarks[i : i + 1], np.array([frames.identity])
        cells = [frames.pictures[i], draw_landmarks(points[0], info.scheme, info.size)]
        rows.append(
            Row(info.identities[frames.identity], cells + [maker(points, own)[0] for maker in redrawers.values()])
        )
    return Sheet(
        name="reconstruction-pictures",
        title="Reconstruction",
        caption="A held-out frame, its landmarks, and the frame made again from them, without conversion.",
        image=sheet(rows, ["held-out frame", "landmarks", *redrawers], info.size),
    )


def _neighbours(info: FaceInfo, people: Sequence[Frames]) -> Iterator[tuple[Frames, np.ndarray, np.ndarray]]:
    """Of every source its frames, the liveliest one's landmarks `(1, N, 2)`, and as target `(1,)` the next identity."""
    for frames in people:
        i = liveliest(frames, info.scheme)
        yield frames, frames.landmarks[i : i + 1], np.array([(frames.identity + 1) % len(info.identities)])


def _arrow(info: FaceInfo, source: int, target: int) -> str:
    return f"{info.identities[source]} → {info.identities[target]}"
