"""Projects every frame of a video: one face with the expressions of another. Each search starts from the last."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jaxtyping import Float32, UInt8

from lgan_jax.apps.project import aligned, progress, result_folder, target_landmarks
from lgan_jax.apps.project.aligned import Face, Follower, Framing
from lgan_jax.apps.shared.neutral_frame import neutral_frame
from lgan_jax.inversion import Diverged
from lgan_jax.media import output, provenance
from lgan_jax.media.images import to_bytes, to_floats
from lgan_jax.media.source import Source, open_source
from lgan_jax.methods.projection.projector import Projector
from lgan_jax.training.interrupts import Interrupts

_NAME = "video.mp4"

Image = UInt8[np.ndarray, "_ _ 3"]


def run(options: Any, projector: Projector, framing: Framing, say: Callable[[str], None] = print) -> int:
    """Projects all frames of `options.landmarks`, a video, and writes `video.mp4`; returns the exit status.

    After Ctrl-C, and where a search diverges, the video has the frames before that. `options` are the command's. Raises
    `ValueError` where no frame shows a face or a search diverged, and for the photo as `aligned.read`.
    """
    look = aligned.read(options.look, "--look", framing, say)
    source, out = open_source(options.landmarks), options.out / _NAME
    follower, shift = Follower(framing, projector), None
    if options.relative:
        shift = _shift(options, look, source, follower, projector, say)
    with Interrupts() as interrupts, result_folder.folder(options.out) as part:
        report = progress.Frames(source.count, interrupts)
        with contextlib.closing(report), output.Video(part / _NAME, source, options.made_by) as destination:
            images = _frames(options, look, projector, source, follower, shift, report)
            early = _write(images, destination, report, options)
            if not report.written:
                why = early or "no frame shows a face whose landmarks are clear"
                raise ValueError(f"--landmarks {options.landmarks}: {why}; nothing is written")
            destination.finish(complete=not early)
            destination.commit()
    if early == progress.DIVERGED:
        name = f"--landmarks {options.landmarks}, frame {report.written}"
        raise ValueError(f"{name}: {early}; {out} has the frames before it")
    say(f"{out} is written; {report.held} of {report.written} frames reuse the previous result, having no face")
    for note in source.notes:
        say(f"{options.landmarks.name}: {note}")
    if early:
        say(f"stopped: it has the first {report.written} frames and is whole")
        return 128 + interrupts.signal_number
    return 0


def _write(
    images: Iterator[tuple[Image, int, bool]], destination: output.Video, report: progress.Frames, options: Any
) -> str:
    """Writes what `_frames` gives. Returns why it ended before the end of the video; nothing where it did not."""
    try:
        for image, time, fresh in images:
            destination.write(provenance.mark(image, options.visible_mark), time)
            report.frame(fresh)
    except progress.Interrupted:
        return "stopped"
    except Diverged:
        return progress.DIVERGED
    return ""


def _shift(
    options: Any, look: Face, source: Source, follower: Follower, projector: Projector, say: Callable[[str], None]
) -> Float32[np.ndarray, "1 N 2"]:
    """The offset that `--relative` adds to each frame's landmarks.

    Raises `ValueError` without a neutral frame, and where the look's landmarks are not clear.
    """
    aligned.check_landmarks(look, projector, f"--look {options.look}")
    index, at_rest = neutral_frame(source, follower, projector.scheme, target_landmarks.at_rest(options, moving=True))
    say(f"neutral frame of {source.path.name}: {index}")
    return target_landmarks.shift(look, at_rest, projector)[None]


def _frames(
    options: Any,
    look: Face,
    projector: Projector,
    source: Source,
    follower: Follower,
    shift: Float32[np.ndarray, "1 N 2"] | None,
    report: progress.Frames,
) -> Iterator[tuple[Image, int, bool]]:
    """Yields, for every frame, an image, its time, and whether it was generated for that frame.

    Frames before the first face show the first result.
    """
    key, following = jax.random.key(options.seed), projector.following(options.frame_steps)
    waiting, found = [], None
    for frame in source.frames():
        report.check()
        face = follower.locate(frame.image)
        if face is None:
            if found is None:
                waiting.append(frame.time)
            else:
                yield to_bytes(found.image)[0], frame.time, False
            continue
        pair = to_floats(look.crop[None]), target_landmarks.landmarks([face], projector, shift)
        search = {"restarts": options.restarts} if found is None else {"start": found}
        found = (projector if found is None else following)(*pair, key=key, progress=report.search, **search)
        for time in waiting:
            yield to_bytes(found.image)[0], time, False
        waiting = []
        yield to_bytes(found.image)[0], frame.time, True
