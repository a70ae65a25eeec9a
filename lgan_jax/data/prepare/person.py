"""Prepares one person: converts videos and photos to a folder of crops with landmarks."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lgan_jax import files
from lgan_jax.data.builders import expressions
from lgan_jax.data.builders.celebv import EXPRESSIONS as EXPRESSION_TABLE
from lgan_jax.data.prepare import quality, sources, tracking
from lgan_jax.data.prepare.options import Options
from lgan_jax.data.prepare.output_folder import ANNOTATIONS, PIECE, Crops, OutputFolder, crop_name
from lgan_jax.data.prepare.sources import Person, Source
from lgan_jax.data.prepare.tracking import Observation, Tracker
from lgan_jax.faces import Faces, align
from lgan_jax.media import images
from lgan_jax.media.files import shown
from lgan_jax.ops import procrustes
from lgan_jax.progress import Progress

_DETECTION = 0.85  # share of the work on a frame for detecting the face; the rest is for writing the crop
_APART = 100  # frame numbers between photos, and at least between videos: more than any guard between splits
_SMALLEST = 0.43  # smallest face in a photo, in sides of the crop, which it spans to 0.86: enlarged twofold
_WHOLE = 0.98  # of the frames in a file's header; a file with fewer is damaged


@dataclasses.dataclass(frozen=True)
class _Source:
    """A source, its frame numbers, the observations in it, and the verdict on each frame."""

    source: Source
    numbers: np.ndarray
    observations: Observation
    verdicts: np.ndarray


def prepare_person(
    person: Person, output: OutputFolder, options: Options, faces: Faces, progress: Progress
) -> dict[str, Any]:
    """Detects the face in every frame of a person, drops unfit frames, writes crops and landmarks of the others.

    Returns the summary: sources, counts of frames read, retained and dropped for each reason, and names of skipped
    files. Resumes where an earlier run stopped.
    """
    earlier = output.summary(person.name)
    if earlier is not None:
        progress.skip(float(earlier["frames"]))
        return earlier
    observed = [_observe(person, i, output, options, faces, progress) for i in range(len(person.sources))]
    parts = _verdicts(person, observed, options)
    lines: list[str] = []
    with output.crops(person.name) as crops:
        for part in parts:
            lines += _write(part, crops, options, progress)
    summary = _summary(person, parts)
    if lines:
        files.write_text(output.place(person.name) / ANNOTATIONS, "".join(line + "\n" for line in lines))
        if labels := _expressions(parts):
            files.write_text(output.place(person.name) / EXPRESSION_TABLE, expressions.table_text(labels))
    output.finish(person.name, summary)
    return summary


def _observe(
    person: Person, index: int, output: OutputFolder, options: Options, faces: Faces, progress: Progress
) -> Observation | None:
    """Observations in all frames of one source; None where it has none. Resumes from an earlier run's observations."""
    source = person.sources[index]
    pieces, finished = output.observed(person.name, index)
    start = sum(len(piece.found) for piece in pieces)
    progress.skip(_DETECTION * start)
    if not finished:
        tracker = Tracker(faces, options.size, follow=source.moving)
        known = [piece.landmarks[piece.found][-1] for piece in pieces if piece.found.any()]
        if known and source.moving:
            tracker.resume(known[-1])
        for seen, last in _in_pieces(_observations(tracker, source, start, progress)):
            if seen:
                output.save(person.name, index, len(pieces), seen, last)
                pieces.append(tracking.stack(seen))
    return Observation(*(np.concatenate(field) for field in zip(*pieces))) if pieces else None


def _observations(tracker: Tracker, source: Source, start: int, progress: Progress) -> Iterator[Observation]:
    for _, image in sources.frames(source, start):
        yield tracker.observe(image)
        progress.advance(_DETECTION)


def _in_pieces(observations: Iterator[Observation]) -> Iterator[tuple[list[Observation], bool]]:
    """Groups of `PIECE` observations, each with a flag for the last group (which may be empty)."""
    piece: list[Observation] = []
    for observation in observations:
        piece.append(observation)
        if len(piece) == PIECE:
            yield piece, False
            piece = []
    yield piece, True


def _verdicts(person: Person, observed: list[Observation | None], options: Options) -> list[_Source]:
    """Numbers the frames of all sources and gives each its verdict."""
    present = [(source, seen) for source, seen in zip(person.sources, observed) if seen is not None]
    if not present:
        return []
    numbers, moving, smallest, first = [], [], [], 0
    for source, seen in present:
        count = len(seen.found)
        step = 1 if source.moving else _APART
        numbers.append(first + step * np.arange(count))
        moving.append(source.moving & (np.arange(count) > 0))
        smallest.append(np.full(count, 0.0 if source.moving else _SMALLEST * options.size))
        first = -(-(int(numbers[-1][-1]) + _APART) // 1000) * 1000
    everything = Observation(*(np.concatenate(field) for field in zip(*(seen for _, seen in present))))
    verdicts = quality.verdicts(
        everything, np.concatenate(moving), options.blur, options.jump, np.concatenate(smallest)
    )
    ends = np.cumsum([len(n) for n in numbers])[:-1]
    return [_Source(source, n, seen, v) for (source, seen), n, v in zip(present, numbers, np.split(verdicts, ends))]


def _write(part: _Source, crops: Crops, options: Options, progress: Progress) -> list[str]:
    """Writes the retained crops of a source that are missing; returns an annotation line for each retained crop."""
    keep = part.verdicts == quality.KEPT
    use = part.observations.found & (part.verdicts != quality.JUMP)
    points = part.observations.landmarks.astype(np.float64) * part.observations.size[:, None]
    steady = align.smoothed(points, use, options.smooth if part.source.moving else 0.0)
    transforms = align.alignment(steady, options.size)
    lines = {}
    for index in np.flatnonzero(keep):
        name = crop_name(int(part.numbers[index]))
        in_crop = procrustes.apply(transforms[index], points[index]) - 0.5
        lines[int(index)] = " ".join([*(f"{value:.3f}" for value in in_crop.ravel()), name])
    missing = [i for i, line in lines.items() if line.rsplit(" ", 1)[1] not in crops]
    progress.skip((1 - _DETECTION) * (len(keep) - len(missing)))
    if not missing:
        return list(lines.values())
    for index, image in sources.frames(part.source, missing[0]):
        if index in lines and image is not None:
            name = lines[index].rsplit(" ", 1)[1]
            if name not in crops:
                crops.add(name, images.encode_jpeg(align.crop(image, transforms[index], options.size), 95))
                progress.advance(1 - _DETECTION)
    return list(lines.values())


def _photos(parts: list[_Source]) -> Iterator[tuple[Path, int, bool]]:
    """Each retained photo, its frame number, and whether it shows several faces."""
    for part in parts:
        if not part.source.moving:
            for index in np.flatnonzero(part.verdicts == quality.KEPT):
                several = bool(part.observations.several[index])
                yield part.source.files[index], int(part.numbers[index]), several


def _expressions(parts: list[_Source]) -> dict[str, str]:
    """The expression that a photo's file is named after, by the name of its crop."""
    named = {crop_name(number): expressions.named(file.stem) for file, number, _ in _photos(parts)}
    return {crop: expression for crop, expression in named.items() if expression}


def _summary(person: Person, parts: list[_Source]) -> dict[str, Any]:
    counts = Counter(str(verdict) for part in parts for verdict in part.verdicts)
    by_file = {part.source.files: part for part in parts}
    return {
        "sources": [_source(source, by_file.get(source.files)) for source in person.sources],
        "frames": sum(counts.values()),
        "kept": counts[quality.KEPT],
        "dropped": {reason: counts[reason] for reason in quality.DROPPED},
        "several_faces": [shown(file.name) for file, _, several in _photos(parts) if several],
        "skipped_files": list(person.skipped),
    }


def _source(source: Source, part: _Source | None) -> dict[str, Any]:
    """The description of a source in `prepared.json`: its files, frame numbers and fault."""
    names = [shown(file.name) for file in source.files]
    seen = len(part.numbers) if part else 0
    summary: dict[str, Any] = {"video": names[0]} if source.moving else {"photos": names, "step": _APART}
    summary |= {"first": int(part.numbers[0]) if part else None, "frames": seen}
    if source.fault:
        summary["fault"] = f"cannot be read: {source.fault}"
    elif seen < _WHOLE * source.frames:
        summary["fault"] = f"ends early or is damaged: {seen} of about {source.frames} frames can be read"
    if source.notes:
        summary["notes"] = list(source.notes)
    return summary
